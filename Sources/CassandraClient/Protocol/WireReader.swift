import NIOCore

/// Reads the protocol's primitive types. Every read is checked; numbers of elements are believed only as far as the bytes can hold them.
struct WireReader {
    private(set) var buffer: ByteBuffer

    init(_ buffer: ByteBuffer) { self.buffer = buffer }

    var remaining: Int { buffer.readableBytes }

    @inline(__always)
    private mutating func integer<T: FixedWidthInteger>(_ type: T.Type) throws(MalformedMessage) -> T {
        guard let value = buffer.readInteger(as: type) else { throw .truncated }
        return value
    }

    mutating func byte() throws(MalformedMessage) -> UInt8 { try integer(UInt8.self) }
    mutating func short() throws(MalformedMessage) -> UInt16 { try integer(UInt16.self) }
    mutating func int() throws(MalformedMessage) -> Int32 { try integer(Int32.self) }
    mutating func long() throws(MalformedMessage) -> Int64 { try integer(Int64.self) }

    mutating func slice(_ length: Int) throws(MalformedMessage) -> ByteBuffer {
        guard length >= 0, let slice = buffer.readSlice(length: length) else { throw .truncated }
        return slice
    }

    mutating func raw(_ length: Int) throws(MalformedMessage) -> [UInt8] {
        guard length >= 0, let bytes = buffer.readBytes(length: length) else { throw .truncated }
        return bytes
    }

    private mutating func text(_ length: Int) throws(MalformedMessage) -> String {
        guard length >= 0, let text = buffer.readString(length: length) else { throw .truncated }
        return text
    }

    mutating func string() throws(MalformedMessage) -> String { try text(Int(try short())) }
    mutating func longString() throws(MalformedMessage) -> String { try text(Int(try int())) }
    mutating func shortBytes() throws(MalformedMessage) -> [UInt8] { try raw(Int(try short())) }

    /// Null for a negative length.
    mutating func bytes() throws(MalformedMessage) -> ByteBuffer? {
        let length = try int()
        return length < 0 ? nil : try slice(Int(length))
    }

    /// A number of things that take at least `size` bytes each.
    mutating func count(of size: Int) throws(MalformedMessage) -> Int { try checked(Int(try int()), of: size) }

    private func checked(_ count: Int, of size: Int) throws(MalformedMessage) -> Int {
        guard count >= 0, count <= remaining / max(1, size) else { throw MalformedMessage("\(count) elements in \(remaining) bytes") }
        return count
    }

    mutating func stringList() throws(MalformedMessage) -> [String] {
        let count = try checked(Int(try short()), of: 2)
        var list: [String] = []
        list.reserveCapacity(count)
        for _ in 0..<count { list.append(try string()) }
        return list
    }

    mutating func stringMultimap() throws(MalformedMessage) -> [String: [String]] {
        var map: [String: [String]] = [:]
        for _ in 0..<(try checked(Int(try short()), of: 4)) {
            let key = try string()
            map[key] = try stringList()
        }
        return map
    }

    mutating func skipBytesMap() throws(MalformedMessage) {
        for _ in 0..<(try checked(Int(try short()), of: 6)) {
            _ = try slice(Int(try short()))
            _ = try bytes()
        }
    }

    mutating func uuid() throws(MalformedMessage) -> CQLUUID { CQLUUID(high: try integer(UInt64.self), low: try integer(UInt64.self)) }

    mutating func consistency() throws(MalformedMessage) -> Consistency {
        let code = try short()
        guard let level = Consistency(rawValue: code) else { throw MalformedMessage("the consistency level \(code) does not exist") }
        return level
    }

    mutating func inetAddress() throws(MalformedMessage) -> IPAddress {
        let size = Int(try byte())
        guard let address = IPAddress(try raw(size)) else { throw MalformedMessage("an address of \(size) bytes") }
        return address
    }

    mutating func inet() throws(MalformedMessage) -> NodeAddress {
        let address = try inetAddress()
        let port = try int()
        guard (0...65_535).contains(port) else { throw MalformedMessage("the port \(port) does not exist") }
        return NodeAddress(host: address.description, port: Int(port))
    }
}

/// How many replicas must have answered.
package enum Consistency: UInt16, Sendable, CaseIterable {
    case any = 0
    case one = 1
    case two = 2
    case three = 3
    case quorum = 4
    case all = 5
    case localQuorum = 6
    case eachQuorum = 7
    case serial = 8
    case localSerial = 9
    case localOne = 10

    /// As CQL's users write it: `LOCAL_QUORUM`.
    package var name: String {
        switch self {
        case .any: "ANY"
        case .one: "ONE"
        case .two: "TWO"
        case .three: "THREE"
        case .quorum: "QUORUM"
        case .all: "ALL"
        case .localQuorum: "LOCAL_QUORUM"
        case .eachQuorum: "EACH_QUORUM"
        case .serial: "SERIAL"
        case .localSerial: "LOCAL_SERIAL"
        case .localOne: "LOCAL_ONE"
        }
    }

    /// Nil for a name that is none, in any case of letters.
    package init?(name: String) {
        guard let level = Consistency.allCases.first(where: { $0.name == name.uppercased() }) else { return nil }
        self = level
    }
}

/// Where a node listens.
package struct NodeAddress: Sendable, Hashable, CustomStringConvertible {
    package var host: String
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// `host`, `host:port`, `[::1]:port`; nil for anything else.
    package init?(_ text: String, defaultPort: Int = 9042) {
        var host = Substring(text)
        var port = defaultPort
        if host.hasPrefix("[") {
            guard let end = host.firstIndex(of: "]") else { return nil }
            let rest = host[host.index(after: end)...]
            host = host[host.index(after: host.startIndex)..<end]
            if !rest.isEmpty {
                guard rest.hasPrefix(":"), let number = Int(rest.dropFirst()) else { return nil }
                port = number
            }
        } else if let colon = host.lastIndex(of: ":"), host.firstIndex(of: ":") == colon {
            guard let number = Int(host[host.index(after: colon)...]) else { return nil }
            port = number
            host = host[..<colon]
        }
        guard !host.isEmpty, (1...65_535).contains(port), !host.contains(where: { $0 == " " || $0 == "," || $0 == "/" }) else { return nil }
        self.init(host: String(host), port: port)
    }
}
