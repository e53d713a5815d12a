import NIOCore

/// The versions of the native protocol that are spoken here.
package enum ProtocolVersion: UInt8, Sendable, CaseIterable, Comparable {
    case v4 = 4
    case v5 = 5

    package static func < (a: ProtocolVersion, b: ProtocolVersion) -> Bool { a.rawValue < b.rawValue }
    /// The version to try when a server refuses this one.
    package var lower: ProtocolVersion? { self == .v5 ? .v4 : nil }
}

/// What a message is.
package enum Opcode: UInt8, Sendable {
    case error = 0x00
    case startup = 0x01
    case ready = 0x02
    case authenticate = 0x03
    case options = 0x05
    case supported = 0x06
    case query = 0x07
    case result = 0x08
    case prepare = 0x09
    case execute = 0x0A
    case register = 0x0B
    case event = 0x0C
    case batch = 0x0D
    case authChallenge = 0x0E
    case authResponse = 0x0F
    case authSuccess = 0x10

    var isResponse: Bool {
        switch self {
        case .error, .ready, .authenticate, .supported, .result, .event, .authChallenge, .authSuccess: true
        default: false
        }
    }
}

/// Flags of a frame.
struct FrameFlags: OptionSet, Sendable {
    let rawValue: UInt8
    static let compressed = FrameFlags(rawValue: 0x01)
    static let tracing = FrameFlags(rawValue: 0x02)
    static let customPayload = FrameFlags(rawValue: 0x04)
    static let warning = FrameFlags(rawValue: 0x08)
    static let beta = FrameFlags(rawValue: 0x10)
}

/// The nine bytes before each message.
///
///      0         1         2                   4         5                                       9
///     +---------+---------+---------+---------+---------+---------+---------+---------+---------+
///     | version |  flags  |      stream       | opcode  |            length of the body         |
///     +---------+---------+---------+---------+---------+---------+---------+---------+---------+
///
/// The highest bit of the version is set in responses. Streams below zero are the server's own: events.
struct FrameHeader: Sendable, Equatable {
    static let size = 9
    /// What the protocol allows.
    static let maximumBody = 256 << 20

    var version: UInt8
    var flags: FrameFlags
    var stream: Int16
    var opcode: Opcode
    var length: Int

    /// Throws `MalformedMessage` for a header that no server sends; nil while bytes are missing.
    static func read(_ bytes: inout ByteBuffer, limit: Int) throws(MalformedMessage) -> FrameHeader? {
        guard bytes.readableBytes >= size, let fields = bytes.readMultipleIntegers(as: (UInt8, UInt8, Int16, UInt8, UInt32).self) else {
            return nil
        }
        let (version, flags, stream, code, length) = fields
        guard version & 0x80 != 0 else { throw MalformedMessage("a request came where a response belongs") }
        guard let opcode = Opcode(rawValue: code), opcode.isResponse else {
            throw MalformedMessage("the opcode \(code) is none of a response")
        }
        guard length <= UInt32(limit) else { throw MalformedMessage("a frame of \(length) bytes, the limit is \(limit)", isTooLarge: true) }
        return FrameHeader(
            version: version & 0x7F, flags: FrameFlags(rawValue: flags), stream: stream, opcode: opcode, length: Int(length))
    }
}

/// What came is not what the protocol says.
struct MalformedMessage: Error, Sendable, Equatable, CustomStringConvertible {
    var reason: String
    var isTooLarge = false

    init(_ reason: String, isTooLarge: Bool = false) {
        self.reason = reason
        self.isTooLarge = isTooLarge
    }

    static let truncated = MalformedMessage("the message ends too early")
    var description: String { reason }
}

/// A response as it came: the body is a part of the bytes received, without copying.
package struct Response: Sendable {
    package var opcode: Opcode
    package var version: ProtocolVersion
    package var body: ByteBuffer
    package var warnings: [String] = []

    /// Takes what the flags put before the message from the front of the body.
    init(_ header: FrameHeader, version: ProtocolVersion, body: ByteBuffer) throws(MalformedMessage) {
        opcode = header.opcode
        self.version = version
        self.body = body
        if header.flags.isDisjoint(with: [.compressed, .tracing, .warning, .customPayload]) { return }
        if header.flags.contains(.compressed) { throw MalformedMessage("a compressed message, but no compression was agreed on") }
        var reader = WireReader(body)
        if header.flags.contains(.tracing) { _ = try reader.uuid() }
        if header.flags.contains(.warning) { warnings = try reader.stringList() }
        if header.flags.contains(.customPayload) { try reader.skipBytesMap() }
        self.body = reader.buffer
    }
}
