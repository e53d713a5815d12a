#if Spark
    import Foundation
    import Records
    import SparkClient
    import SparkJobs

    /// The traffic's streaming queries from their start to their end: this program watches them, tells how they go, and stops them.
    struct SparkStreamRun: Sendable {
        var queries: TrafficQueries
        var input: StreamEnd
        var output: StreamEnd
        var checkpoint: String
        var trigger: SparkStream.Trigger
        /// Further options of Spark's Kafka source and sink.
        var kafka: [String: String]

        private struct Running: Sendable {
            let name: String
            let id: SparkQueryID
            var lastBatch: Int64 = -1
        }

        /// Runs until all queries ended, one failed, or a signal came. Throws `SparkError`, `Failure`.
        func run(on url: SparkURL) async throws {
            let session = try SparkSession(url)
            let work = Task {
                Output.error("Spark \(try await session.version()) at \(url.display)")
                try await session.set(TrafficQueries.settings)
                try await session.makeView("\(queries.prefix)_raw", source)
                var running: [Running] = []
                do {
                    for query in wanted { running.append(try await start(query, session)) }
                    try await watch(&running, session)
                } catch {
                    // Stopping needs a task that is not cancelled.
                    let started = running
                    await Task { for query in started { try? await session.stop(query.id) } }.value
                    throw error
                }
            }
            Signals().listen(onEnd: { work.cancel() }, onReload: {})
            let result = await work.result
            await session.close()
            if case .failure(let error) = result {
                if error is CancellationError {
                    Output.error("stopped; the same command goes on from \(checkpoint)")
                    return
                }
                throw error
            }
        }

        /// Files take no updates: totals since the start go to Kafka only.
        private var wanted: [TrafficQueries.Query] {
            var wanted = queries.windows.map { queries.window($0) } + [queries.days, queries.deadLetters]
            if case .kafka = output { wanted.append(queries.sinceStart) }
            return wanted
        }

        private var source: SparkPlan {
            switch input {
            case .files(let path):
                return .read(format: "text", schema: nil, options: ["maxFilesPerTrigger": "1000"], paths: [path], isStreaming: true)
            case .kafka(let servers, let topic):
                let options = ["kafka.bootstrap.servers": servers, "subscribe": topic, "startingOffsets": "earliest"].merging(kafka) { $1 }
                return .read(format: "kafka", schema: nil, options: options, paths: [], isStreaming: true)
            }
        }

        private func start(_ query: TrafficQueries.Query, _ session: SparkSession) async throws -> Running {
            if case .kafka = input {
                // Kafka's values are bytes.
                try await session.makeView("\(queries.prefix)_bytes", source)
                try await session.makeView(
                    "\(queries.prefix)_raw",
                    .sql("SELECT CAST(value AS STRING) AS value FROM \(queries.prefix)_bytes WHERE value IS NOT NULL"))
            }
            for step in query.steps { try await session.makeView(step.view, plan(step)) }
            var options = ["checkpointLocation": "\(checkpoint)/\(query.name)"]
            let format: String
            var text = query.output
            switch output {
            case .files(let path):
                format = "text"
                options["path"] = "\(path)/\(query.name)"
                text = "SELECT value FROM (\n\(text)\n)"
            case .kafka(let servers, let topic):
                format = "kafka"
                options.merge(["kafka.bootstrap.servers": servers, "topic": query.name == "dead-letters" ? "\(topic).dlq" : topic]) { $1 }
                options.merge(kafka) { $1 }
            }
            do {
                let id = try await session.start(
                    SparkStream(
                        name: "almanac-\(query.name)", plan: .sql(text), format: format, options: options, outputMode: query.mode,
                        trigger: trigger))
                return Running(name: query.name, id: id)
            } catch let error as SparkError where error.message.contains("Failed to find data source: kafka") {
                throw Failure(
                    "this Spark has no Kafka connector: start its server with --packages org.apache.spark:spark-sql-kafka-0-10_2.13:VERSION, or give files:DIR"
                )
            }
        }

        private func plan(_ step: TrafficQueries.Step) -> SparkPlan {
            guard let watermark = step.watermark else { return .sql(step.sql) }
            return .distinct(
                .watermark(.sql(step.sql), column: watermark.column, delay: "\(watermark.delay) milliseconds"), columns: watermark.distinct)
        }

        // MARK: Watching

        private func watch(_ running: inout [Running], _ session: SparkSession) async throws {
            while !running.isEmpty {
                var rest: [Running] = []
                for var query in running {
                    let status = try await session.status(query.id)
                    for progress in try await session.recentProgress(query.id) { tell(progress, &query) }
                    if status.isActive {
                        rest.append(query)
                    } else if let error = try await session.exception(query.id) {
                        running = rest
                        throw SparkError(.query, "query \(query.name): \(error.message)", errorClass: error.errorClass)
                    } else {
                        Output.error("\(query.name): ended")
                    }
                }
                running = rest
                try await Task.sleep(for: .milliseconds(500))
            }
        }

        /// A line for each batch that had rows.
        private func tell(_ progress: String, _ query: inout Running) {
            guard let json = try? JSONValue(parsing: Array(progress.utf8)), let batch = json["batchId"]?.int64Value,
                batch > query.lastBatch
            else { return }
            query.lastBatch = batch
            // Connect's form of the report tells rows by source only.
            let sources = json["sources"]?.arrayValue ?? []
            let rows = json["numInputRows"]?.int64Value ?? sources.reduce(0) { $0 + ($1["numInputRows"]?.int64Value ?? 0) }
            if rows == 0 { return }
            let state = json["stateOperators"]?.arrayValue?.reduce(0) { $0 + ($1["numRowsTotal"]?.int64Value ?? 0) } ?? 0
            let late = json["stateOperators"]?.arrayValue?.reduce(0) { $0 + ($1["numRowsDroppedByWatermark"]?.int64Value ?? 0) } ?? 0
            let watermark = json["eventTime"]?["watermark"]?.stringValue ?? "none"
            let milliseconds = json["durationMs"]?["triggerExecution"]?.int64Value ?? 0
            Output.error(
                "\(query.name): batch \(batch), \(rows) rows in \(milliseconds) ms, watermark \(watermark), \(state) rows of state, \(late) too late"
            )
        }
    }
#endif
