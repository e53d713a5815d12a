#if Spark
    import Backfilling
    import History
    import SparkClient
    import SparkJobs
    import Storage
    import TimeSeries

    /// What a backfill on Spark reads.
    enum SparkBackfillInput {
        /// Spark itself does.
        case spark(SparkInput)
        /// The raw archive of a store that this program reads.
        case archive(BackfillInput)

        init(_ text: String) throws {
            switch try BackfillInput(text) {
            case .store: self = .archive(.store)
            case .sqlite(let path): self = .archive(.sqlite(path))
            case .prometheus:
                throw Failure(
                    "--input \(text): Prometheus' API is read by this machine alone; leave --spark away, or give Spark the samples as files"
                )
            case .files: self = .spark(try SparkInput(text))
            }
        }
    }

    /// The work of a backfill on Spark, divided into parts with stable numbers; what a part gives is the same at every start.
    protocol SparkParts: Sendable {
        /// What the journal must know of it.
        var details: [(name: String, value: String)] { get }
        /// Parts that are worked on at a time.
        var atOnce: Int { get }
        var countsSamples: Bool { get }
        /// The size of each part, in any unit.
        func prepare(_ journal: Journal, _ progress: BackfillProgress) async throws -> [Int]
        /// The queries whose results, one after the other, are those of a part.
        func queries(part: Int, asTable: Bool, _ body: (SparkPartQuery) async throws -> Void) async throws
    }

    struct SparkPartQuery: Sendable {
        var plan: SparkPlan
        /// Of series whose names do not tell it.
        var types: [Fingerprint: MetricType] = [:]
        /// Where that is known.
        var samples = 0
    }

    /// Files and tables that Spark reads: a part is a bucket of series, and one query.
    struct SparkTableParts: SparkParts {
        private let query: BackfillQuery
        private let names: BackfillColumns.Names

        init(
            _ setup: BackfillSetup, _ input: SparkInput, _ arguments: SparkArguments, command: String, _ session: SparkSession
        ) async throws {
            let source: String
            switch input {
            case .table(let name): source = name
            case .files(let format, let path):
                source = "almanac_backfill_input"
                try await session.makeView(
                    source, .read(format: format, schema: nil, options: input.readerOptions, paths: [path], isStreaming: false))
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
            names = arguments.names
            let job = setup.job
            var query = BackfillQuery(
                source: source, columns: try BackfillColumns(of: columns, names: names), buckets: arguments.buckets, command: command,
                arguments: job.options.transformArguments + (job.badRows == .skip ? ["--bad-rows", "skip"] : []))
            query.from = job.options.firstSample
            query.to = job.options.to
            query.conditions = job.selectors.map { $0.compactMap(BackfillQuery.LabelCondition.init) }
            self.query = query
        }

        var details: [(name: String, value: String)] { [("buckets", "\(query.buckets)"), ("columns", "\(names)")] }
        var atOnce: Int { 1 }
        var countsSamples: Bool { false }

        func prepare(_ journal: Journal, _ progress: BackfillProgress) async throws -> [Int] { [Int](repeating: 1, count: query.buckets) }

        func queries(part: Int, asTable: Bool, _ body: (SparkPartQuery) async throws -> Void) async throws {
            try await body(SparkPartQuery(plan: .sql(asTable ? query.table(bucket: part) : query.lines(bucket: part))))
        }
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
