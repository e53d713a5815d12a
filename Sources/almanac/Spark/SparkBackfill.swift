#if Spark
    import Backfilling
    import Foundation
    import History
    import SparkClient
    import SparkJobs
    import Storage
    import Synchronization

    /// A backfill whose parts a Spark cluster computes: each part is a share of the series, whose results come back as lines and go into the
    /// same sinks as those of this machine, or stay with Spark (`--output spark:PATH`).
    struct SparkBackfill: Sendable {
        private let setup: BackfillSetup
        private let arguments: SparkArguments
        private let session: SparkSession
        private let query: BackfillQuery

        /// Throws `Failure`, `BackfillError`, `StorageError`.
        static func run(_ setup: BackfillSetup, on address: String, arguments: SparkArguments) async throws {
            do {
                let input = try SparkInput(setup.job.input)
                let session = try SparkSession(SparkURL(address))
                let version = try await session.version()
                Output.error("Spark \(version) at \(session.url.display)")
                let result: Result<Void, any Error>
                do {
                    try await session.set(TrafficQueries.settings)
                    if let file = arguments.shipBinary {
                        try await session.addFile(file, name: URL(fileURLWithPath: file).lastPathComponent)
                    }
                    let query = try await makeQuery(setup, input, arguments, session)
                    result = .success(try await SparkBackfill(setup: setup, arguments: arguments, session: session, query: query).run())
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

        /// A file that was sent lies in a folder of its session, in the one that the command starts in.
        private static func command(_ arguments: SparkArguments, _ session: SparkSession) -> String {
            guard arguments.shipBinary != nil, let folder = session.seenServerSession else { return arguments.transformCommand }
            return "PATH=\"$PWD/\(folder):$PATH\" \(arguments.transformCommand)"
        }

        private static func makeQuery(
            _ setup: BackfillSetup, _ input: SparkInput, _ arguments: SparkArguments, _ session: SparkSession
        ) async throws -> BackfillQuery {
            let source: String
            switch input {
            case .table(let name): source = name
            case .files(let format, let path):
                source = "almanac_backfill_input"
                try await session.makeView(
                    source,
                    .read(format: format, schema: nil, options: input.readerOptions, paths: [path], isStreaming: false))
            }
            var columns: [BackfillColumns.Column] = []
            rows: for batch in try await session.collect("DESCRIBE TABLE \(source)") {
                for row in 0..<batch.rows {
                    guard let name = batch.string(0, row), let type = batch.string(1, row) else { continue }
                    // What follows tells of partitions.
                    if name.isEmpty || name.hasPrefix("#") { break rows }
                    columns.append(BackfillColumns.Column(name, type))
                }
            }
            let job = setup.job
            var query = BackfillQuery(
                source: source, columns: try BackfillColumns(of: columns, names: arguments.names), buckets: arguments.buckets,
                command: command(arguments, session),
                arguments: job.options.transformArguments + (job.badRows == .skip ? ["--bad-rows", "skip"] : []))
            query.from = job.options.firstSample
            query.to = job.options.to
            query.conditions = job.selectors.map { $0.compactMap(BackfillQuery.LabelCondition.init) }
            return query
        }

        // MARK: Running

        private func run() async throws {
            var job = setup.job
            job.details += [
                ("buckets", "\(query.buckets)"), ("command", arguments.transformCommand), ("columns", "\(arguments.names)"),
            ]
            job.details += setup.places
            let journal = try Journal.open(directory: setup.stateDirectory, job: job)
            let done = journal.parts
            let progress = BackfillProgress()
            progress.begin(sizes: [Int](repeating: 1, count: query.buckets), done: Set(done.keys))
            let started = ContinuousClock.now
            let rest = (0..<query.buckets).filter { done[$0] == nil }
            let result: Result<Void, any Error>
            if let path = Self.sparkPath(job.output) {
                result = await ProgressShow(progress).during {
                    for bucket in rest { try await write(bucket, to: path, journal, progress) }
                }
            } else {
                for warning in setup.warnings { Output.error("warning: \(warning)") }
                let output = try await setup.openOutput()
                result = await ProgressShow(progress).during {
                    try await output.sink.check(done: Set(done.keys))
                    for bucket in rest { try await fetch(bucket, output.sink, journal, progress) }
                    try await output.sink.finish()
                }
                await output.sink.close()
                await output.close()
            }
            switch result {
            case .success where rest.isEmpty: Output.line(setup.nothingLeft(parts: query.buckets))
            case .success:
                let lines = journal.parts.values.reduce(0) { $0 + $1.lines }
                let seconds = (ContinuousClock.now - started) / .milliseconds(10)
                Output.line("\(query.buckets) parts, \(lines) results, \(seconds.rounded() / 100) s; to \(job.output)")
            case .failure(let error) where error is CancellationError:
                let snapshot = progress.snapshot
                throw Failure("stopped with \(snapshot.doneParts) of \(snapshot.parts) parts done; the same command goes on from there")
            case .failure(let error): throw error
            }
        }

        /// The path of `spark:PATH`.
        static func sparkPath(_ output: String) -> String? {
            output.hasPrefix("spark:") && output.utf8.count > 6 ? String(output.dropFirst(6)) : nil
        }

        /// The part's lines, as they come, into the sink.
        private func fetch(_ bucket: Int, _ sink: any HistorySink, _ journal: Journal, _ progress: BackfillProgress) async throws {
            try Task.checkCancellation()
            let part = Exclusive(try await sink.open(part: bucket))
            let lines = Mutex(0)
            do {
                try await session.execute(.sql(try query.lines(bucket: bucket))) { event in
                    guard case .batch(let batch) = event else { return }
                    var bytes: [UInt8] = []
                    for row in 0..<batch.rows {
                        guard let line = batch.slice(0, row) else { continue }
                        bytes.append(contentsOf: line)
                        bytes.append(0x0A)
                        if bytes.count >= 1 << 18 {
                            try await part.sink.append(bytes)
                            bytes.removeAll(keepingCapacity: true)
                        }
                    }
                    if !bytes.isEmpty { try await part.sink.append(bytes) }
                    lines.withLock { $0 += batch.rows }
                }
                try await part.sink.commit()
            } catch {
                await part.sink.discard()
                throw Self.told(error, bucket)
            }
            try journal.finish(part: bucket, .init(samples: 0, lines: lines.withLock { $0 }))
            progress.finishPart(size: 1)
        }

        /// The part's rows into a folder of Spark's own; a part that was cut is written anew.
        private func write(_ bucket: Int, to path: String, _ journal: Journal, _ progress: BackfillProgress) async throws {
            try Task.checkCancellation()
            do {
                try await session.write(
                    .sql(try query.table(bucket: bucket)), format: "parquet", path: "\(path)/bucket=\(bucket)", overwrite: true
                ) { _ in }
            } catch {
                throw Self.told(error, bucket)
            }
            try journal.finish(part: bucket, .init(samples: 0, lines: 0))
            progress.finishPart(size: 1)
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
    }

    extension BackfillQuery.LabelCondition {
        init(_ matcher: LabelMatcher) {
            let operation: Operation =
                switch matcher.operation {
                case .equal: .equal
                case .notEqual: .notEqual
                case .matches: .matches
                case .notMatches: .notMatches
                }
            self.init(matcher.name, operation, matcher.value)
        }
    }
#endif
