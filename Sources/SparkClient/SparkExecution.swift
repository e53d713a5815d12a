#if Spark
    import Foundation
    import SparkProto
    import Synchronization

    /// What the consumer of a query threw: it ends the query and is not tried again.
    private struct ConsumerFailure: Error {
        let error: any Error
    }

    extension SparkSession {
        /// Runs a query and gives what comes back, in order, each once: a lost connection goes on where it was. Waits for `handle`
        /// before it takes more, so at most some messages are buffered here (the server holds back the rest).
        ///
        /// A cancelled task interrupts the operation on the server.
        /// - Throws: `SparkError`, or what `handle` throws.
        package func execute(
            _ plan: SparkPlan, operation: String = UUID().uuidString.lowercased(),
            _ handle: @escaping @Sendable (SparkEvent) async throws -> Void
        ) async throws {
            var message = Spark_Connect_Plan()
            message.root = plan.relation
            _ = try await run(message, operation: operation, handle)
        }

        /// All batches of a query with a small answer.
        package func collect(_ sql: String) async throws -> [ArrowBatch] {
            let batches = Mutex<[ArrowBatch]>([])
            try await execute(.sql(sql)) { event in
                if case .batch(let batch) = event { batches.withLock { $0.append(batch) } }
            }
            return batches.withLock { $0 }
        }

        /// A name for the rows of a plan, as long as the session lives.
        package func makeView(_ name: String, _ plan: SparkPlan) async throws {
            var message = Spark_Connect_Plan()
            message.command.createDataframeView.input = plan.relation
            message.command.createDataframeView.name = name
            message.command.createDataframeView.replace = true
            _ = try await run(message)
        }

        /// What becomes of files that are there.
        package enum WriteMode: Sendable {
            case overwrite
            case append
        }

        /// Writes the rows of a plan to files in a folder.
        package func write(
            _ plan: SparkPlan, format: String, path: String, operation: String = UUID().uuidString.lowercased(), mode: WriteMode,
            _ handle: @escaping @Sendable (SparkEvent) async throws -> Void
        ) async throws {
            var message = Spark_Connect_Plan()
            message.command.writeOperation.input = plan.relation
            message.command.writeOperation.source = format
            message.command.writeOperation.path = path
            message.command.writeOperation.mode = mode == .overwrite ? .overwrite : .append
            _ = try await run(message, operation: operation, handle)
        }

        /// Runs a plan to its end; gives the answers that are neither batches nor progress.
        func run(
            _ plan: Spark_Connect_Plan, operation: String = UUID().uuidString.lowercased(),
            _ handle: @escaping @Sendable (SparkEvent) async throws -> Void = { _ in }
        ) async throws -> [Spark_Connect_ExecutePlanResponse] {
            let state = Mutex(Reattaching())
            let answers = Mutex<[Spark_Connect_ExecutePlanResponse]>([])
            let pieces = Mutex(ArrowPieces())
            let isWorking = Mutex(false)
            let take: @Sendable (Spark_Connect_ExecutePlanResponse) async throws -> Void = { response in
                self.see(response.serverSideSessionID)
                var isComplete = false
                if response.isWorking { isWorking.withLock { $0 = true } }
                do {
                    switch response.responseType {
                    case .arrowBatch(let batch):
                        guard let bytes = try pieces.withLock({ try $0.add(batch, bound: self.options.largestMessage) }) else { break }
                        for rows in try ArrowReader.batches(bytes).batches { try await handle(.batch(rows)) }
                    case .executionProgress(let progress): try await handle(.progress(SparkProgress(progress)))
                    case .resultComplete: isComplete = true
                    case nil: break
                    default: answers.withLock { $0.append(response) }
                    }
                } catch let error as ArrowError {
                    throw ConsumerFailure(error: SparkError(.protocolViolation, "rows from Spark cannot be read: \(error)"))
                } catch {
                    throw ConsumerFailure(error: error)
                }
                state.withLock { $0.received(response.responseID, completes: isComplete) }
                if case .arrowBatch = response.responseType { await self.release(operation, through: response.responseID) }
            }
            loop: while true {
                do {
                    switch state.withLock({ $0.step }) {
                    case .done: break loop
                    case .execute:
                        try await breakable { try await self.stream("ExecutePlan", self.executeRequest(plan, operation), $0(take)) }
                    case .reattach(let last):
                        try await breakable {
                            try await self.stream("ReattachExecute", self.reattachRequest(operation, after: last), $0(take))
                        }
                    }
                    state.withLock { $0.ended() }
                } catch {
                    try await recover(from: error, operation: operation, isWorking: isWorking.withLock { $0 }, state)
                }
            }
            await release(operation, through: nil)
            return answers.withLock { $0 }
        }

        private typealias Take = @Sendable (Spark_Connect_ExecutePlanResponse) async throws -> Void

        /// Runs a stream in a task of its own, which is cancelled when the consumer fails: what the server still has on the way would else be
        /// waited for.
        private func breakable(_ body: @escaping @Sendable (@Sendable (@escaping Take) -> Take) async throws -> Void) async throws {
            let failure = Mutex<ConsumerFailure?>(nil)
            let attempt = Mutex<Task<Void, any Error>?>(nil)
            let task = Task {
                try await body { take in
                    { response in
                        do { try await take(response) } catch let error as ConsumerFailure {
                            failure.withLock { $0 = error }
                            attempt.withLock { $0 }?.cancel()
                            throw error
                        }
                    }
                }
            }
            attempt.withLock { $0 = task }
            if failure.withLock({ $0 }) != nil { task.cancel() }
            do {
                try await withTaskCancellationHandler(operation: { try await task.value }, onCancel: { task.cancel() })
            } catch {
                throw failure.withLock { $0 } ?? error
            }
        }

        /// Waits before another try, or throws where there is none.
        private func recover(
            from error: any Error, operation: String, isWorking: Bool, _ state: borrowing Mutex<Reattaching>
        ) async throws {
            if let consumer = error as? ConsumerFailure {
                await abandon(operation, isWorking: isWorking)
                throw consumer.error
            }
            if Task.isCancelled {
                await abandon(operation, isWorking: isWorking)
                throw CancellationError()
            }
            let failure = failure(error)
            let (goesOn, failures) = state.withLock { ($0.failed(failure), $0.failures) }
            let retries = seenServerSession == nil ? options.connectRetries : options.retries
            guard goesOn, let pause = retries.pause(after: failures, random: .random(in: 0...1)) else { throw await explained(error) }
            try? await Task.sleep(for: pause)
            if Task.isCancelled {
                await abandon(operation, isWorking: isWorking)
                throw CancellationError()
            }
        }

        /// Ends an operation nobody waits for any more. In a task of its own: this one may be cancelled.
        ///
        /// Interrupting an operation whose first job has not begun ends the operation, and Spark may then begin the job, which nobody can stop. So its
        /// first tasks are waited for.
        private func abandon(_ operation: String, isWorking: Bool) async {
            await Task {
                if !isWorking { await self.awaitWork(of: operation) }
                for _ in 0..<5 {
                    guard let ended = try? await self.interrupt(operation: operation), !ended.isEmpty else { break }
                }
                await self.release(operation, through: nil)
            }.value
        }

        /// Returns when tasks of an operation run, when it is over or unknown, or after `workLimit`.
        private func awaitWork(of operation: String) async {
            struct Seen: Error {}
            let watch = Task {
                try await self.breakable {
                    try await self.stream(
                        "ReattachExecute", self.reattachRequest(operation, after: nil),
                        $0 { response in
                            if response.isWorking { throw ConsumerFailure(error: Seen()) }
                        })
                }
            }
            let limit = Task {
                try await Task.sleep(for: SparkSession.workLimit)
                watch.cancel()
            }
            _ = await watch.result
            limit.cancel()
        }

        private static let workLimit = Duration.seconds(10)

        // MARK: Messages

        private func executeRequest(_ plan: Spark_Connect_Plan, _ operation: String) -> Spark_Connect_ExecutePlanRequest {
            var request = Spark_Connect_ExecutePlanRequest()
            request.sessionID = id
            if let seen = seenServerSession { request.clientObservedServerSideSessionID = seen }
            request.userContext = userContext
            request.operationID = operation
            request.plan = plan
            request.clientType = clientType
            var option = Spark_Connect_ExecutePlanRequest.RequestOption()
            option.reattachOptions.reattachable = true
            // A batch is as large as its largest row: in pieces (Spark 4.1 and later) no message is beyond what is taken.
            var chunks = Spark_Connect_ExecutePlanRequest.RequestOption()
            chunks.resultChunkingOptions.allowArrowBatchChunking = true
            chunks.resultChunkingOptions.preferredArrowChunkSize = Int64(min(options.largestMessage / 2, 4 << 20))
            request.requestOptions = [option, chunks]
            return request
        }

        private func reattachRequest(_ operation: String, after last: String?) -> Spark_Connect_ReattachExecuteRequest {
            var request = Spark_Connect_ReattachExecuteRequest()
            request.sessionID = id
            if let seen = seenServerSession { request.clientObservedServerSideSessionID = seen }
            request.userContext = userContext
            request.operationID = operation
            request.clientType = clientType
            if let last { request.lastResponseID = last }
            return request
        }

        /// Lets the server forget responses up to one, or the whole operation. It would forget them by itself, later.
        private func release(_ operation: String, through response: String?) async {
            var request = Spark_Connect_ReleaseExecuteRequest()
            request.sessionID = id
            request.userContext = userContext
            request.operationID = operation
            request.clientType = clientType
            if let response { request.releaseUntil.responseID = response } else { request.releaseAll = .init() }
            let _: Spark_Connect_ReleaseExecuteResponse? = try? await unaryOnce("ReleaseExecute", request, deadline: .seconds(10))
        }
    }

    /// Joins the pieces of a batch. Those that came before a lost connection are kept: the next response is the next piece.
    private struct ArrowPieces {
        private var bytes: [UInt8] = []
        private var next: Int64 = 0

        /// The whole batch once its last piece is there. Throws where the pieces are out of order, or together larger than `bound` bytes.
        mutating func add(_ batch: Spark_Connect_ExecutePlanResponse.ArrowBatch, bound: Int) throws(ArrowError) -> [UInt8]? {
            let count = batch.hasNumChunksInBatch ? batch.numChunksInBatch : 1
            guard !batch.hasChunkIndex || batch.chunkIndex == next, batch.hasChunkIndex || next == 0, next < count else {
                throw ArrowError("a piece of a batch is missing")
            }
            guard bytes.count + batch.data.count <= bound else {
                throw ArrowError(
                    "a batch is larger than \(bound >> 20) MiB; lower spark.connect.grpc.arrow.maxBatchSize, or give smaller rows")
            }
            bytes.append(contentsOf: batch.data)
            next += 1
            guard next == count else { return nil }
            defer {
                bytes = []
                next = 0
            }
            return bytes
        }
    }

    extension Spark_Connect_ExecutePlanResponse {
        /// Whether it shows that jobs of its operation have begun, or that the operation is over.
        var isWorking: Bool {
            switch responseType {
            case .executionProgress(let progress): progress.numInflightTasks > 0 || progress.stages.contains { $0.numCompletedTasks > 0 }
            case .arrowBatch, .resultComplete: true
            default: false
            }
        }
    }

    extension SparkProgress {
        init(_ progress: Spark_Connect_ExecutePlanResponse.ExecutionProgress) {
            self.init(
                tasks: progress.stages.reduce(0) { $0 + $1.numTasks }, done: progress.stages.reduce(0) { $0 + $1.numCompletedTasks },
                running: progress.numInflightTasks, bytesRead: progress.stages.reduce(0) { $0 + $1.inputBytesRead })
        }
    }

    extension SparkPlan {
        var relation: Spark_Connect_Relation {
            var relation = Spark_Connect_Relation()
            switch self {
            case .sql(let query): relation.sql.query = query
            case .sqlOver(let query, let name, let arrow):
                var rows = Spark_Connect_Relation()
                rows.subqueryAlias.alias = name
                rows.subqueryAlias.input.localRelation.data = Data(arrow)
                relation.withRelations.root.sql.query = query
                relation.withRelations.references = [rows]
            case .read(let format, let schema, let options, let paths, let isStreaming):
                relation.read.isStreaming = isStreaming
                relation.read.dataSource.format = format
                if let schema { relation.read.dataSource.schema = schema }
                relation.read.dataSource.options = options
                relation.read.dataSource.paths = paths
            case .watermark(let input, let column, let delay):
                relation.withWatermark.input = input.relation
                relation.withWatermark.eventTime = column
                relation.withWatermark.delayThreshold = delay
            case .distinct(let input, let columns):
                relation.deduplicate.input = input.relation
                relation.deduplicate.columnNames = columns
            }
            return relation
        }
    }
#endif
