#if Spark
    import Backfilling
    import History
    import Records
    import SparkClient
    import SparkJobs
    import Storage
    import TimeSeries

    /// The raw archive of a store. Executors cannot reach it, so this program reads its sealed chunks and sends them with the queries, as they
    /// are, about a byte and a half a sample; what is in them is decoded and analysed on the executors.
    ///
    /// Parts and what is in them are those of this machine (`StoreInput`). A part is sent in queries of whole series. Memory: `atOnce` times a
    /// query's chunks, some times over, or those of the largest series.
    struct SparkArchiveParts: SparkParts {
        /// Bytes of rows in a query, unless one series has more.
        private static let queryBytes = 16 << 20
        /// Of one series. A server takes messages of 128 MiB.
        private static let largestBytes = 100 << 20

        private let input: StoreInput
        private let query: ChunkQuery
        private let context: @Sendable (Journal, BackfillProgress) -> BackfillContext
        let atOnce: Int

        init(_ setup: BackfillSetup, _ store: any ResultStore, command: String) {
            let job = setup.job
            input = StoreInput(store: store, selectors: job.selectors, options: job.options)
            query = ChunkQuery(command: command, arguments: job.options.transformArguments)
            // While one is read another is computed.
            atOnce = max(2, min(setup.jobs, 4))
            context = { journal, progress in
                BackfillContext(
                    job: job, journal: journal, jobs: setup.jobs, badRows: BadRowReport(job.badRows), progress: progress,
                    directory: setup.stateDirectory)
            }
        }

        var details: [(name: String, value: String)] { input.details }
        var countsSamples: Bool { true }

        func prepare(_ journal: Journal, _ progress: BackfillProgress) async throws -> [Int] {
            try await input.prepare(context(journal, progress))
        }

        func queries(part: Int, asTable: Bool, _ body: (SparkPartQuery) async throws -> Void) async throws {
            let text = asTable ? query.table(part: part) : query.lines(part: part)
            var rows = ChunkRows()
            for series in await input.series(ofPart: part) {
                let chunks = try await chunks(of: series)
                let size = ChunkRows.byteCount(chunks, of: series)
                if !rows.isEmpty, rows.byteCount + size > SparkArchiveParts.queryBytes {
                    try await body(rows.query(text, part: part))
                    rows = ChunkRows()
                }
                rows.append(chunks, of: series)
            }
            if !rows.isEmpty { try await body(rows.query(text, part: part)) }
        }

        private func chunks(of series: StoreInput.Series) async throws -> [ChunkResult] {
            var chunks: [ChunkResult] = []
            var size = 0
            try await input.chunks(of: series) { chunk in
                size += chunk.data.count + series.text.count + 24
                guard chunk.data.count <= ChunkFilter.largestChunk, size <= SparkArchiveParts.largestBytes else {
                    throw BackfillError(
                        .usage,
                        "the chunks of \(series.key.labels) are together larger than a message to Spark (\(SparkArchiveParts.largestBytes >> 20) MiB); "
                            + "give less of their time by --from and --to, or leave --spark away")
                }
                chunks.append(chunk)
            }
            return chunks
        }
    }

    /// Chunks of whole series as columns.
    private struct ChunkRows {
        private var series = ArrowWriter.Texts()
        private var type = ArrowWriter.Texts()
        private var start: [Int64] = []
        private var data = ArrowWriter.Texts()
        private var types: [Fingerprint: MetricType] = [:]
        private var samples = 0
        private(set) var byteCount = 0

        var isEmpty: Bool { start.isEmpty }

        static func byteCount(_ chunks: [ChunkResult], of series: StoreInput.Series) -> Int {
            chunks.reduce(0) { $0 + $1.data.count + series.text.count + 24 }
        }

        mutating func append(_ chunks: [ChunkResult], of one: StoreInput.Series) {
            if chunks.isEmpty { return }
            let kind = ChunkRow.text(one.key.type)
            for chunk in chunks {
                series.append(one.text)
                type.append(kind.utf8)
                start.append(chunk.start)
                data.append(chunk.data)
                samples += chunk.count
            }
            if MetricType.guess(name: one.key.labels.name) != one.key.type { types[one.key.id] = one.key.type }
            byteCount += ChunkRows.byteCount(chunks, of: one)
        }

        func query(_ text: String, part: Int) -> SparkPartQuery {
            let arrow = ArrowWriter.stream([
                ("series", .utf8(series)), ("type", .utf8(type)), ("start", .int64(start)), ("data", .binary(data)),
            ])
            return SparkPartQuery(plan: .sqlOver(text, name: ChunkQuery.source(part: part), arrow: arrow), types: types, samples: samples)
        }
    }
#endif
