#if Spark
    import SparkProto

    extension SparkSession {
        package struct QueryStatus: Sendable, Equatable {
            package var message: String
            package var isActive: Bool
            package var hasData: Bool
        }

        /// Starts a streaming query; it goes on by itself, also after this session's connection is gone.
        package func start(_ stream: SparkStream) async throws -> SparkQueryID {
            var start = Spark_Connect_WriteStreamOperationStart()
            start.input = stream.plan.relation
            start.format = stream.format
            start.options = stream.options
            start.outputMode = stream.outputMode
            start.queryName = stream.name
            switch stream.trigger {
            case .availableNow: start.availableNow = true
            case .every(let milliseconds): start.processingTimeInterval = "\(milliseconds) milliseconds"
            }
            var plan = Spark_Connect_Plan()
            plan.command.writeStreamOperationStart = start
            for answer in try await run(plan) {
                guard case .writeStreamOperationStartResult(let result) = answer.responseType else { continue }
                return SparkQueryID(id: result.queryID.id, run: result.queryID.runID)
            }
            throw SparkError(.protocolViolation, "Spark started the query '\(stream.name)' and did not say its id")
        }

        package func status(_ query: SparkQueryID) async throws -> QueryStatus {
            let answer = try await command(query) { $0.status = true }
            return QueryStatus(
                message: answer.status.statusMessage, isActive: answer.status.isActive, hasData: answer.status.isDataAvailable)
        }

        /// The error that ended a query; nil where there is none.
        package func exception(_ query: SparkQueryID) async throws -> SparkError? {
            let answer = try await command(query) { $0.exception = true }
            guard answer.exception.hasExceptionMessage else { return nil }
            return SparkError(
                .query, answer.exception.exceptionMessage,
                errorClass: answer.exception.hasErrorClass ? answer.exception.errorClass : nil)
        }

        /// Spark's reports on the newest batches (100 unless it is configured otherwise), as JSON, oldest first.
        package func recentProgress(_ query: SparkQueryID) async throws -> [String] {
            try await command(query) { $0.recentProgress = true }.recentProgress.recentProgressJson
        }

        package func stop(_ query: SparkQueryID) async throws {
            _ = try await command(query) { $0.stop = true }
        }

        /// Waits on the server for the end of a query; false where the time passed first.
        package func awaitTermination(_ query: SparkQueryID, milliseconds: Int64) async throws -> Bool {
            try await command(query) { $0.awaitTermination.timeoutMs = milliseconds }.awaitTermination.terminated
        }

        private func command(
            _ query: SparkQueryID, _ fill: (inout Spark_Connect_StreamingQueryCommand) -> Void
        ) async throws -> Spark_Connect_StreamingQueryCommandResult {
            var command = Spark_Connect_StreamingQueryCommand()
            command.queryID.id = query.id
            command.queryID.runID = query.run
            fill(&command)
            var plan = Spark_Connect_Plan()
            plan.command.streamingQueryCommand = command
            for answer in try await run(plan) {
                if case .streamingQueryCommandResult(let result) = answer.responseType { return result }
            }
            throw SparkError(.protocolViolation, "Spark did not answer on a streaming query")
        }
    }
#endif
