#if Spark
    import Foundation
    import SparkClient
    import Synchronization
    import TestSupport
    import Testing

    extension SparkConnectTests {
        @Suite struct SessionTests {
            @Test func answersSQLInEveryType() async throws {
                let session = try SparkTrait.session()
                #expect(try await session.version().hasPrefix("4."))
                let batch = try #require(
                    try await session.collect(
                        """
                        SELECT 1 AS i, 2L AS l, CAST(3 AS SMALLINT) AS s, 0.5D AS d, CAST(0.25 AS FLOAT) AS f, 'grüße' AS t, true AS b,
                        CAST(NULL AS BIGINT) AS n, timestamp_millis(1769860800123) AS at, DATE'2026-01-31' AS day, X'00FF' AS raw
                        """
                    ).first)
                #expect(batch.rows == 1 && batch.int64(0, 0) == 1 && batch.int64(1, 0) == 2 && batch.int64(2, 0) == 3)
                #expect(
                    batch.double(3, 0) == 0.5 && batch.double(4, 0) == 0.25 && batch.string(5, 0) == "grüße" && batch.bool(6, 0) == true)
                #expect(batch.isNull(7, 0) && batch.int64(8, 0) == 1_769_860_800_123_000 && batch.int64(9, 0) == 20_484)
                #expect(batch.slice(10, 0).map(Array.init) == [0, 255])
                await session.close()
            }

            @Test func settingsAndViewsLiveInTheSession() async throws {
                let session = try SparkTrait.session()
                try await session.set(["spark.sql.session.timeZone": "Asia/Tokyo"])
                try await session.makeView("numbers", .sql("SELECT id FROM range(5)"))
                let batches = try await session.collect("SELECT current_timezone() AS zone, sum(id) AS sum FROM numbers")
                let batch = try #require(batches.first { $0.rows > 0 })
                #expect(batch.string(0, 0) == "Asia/Tokyo" && batch.int64(1, 0) == 10)
                let other = try SparkTrait.session()
                let error = await #expect(throws: SparkError.self) { _ = try await other.collect("SELECT * FROM numbers") }
                #expect(error?.errorClass == "TABLE_OR_VIEW_NOT_FOUND")
                await other.close()
                await session.close()
            }

            @Test func errorsAreSparksOwn() async throws {
                let session = try SparkTrait.session()
                let syntax = await #expect(throws: SparkError.self) { _ = try await session.collect("SELEC 1") }
                #expect(syntax?.kind == .query && syntax?.errorClass == "PARSE_SYNTAX_ERROR")
                let running = await #expect(throws: SparkError.self) {
                    _ = try await session.collect("SELECT assert_true(id < 3, 'the row is spoilt') FROM range(10)")
                }
                #expect(running?.kind == .query && running?.message.contains("the row is spoilt") == true, "\(running?.message ?? "-")")
                await session.close()
            }

            @Test func anAddressWithoutServerIsToldSoon() async throws {
                let session = try SparkSession(SparkURL("sc://127.0.0.1:\(freePort())"))
                let began = ContinuousClock.now
                let error = await #expect(throws: SparkError.self) { _ = try await session.version() }
                #expect(error?.kind == .unavailable && error?.message.contains("does not answer") == true, "\(error?.message ?? "-")")
                #expect(ContinuousClock.now - began < .seconds(20))
                await session.close()
            }

            /// Some 40 MB that come in pieces, while the connection breaks again and again: every row once, in order.
            @Test func goesOnWhenTheConnectionIsCut() async throws {
                let server = try #require(SparkTrait.server)
                let proxy = try TCPProxy(to: server.port, budgets: [300_000, 5_000_000, 1, 9_000_000, 20_000])
                defer { proxy.stop() }
                let session = try SparkTrait.session(port: proxy.port)
                let next = Mutex(Int64(0))
                try await session.execute(.sql("SELECT id, repeat('x', 40) AS text FROM range(0, 800000, 1, 4)")) { event in
                    guard case .batch(let batch) = event else { return }
                    try next.withLock { next in
                        for row in 0..<batch.rows {
                            try #require(batch.int64(0, row) == next, "row \(next)")
                            next += 1
                        }
                    }
                }
                #expect(next.withLock { $0 } == 800_000)
                #expect(proxy.cuts >= 5)
                await session.close()
            }

            @Test func anInterruptEndsTheOperationOnTheServer() async throws {
                let session = try SparkTrait.session()
                let operation = UUID().uuidString.lowercased()
                let isRunning = Mutex(false)
                let run = Task {
                    try await session.execute(.sql(Self.endless), operation: operation) { event in
                        if case .progress(let progress) = event, progress.running > 0 { isRunning.withLock { $0 = true } }
                    }
                }
                // Spark itself may go on with a job whose operation is interrupted before the job began.
                try await eventually("tasks of the operation run") { isRunning.withLock { $0 } }
                #expect(try await session.interrupt(operation: operation) == [operation])
                let error = await #expect(throws: SparkError.self) { try await run.value }
                #expect(error?.kind == .cancelled, "\(error?.description ?? "-")")
                await session.close()
            }

            private static let endless = "SELECT sum(a.id * b.id) FROM range(3000000) a CROSS JOIN range(3000000) b"

            /// A cancelled task leaves nothing running.
            @Test func cancellingInterrupts() async throws {
                let session = try SparkTrait.session()
                let isRunning = Mutex(false)
                let run = Task {
                    try await session.execute(.sql(Self.endless)) { event in
                        if case .progress(let progress) = event, progress.running > 0 { isRunning.withLock { $0 = true } }
                    }
                }
                try await eventually("tasks of the query run") { isRunning.withLock { $0 } }
                run.cancel()
                await #expect(throws: CancellationError.self) { try await run.value }
                #expect(try await session.interrupt().isEmpty)
                // The executors are free again.
                #expect(
                    try await session.collect("SELECT sum(id) AS s FROM range(1000)").contains { $0.rows == 1 && $0.int64(0, 0) == 499_500 }
                )
                await session.close()
            }

            @Test func aConsumersErrorEndsTheQuery() async throws {
                struct Enough: Error {}
                let session = try SparkTrait.session()
                await #expect(throws: Enough.self) {
                    try await session.execute(.sql("SELECT id FROM range(0, 4000000, 1, 40)")) { event in
                        if case .batch = event { throw Enough() }
                    }
                }
                #expect(try await session.interrupt().isEmpty)
                await session.close()
            }

            /// What is beyond the bound is refused, not buffered.
            @Test func answersBeyondTheBoundAreRefused() async throws {
                let server = try #require(SparkTrait.server)
                var options = SparkSession.Options()
                options.largestMessage = 1 << 20
                let session = try SparkSession(SparkURL(server.address), options: options)
                let error = await #expect(throws: SparkError.self) { _ = try await session.collect("SELECT repeat('x', 3000000)") }
                #expect(
                    error?.kind == .protocolViolation && error?.message.contains("maxBatchSize") == true, "\(error?.description ?? "-")")
                await session.close()
            }
        }

        /// With a server of its own, which is killed.
        @Suite struct DriverTests {
            @Test func aDriverStartedAnewIsToldApart() async throws {
                let server = try SparkServer()
                try await server.start()
                let session = try SparkSession(SparkURL(server.address))
                _ = try await session.version()
                try await session.makeView("gone", .sql("SELECT 1"))
                server.kill()
                try await server.start()
                let error = await #expect(throws: SparkError.self) { _ = try await session.collect("SELECT * FROM gone") }
                #expect(error?.kind == .sessionLost, "\(error?.description ?? "-")")
                await session.close()
            }
        }
    }
#endif
