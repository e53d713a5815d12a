#if Spark
    import Backfilling
    import Foundation
    import History
    import SparkClient
    import SparkJobs
    import Storage
    import Synchronization
    import TimeSeries

    /// A backfill whose parts a Spark cluster computes: each part is a share of the series, whose results come back as lines and go into the
    /// same sinks as those of this machine, or stay with Spark (`--output spark:PATH`).
    struct SparkBackfill: Sendable {
        private let setup: BackfillSetup
        private let arguments: SparkArguments
        private let session: SparkSession
        private let parts: any SparkParts

        /// Throws `Failure`, `BackfillError`, `StorageError`.
        static func run(_ setup: BackfillSetup, on address: String, arguments: SparkArguments) async throws {
            do {
                let input = try SparkBackfillInput(setup.job.input)
                let session = try SparkSession(SparkURL(address))
                let result: Result<Void, any Error>
                do {
                    result = .success(try await run(setup, input, arguments, session))
                } catch {
                    result = .failure(error)
                }
                await session.close()
                try result.get()
            } catch let error as SparkURLError {
                throw Failure("--spark: \(error)")
            } catch let error as SparkJobError {
                throw Failure("--spark: \(error)")
            } catch let error as SparkError {
                throw Failure("Spark: \(error)")
            }
        }

        private static func run(
            _ setup: BackfillSetup, _ input: SparkBackfillInput, _ arguments: SparkArguments, _ session: SparkSession
        ) async throws {
            Output.error("Spark \(try await session.version()) at \(session.url.display)")
            try await session.set(TrafficQueries.settings)
            if let file = arguments.shipBinary {
                try await session.addFile(file, name: URL(fileURLWithPath: file).lastPathComponent)
            }
            let command = command(arguments, session)
            switch input {
            case .spark(let input):
                let parts = try await SparkTableParts(setup, input, arguments, command: command, session)
                try await SparkBackfill(setup: setup, arguments: arguments, session: session, parts: parts).run()
            case .archive(let store):
                let store = try setup.openArchive(store)
                let result: Result<Void, any Error>
                do {
                    let parts = SparkArchiveParts(setup, store, command: command)
                    try await SparkBackfill(setup: setup, arguments: arguments, session: session, parts: parts).run()
                    result = .success(())
                } catch {
                    result = .failure(error)
                }
                await store.close()
                try result.get()
            }
        }

        /// A file that was sent lies in a folder of its session, in the one that the command starts in.
        private static func command(_ arguments: SparkArguments, _ session: SparkSession) -> String {
            guard arguments.shipBinary != nil, let folder = session.seenServerSession else { return arguments.transformCommand }
            return "PATH=\"$PWD/\(folder):$PATH\" \(arguments.transformCommand)"
        }

        // MARK: Running

        private func run() async throws {
            var job = setup.job
            job.details += parts.details + [("command", arguments.transformCommand)] + setup.places
            let journal = try Journal.open(directory: setup.stateDirectory, job: job)
            let done = journal.parts
            let progress = BackfillProgress()
            let started = ContinuousClock.now
            let result: Result<Bool, any Error>
            if let path = Self.sparkPath(job.output) {
                result = await ProgressShow(progress).during {
                    try await compute(journal, progress) { part in try await write(part, to: path) }
                }
            } else {
                for warning in setup.warnings { Output.error("warning: \(warning)") }
                let output = try await setup.openOutput()
                result = await ProgressShow(progress).during {
                    try await output.sink.check(done: Set(done.keys))
                    let wasDone = try await compute(journal, progress) { part in try await fetch(part, output.sink) }
                    try await output.sink.finish()
                    return wasDone
                }
                await output.sink.close()
                await output.close()
            }
            switch result {
            case .success(true): Output.line(setup.nothingLeft(parts: journal.parts.count))
            case .success(false): report(journal.parts, ContinuousClock.now - started)
            case .failure(let error) where error is CancellationError:
                let snapshot = progress.snapshot
                throw Failure("stopped with \(snapshot.doneParts) of \(snapshot.parts) parts done; the same command goes on from there")
            case .failure(let error): throw error
            }
        }

        private func report(_ parts: [Int: Journal.Part], _ elapsed: Duration) {
            let samples = parts.values.reduce(0) { $0 + $1.samples }
            let lines = parts.values.reduce(0) { $0 + $1.lines }
            if self.parts.countsSamples, samples == 0 { Output.error("warning: no sample was found: \(setup.emptyHint)") }
            let text = self.parts.countsSamples ? "\(samples) samples, " : ""
            let seconds = (elapsed / .milliseconds(10)).rounded() / 100
            Output.line("\(parts.count) parts, \(text)\(lines) results, \(seconds) s; to \(setup.job.output)")
        }

        /// The path of `spark:PATH`.
        static func sparkPath(_ output: String) -> String? {
            output.hasPrefix("spark:") && output.utf8.count > 6 ? String(output.dropFirst(6)) : nil
        }

        /// Does the parts that are not done, some at a time. True: there was none.
        private func compute(
            _ journal: Journal, _ progress: BackfillProgress, _ body: @escaping @Sendable (Int) async throws -> Journal.Part
        ) async throws -> Bool {
            let sizes = try await parts.prepare(journal, progress)
            let done = journal.parts
            progress.begin(sizes: sizes, done: Set(done.keys))
            let rest = sizes.indices.filter { done[$0] == nil }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (i, part) in rest.enumerated() {
                    if i >= parts.atOnce { try await group.next() }
                    try Task.checkCancellation()
                    group.addTask {
                        do {
                            let counts = try await body(part)
                            try journal.finish(part: part, counts)
                            progress.finishPart(size: sizes[part])
                        } catch {
                            throw Self.told(error, part)
                        }
                    }
                }
                try await group.waitForAll()
            }
            return !sizes.isEmpty && rest.isEmpty
        }

        /// The part's lines, as they come, into the sink.
        private func fetch(_ number: Int, _ sink: any HistorySink) async throws -> Journal.Part {
            let part = Exclusive(try await sink.open(part: number))
            let lines = Mutex(0)
            var samples = 0
            do {
                try await parts.queries(part: number, asTable: false) { query in
                    samples += query.samples
                    try await session.execute(query.plan) { event in
                        guard case .batch(let batch) = event else { return }
                        try await part.append(batch, types: query.types)
                        lines.withLock { $0 += batch.rows }
                    }
                }
                try await part.sink.commit()
            } catch {
                await part.sink.discard()
                throw error
            }
            return Journal.Part(samples: samples, lines: lines.withLock { $0 })
        }

        /// The part's rows into a folder of Spark's own; a part that was cut is written anew.
        private func write(_ number: Int, to path: String) async throws -> Journal.Part {
            var samples = 0
            var isFirst = true
            try await parts.queries(part: number, asTable: true) { query in
                samples += query.samples
                try await session.write(
                    query.plan, format: "parquet", path: "\(path)/bucket=\(number)", mode: isFirst ? .overwrite : .append
                ) { _ in }
                isFirst = false
            }
            return Journal.Part(samples: samples, lines: 0)
        }

        /// What `transform` said on an executor, out of the many words around it.
        private static func told(_ error: any Error, _ bucket: Int) -> any Error {
            guard let spark = error as? SparkError else { return error }
            if spark.kind == .cancelled {
                return BackfillError(.unavailable, "part \(bucket) was cancelled on the cluster: \(spark.message)")
            }
            guard let range = spark.message.range(of: "Subprocess exited with status ") else { return error }
            let text = spark.message[range.upperBound...].prefix(600)
            let status = text.prefix { $0.isNumber }
            let words = text.split(separator: "Error: ", maxSplits: 1).dropFirst().first?.prefix { $0 != "\n" } ?? ""
            switch status {
            case "65": return BackfillError(.badRow, "part \(bucket): transform on an executor: \(words)")
            case "127":
                return BackfillError(
                    .unavailable, "part \(bucket): the executors have no such command (\(words)); give --transform-command or --ship-binary"
                )
            default: return BackfillError(.unavailable, "part \(bucket): transform ended with \(status) on an executor: \(words)")
            }
        }
    }

    /// The output of a part, which one query at a time writes to: `execute` waits for each batch before it gives the next.
    private struct Exclusive: @unchecked Sendable {
        let sink: any HistoryPartSink
        init(_ sink: any HistoryPartSink) { self.sink = sink }

        func append(_ batch: ArrowBatch, types: [Fingerprint: MetricType]) async throws {
            var bytes: [UInt8] = []
            for row in 0..<batch.rows {
                guard let line = batch.slice(0, row) else { continue }
                bytes.append(contentsOf: line)
                bytes.append(0x0A)
                if bytes.count >= 1 << 18 {
                    try await sink.append(bytes, types: types)
                    bytes.removeAll(keepingCapacity: true)
                }
            }
            if !bytes.isEmpty { try await sink.append(bytes, types: types) }
        }
    }
#endif
