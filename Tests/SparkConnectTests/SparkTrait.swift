#if Spark
    import SparkClient
    import TestSupport
    import Testing

    /// One server for all tests of a suite.
    struct SparkTrait: SuiteTrait, TestScoping {
        @TaskLocal static var server: SparkServer?

        func provideScope(for test: Test, testCase: Test.Case?, performing body: @Sendable () async throws -> Void) async throws {
            guard SparkServer.home != nil else { return try await body() }
            let server = try SparkServer()
            try await server.start()
            defer { server.kill() }
            try await SparkTrait.$server.withValue(server) { try await body() }
        }

        /// A session on the suite's server.
        static func session(port: Int? = nil) throws -> SparkSession {
            let server = try #require(SparkTrait.server)
            var options = SparkSession.Options()
            // A server that ends on its own is to be told within seconds.
            options.retries = SparkRetries(attempts: 8, longest: .seconds(2))
            return try SparkSession(SparkURL("sc://127.0.0.1:\(port ?? server.port)"), options: options)
        }
    }

    extension Trait where Self == SparkTrait {
        static var sparkServer: Self { Self() }
    }

    /// Against a real Spark Connect server.
    @Suite(.sparkServer, .serialized, .enabled(if: SparkServer.home != nil, "make test-spark installs Spark"))
    struct SparkConnectTests {}
#endif
