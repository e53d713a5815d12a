#if Spark
    import Foundation
    import GRPCCore
    import GRPCNIOTransportHTTP2Posix
    import SparkProto
    import Synchronization

    /// A session on a Spark Connect server. All requests of one session share temporary views and settings.
    ///
    /// Unary requests have a deadline and are tried again where that is safe. Queries: `execute`.
    package final class SparkSession: Sendable {
        package struct Options: Sendable {
            package var retries = SparkRetries()
            /// Of the first request, so that a wrong address is told soon.
            package var connectRetries = SparkRetries(attempts: 6, longest: .seconds(3))
            /// Of one unary request.
            package var deadline: Duration = .seconds(60)
            /// Of one stream of responses; then they are asked for anew. The server's own limit is two minutes.
            package var streamDeadline: Duration = .seconds(180)
            /// Largest message taken, bytes: the bound of what is buffered.
            package var largestMessage = 64 << 20
            package var userAgent = "almanac"

            package init() {}
        }

        typealias Client = GRPCClient<HTTP2ClientTransport.Posix>

        package let url: SparkURL
        package let id: String
        let options: Options
        let client: Client
        private let connections: Task<Void, any Error>
        /// The server's own name of the session: another one means that the driver was started anew.
        private let serverSession = Mutex<String?>(nil)

        /// Does not wait for the server; the first request does.
        package init(_ url: SparkURL, options: Options = Options()) throws(SparkError) {
            self.url = url
            self.options = options
            id = url.sessionID ?? UUID().uuidString.lowercased()
            var config = HTTP2ClientTransport.Posix.Config.defaults
            config.backoff = .init(initial: .milliseconds(100), max: .seconds(5), multiplier: 1.6, jitter: 0.2)
            config.http2.targetWindowSize = 4 << 20
            do {
                let isAddress = url.host.contains(":") || url.host.allSatisfy { $0.isNumber || $0 == "." }
                let target: any ResolvableTarget =
                    isAddress
                    ? (url.host.contains(":")
                        ? .ipv6(address: url.host, port: url.port) as any ResolvableTarget : .ipv4(address: url.host, port: url.port))
                    : .dns(host: url.host, port: url.port)
                client = Client(
                    transport: try HTTP2ClientTransport.Posix(
                        target: target, transportSecurity: url.isTLS ? .tls : .plaintext, config: config))
            } catch {
                throw SparkError(.unavailable, "\(url.display): \(error)")
            }
            let client = client
            connections = Task { try await client.runConnections() }
        }

        /// Ends the session on the server, as far as it answers, and all connections.
        package func close() async {
            var request = Spark_Connect_ReleaseSessionRequest()
            request.sessionID = id
            request.userContext = userContext
            request.clientType = clientType
            let _: Spark_Connect_ReleaseSessionResponse? = try? await unaryOnce("ReleaseSession", request, deadline: .seconds(5))
            client.beginGracefulShutdown()
            // A stream that nobody reads to its end would keep its connection for ever.
            let limit = Task {
                try await Task.sleep(for: .seconds(2))
                connections.cancel()
            }
            _ = try? await connections.value
            limit.cancel()
        }

        deinit {
            client.beginGracefulShutdown()
            connections.cancel()
        }

        // MARK: Requests

        /// The server's version. The first request tells whether anybody is there.
        package func version() async throws(SparkError) -> String {
            var request = Spark_Connect_AnalyzePlanRequest()
            request.sessionID = id
            if let seen = seenServerSession { request.clientObservedServerSideSessionID = seen }
            request.userContext = userContext
            request.clientType = clientType
            request.sparkVersion = .init()
            let response: Spark_Connect_AnalyzePlanResponse = try await unary("AnalyzePlan", request, retries: options.connectRetries)
            see(response.serverSideSessionID)
            return response.sparkVersion.version
        }

        /// Sets configuration of the session.
        package func set(_ pairs: [String: String]) async throws(SparkError) {
            var request = Spark_Connect_ConfigRequest()
            request.sessionID = id
            if let seen = seenServerSession { request.clientObservedServerSideSessionID = seen }
            request.userContext = userContext
            request.clientType = clientType
            request.operation.set.pairs = pairs.sorted { $0.key < $1.key }.map { pair in
                var item = Spark_Connect_KeyValue()
                item.key = pair.key
                item.value = pair.value
                return item
            }
            let response: Spark_Connect_ConfigResponse = try await unary("Config", request, retries: options.retries)
            see(response.serverSideSessionID)
        }

        /// Interrupts one operation, or all of the session. Gives the operations that were running.
        @discardableResult
        package func interrupt(operation: String? = nil) async throws(SparkError) -> [String] {
            var request = Spark_Connect_InterruptRequest()
            request.sessionID = id
            request.userContext = userContext
            request.clientType = clientType
            request.interruptType = operation == nil ? .all : .operationID
            if let operation { request.operationID = operation }
            let response: Spark_Connect_InterruptResponse = try await unary(
                "Interrupt", request, retries: SparkRetries(attempts: 3, longest: .seconds(2)))
            return response.interruptedIds
        }

        // MARK: What requests share

        var userContext: Spark_Connect_UserContext {
            var context = Spark_Connect_UserContext()
            context.userID = url.userID ?? NSUserName()
            context.userName = context.userID
            return context
        }

        var clientType: String { url.userAgent.map { "\(options.userAgent) \($0)" } ?? options.userAgent }
        /// The session's name on the server, once it has answered; files that were sent lie under it.
        package var seenServerSession: String? { serverSession.withLock { $0 } }

        func see(_ session: String) {
            if !session.isEmpty { serverSession.withLock { $0 = $0 ?? session } }
        }

        var metadata: Metadata {
            var metadata = Metadata()
            if let token = url.token { metadata.addString("Bearer \(token)", forKey: "authorization") }
            for (name, value) in url.headers { metadata.addString(value, forKey: name.lowercased()) }
            return metadata
        }

        func callOptions(_ deadline: Duration) -> CallOptions {
            var call = CallOptions.defaults
            call.timeout = deadline
            call.waitForReady = false
            call.maxRequestMessageBytes = 128 << 20
            call.maxResponseMessageBytes = options.largestMessage
            return call
        }
    }
#endif
