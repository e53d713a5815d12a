/// What an ERROR message says.
package struct ServerError: Sendable, Equatable, CustomStringConvertible {
    package enum Code: Int32, Sendable, CaseIterable {
        case serverError = 0x0000
        case protocolError = 0x000A
        case badCredentials = 0x0100
        case unavailable = 0x1000
        case overloaded = 0x1001
        case bootstrapping = 0x1002
        case truncateError = 0x1003
        case writeTimeout = 0x1100
        case readTimeout = 0x1200
        case readFailure = 0x1300
        case functionFailure = 0x1400
        case writeFailure = 0x1500
        case cdcWriteFailure = 0x1600
        case casWriteUnknown = 0x1700
        case syntaxError = 0x2000
        case unauthorized = 0x2100
        case invalid = 0x2200
        case configError = 0x2300
        case alreadyExists = 0x2400
        case unprepared = 0x2500
    }

    /// How far a request came before it failed.
    package struct Progress: Sendable, Equatable {
        package var consistency: Consistency
        package var received: Int
        package var required: Int
    }

    package enum Detail: Sendable, Equatable {
        case none
        case unavailable(Consistency, required: Int, alive: Int)
        /// `writeType`: SIMPLE, BATCH, UNLOGGED_BATCH, COUNTER, BATCH_LOG, CAS, VIEW, CDC. `contentions` in v5 for CAS.
        case writeTimeout(Progress, writeType: String, contentions: Int?)
        case readTimeout(Progress, hasData: Bool)
        /// `reasons` by node in v5; v4 tells only how many.
        case readFailure(Progress, failures: Int, reasons: [FailureReason], hasData: Bool)
        case writeFailure(Progress, failures: Int, reasons: [FailureReason], writeType: String)
        case functionFailure(keyspace: String, function: String, arguments: [String])
        case casWriteUnknown(Progress)
        case alreadyExists(keyspace: String, table: String)
        case unprepared(id: [UInt8])
    }

    package struct FailureReason: Sendable, Equatable {
        package var node: IPAddress
        package var code: UInt16
    }

    /// Nil for a code that is not known here.
    package var code: Code?
    package var number: Int32
    package var message: String
    package var detail: Detail

    static func read(_ reader: inout WireReader, _ version: ProtocolVersion) throws(MalformedMessage) -> ServerError {
        let number = try reader.int()
        let message = try reader.string()
        let code = Code(rawValue: number)
        let detail = try code.map { code throws(MalformedMessage) in try readDetail(code, &reader, version) } ?? .none
        return ServerError(code: code, number: number, message: message, detail: detail)
    }

    private static func readDetail(
        _ code: Code, _ reader: inout WireReader, _ version: ProtocolVersion
    ) throws(MalformedMessage) -> Detail {
        switch code {
        case .unavailable: return .unavailable(try reader.consistency(), required: Int(try reader.int()), alive: Int(try reader.int()))
        case .writeTimeout:
            let progress = try readProgress(&reader)
            let type = try reader.string()
            let contentions = version >= .v5 && type == "CAS" && reader.remaining >= 2 ? Int(try reader.short()) : nil
            return .writeTimeout(progress, writeType: type, contentions: contentions)
        case .readTimeout: return .readTimeout(try readProgress(&reader), hasData: try reader.byte() != 0)
        case .readFailure:
            let progress = try readProgress(&reader)
            let (failures, reasons) = try readReasons(&reader, version)
            return .readFailure(progress, failures: failures, reasons: reasons, hasData: try reader.byte() != 0)
        case .writeFailure:
            let progress = try readProgress(&reader)
            let (failures, reasons) = try readReasons(&reader, version)
            return .writeFailure(progress, failures: failures, reasons: reasons, writeType: try reader.string())
        case .functionFailure:
            return .functionFailure(keyspace: try reader.string(), function: try reader.string(), arguments: try reader.stringList())
        case .casWriteUnknown: return .casWriteUnknown(try readProgress(&reader))
        case .alreadyExists: return .alreadyExists(keyspace: try reader.string(), table: try reader.string())
        case .unprepared: return .unprepared(id: try reader.shortBytes())
        default: return .none
        }
    }

    private static func readProgress(_ reader: inout WireReader) throws(MalformedMessage) -> Progress {
        Progress(consistency: try reader.consistency(), received: Int(try reader.int()), required: Int(try reader.int()))
    }

    private static func readReasons(
        _ reader: inout WireReader, _ version: ProtocolVersion
    ) throws(MalformedMessage) -> (Int, [FailureReason]) {
        if version < .v5 { return (Int(try reader.int()), []) }
        var reasons: [FailureReason] = []
        for _ in 0..<(try reader.count(of: 7)) { reasons.append(FailureReason(node: try reader.inetAddress(), code: try reader.short())) }
        return (reasons.count, reasons)
    }

    package var description: String {
        let name = code.map { "\($0)" } ?? "error 0x" + hex(UInt64(UInt32(bitPattern: number)), 4)
        return message.isEmpty ? name : "\(name): \(message)"
    }
}
