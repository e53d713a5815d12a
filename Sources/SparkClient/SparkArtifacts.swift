#if Spark
    import Foundation
    import GRPCCore
    import SparkProto

    extension SparkSession {
        /// Bytes of a file in one message.
        private static let chunk = 1 << 20

        /// Sends a file to the server, which gives it to every executor: a command that `TRANSFORM` starts finds it as `./<seenServerSession>/<name>`,
        /// and may run it. Memory: one chunk.
        package func addFile(_ path: String, name: String) async throws(SparkError) {
            guard let file = FileHandle(forReadingAtPath: path), let size = try? file.seekToEnd(), size > 0 else {
                throw SparkError(.query, "\(path) cannot be read or is empty")
            }
            defer { try? file.close() }
            do {
                try file.seek(toOffset: 0)
                let count = Int64((size + UInt64(SparkSession.chunk) - 1) / UInt64(SparkSession.chunk))
                let request = StreamingClientRequest<Spark_Connect_AddArtifactsRequest>(metadata: metadata) { writer in
                    for index in 0..<count {
                        var chunk = Spark_Connect_AddArtifactsRequest.ArtifactChunk()
                        chunk.data = try file.read(upToCount: SparkSession.chunk) ?? Data()
                        chunk.crc = Int64(CRC32.of(chunk.data))
                        var message = Spark_Connect_AddArtifactsRequest()
                        message.sessionID = self.id
                        message.userContext = self.userContext
                        message.clientType = self.clientType
                        if index == 0 {
                            message.beginChunk.name = "files/\(name)"
                            message.beginChunk.totalBytes = Int64(size)
                            message.beginChunk.numChunks = count
                            message.beginChunk.initialChunk = chunk
                        } else {
                            message.chunk = chunk
                        }
                        try await writer.write(message)
                    }
                }
                let response = try await client.clientStreaming(
                    request: request, descriptor: SparkSession.method("AddArtifacts"),
                    serializer: MessageCoder<Spark_Connect_AddArtifactsRequest>(),
                    deserializer: MessageCoder<Spark_Connect_AddArtifactsResponse>(), options: callOptions(.seconds(600))
                ) { try $0.message }
                guard response.artifacts.allSatisfy(\.isCrcSuccessful) else {
                    throw SparkError(.protocolViolation, "\(path) did not arrive whole at the Spark server")
                }
            } catch {
                throw await explained(error)
            }
        }
    }

    /// The checksum of zlib (polynomial 0xEDB88320).
    enum CRC32 {
        private static let table: [UInt32] = (0..<256).map { byte in
            (0..<8).reduce(UInt32(byte)) { crc, _ in crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
        }

        static func of(_ bytes: some Sequence<UInt8>) -> UInt32 {
            ~bytes.reduce(~UInt32(0)) { crc, byte in table[Int((crc ^ UInt32(byte)) & 0xFF)] ^ crc >> 8 }
        }
    }
#endif
