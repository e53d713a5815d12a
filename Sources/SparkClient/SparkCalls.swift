#if Spark
    import GRPCCore
    import GRPCNIOTransportHTTP2Posix
    import SparkProto
    import SwiftProtobuf

    /// Messages as bytes; the stubs that a generator would write for the few methods in use.
    struct MessageCoder<M: SwiftProtobuf.Message>: MessageSerializer, MessageDeserializer {
        func serialize<Bytes: GRPCContiguousBytes>(_ message: M) throws -> Bytes { Bytes(try message.serializedBytes() as [UInt8]) }

        func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> M {
            try bytes.withUnsafeBytes { try M(serializedBytes: Array($0)) }
        }
    }

    extension SparkSession {
        static func method(_ name: String) -> MethodDescriptor {
            MethodDescriptor(fullyQualifiedService: "spark.connect.SparkConnectService", method: name)
        }

        /// A request that may be sent again.
        func unary<Request: SwiftProtobuf.Message & Sendable, Response: SwiftProtobuf.Message & Sendable>(
            _ name: String, _ request: Request, retries: SparkRetries
        ) async throws(SparkError) -> Response {
            var failures = 0
            while true {
                do {
                    return try await unaryOnce(name, request, deadline: options.deadline)
                } catch {
                    failures += 1
                    guard isPassing(error), let pause = retries.pause(after: failures, random: .random(in: 0...1)),
                        (try? await Task.sleep(for: pause)) != nil
                    else { throw await explained(error) }
                }
            }
        }

        func unaryOnce<Request: SwiftProtobuf.Message & Sendable, Response: SwiftProtobuf.Message & Sendable>(
            _ name: String, _ request: Request, deadline: Duration
        ) async throws -> Response {
            try await client.unary(
                request: ClientRequest(message: request, metadata: metadata), descriptor: SparkSession.method(name),
                serializer: MessageCoder<Request>(), deserializer: MessageCoder<Response>(), options: callOptions(deadline)
            ) { response in try response.message }
        }

        /// Gives each response of a stream to `body`, one after the other; what is not taken is not sent for.
        func stream<Request: SwiftProtobuf.Message & Sendable>(
            _ name: String, _ request: Request,
            _ body: @escaping @Sendable (Spark_Connect_ExecutePlanResponse) async throws -> Void
        ) async throws {
            try await client.serverStreaming(
                request: ClientRequest(message: request, metadata: metadata), descriptor: SparkSession.method(name),
                serializer: MessageCoder<Request>(), deserializer: MessageCoder<Spark_Connect_ExecutePlanResponse>(),
                options: callOptions(options.streamDeadline)
            ) { response in
                for try await message in response.messages { try await body(message) }
            }
        }

        // MARK: Errors

        /// Whether another try may succeed: the server was not reached, or cut us off.
        func isPassing(_ error: any Error) -> Bool {
            guard let error = error as? RPCError else { return false }
            switch error.code {
            case .unavailable, .deadlineExceeded, .aborted: return true
            // A connection that breaks within a stream comes as one of these, without details.
            case .internalError, .unknown, .cancelled: return errorInfo(error) == nil && !Task.isCancelled
            default: return false
            }
        }

        /// Details that Spark put beside the status.
        func errorInfo(_ error: RPCError) -> Spark_Connect_ErrorInfo? {
            for bytes in error.metadata[binaryValues: "grpc-status-details-bin"] {
                guard let status = try? Spark_Connect_Status(serializedBytes: bytes) else { continue }
                for detail in status.details where detail.typeURL.hasSuffix("/google.rpc.ErrorInfo") {
                    if let info = try? Spark_Connect_ErrorInfo(serializedBytes: Array(detail.value)) { return info }
                }
            }
            return nil
        }

        /// The error in Spark's own words, with its class.
        func explained(_ error: any Error) async -> SparkError {
            if let error = error as? SparkError { return error }
            guard let rpc = error as? RPCError else {
                return SparkError(error is CancellationError ? .cancelled : .unavailable, "\(url.display): \(error)")
            }
            let info = errorInfo(rpc)
            let errorClass = info?.metadata["errorClass"]
            var message = rpc.message
            if let id = info?.metadata["errorId"], let full = await details(id) { message = full }
            switch rpc.code {
            case .unauthenticated:
                return SparkError(.permission, "\(url.display) does not let us in: \(message). Give ;token=... in the address.")
            case .permissionDenied: return SparkError(.permission, message, errorClass: errorClass)
            case .unavailable, .deadlineExceeded:
                let cause = rpc.cause.map { ": \($0)" } ?? ""
                return SparkError(
                    .unavailable, "\(url.display) does not answer (\(message)\(cause)). Is a Spark Connect server running there?")
            case .unimplemented:
                return SparkError(.protocolViolation, "\(url.display) is no Spark Connect server, or an older one: \(message)")
            case .resourceExhausted:
                return SparkError(
                    .protocolViolation,
                    "\(message): an answer is larger than \(options.largestMessage >> 20) MiB; lower spark.connect.grpc.arrow.maxBatchSize")
            default: break
            }
            if let errorClass {
                if errorClass.hasPrefix("OPERATION_CANCELED") { return SparkError(.cancelled, message, errorClass: errorClass) }
                if errorClass.hasPrefix("INVALID_HANDLE.SESSION") || errorClass == "SESSION_NOT_SAME" {
                    return SparkError(
                        .sessionLost, "the driver at \(url.display) was started anew or has dropped the session: \(message)",
                        errorClass: errorClass)
                }
                if errorClass.contains("PERMISSION") { return SparkError(.permission, message, errorClass: errorClass) }
            }
            return SparkError(info == nil && rpc.code != .internalError ? .protocolViolation : .query, message, errorClass: errorClass)
        }

        /// The whole message of an error and of its causes, which does not fit into the status.
        private func details(_ id: String) async -> String? {
            var request = Spark_Connect_FetchErrorDetailsRequest()
            request.sessionID = self.id
            request.userContext = userContext
            request.clientType = clientType
            request.errorID = id
            let response: Spark_Connect_FetchErrorDetailsResponse? = try? await unaryOnce(
                "FetchErrorDetails", request, deadline: .seconds(10))
            guard let response, response.hasRootErrorIdx else { return nil }
            var texts: [String] = []
            var next: Int? = Int(response.rootErrorIdx)
            while let index = next, response.errors.indices.contains(index), texts.count < 10 {
                let error = response.errors[index]
                if !error.message.isEmpty, !texts.contains(where: { $0.contains(error.message) }) { texts.append(error.message) }
                next = error.hasCauseIdx ? Int(error.causeIdx) : nil
            }
            return texts.isEmpty ? nil : texts.joined(separator: "; caused by: ")
        }

        /// What a failure means for an operation.
        func failure(_ error: any Error) -> Reattaching.Failure {
            guard let rpc = error as? RPCError else { return .final }
            switch errorInfo(rpc)?.metadata["errorClass"] {
            case "INVALID_HANDLE.OPERATION_NOT_FOUND": return .unknownOperation
            case "INVALID_CURSOR.DISCONNECTED": return .passing
            case let name? where name.hasPrefix("INVALID_HANDLE.SESSION"): return .sessionLost
            default: return isPassing(error) ? .passing : .final
            }
        }
    }
#endif
