/// Where a server listens: host (name, IPv4 or IPv6 address) and port (0 lets the system choose).
package struct ListenAddress: Sendable, Equatable, CustomStringConvertible {
    package var host: String
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads `127.0.0.1:5002`, `[::1]:5002`, `name:5002`, or `:5002` for all interfaces; nil for anything else.
    package init?(_ text: String) {
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        let digits = text[text.index(after: colon)...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = Int(digits), port <= 65_535 else {
            return nil
        }
        var host = String(text[..<colon])
        if host.hasPrefix("[") {
            guard host.hasSuffix("]"), host.utf8.count > 3 else { return nil }
            host = String(host.dropFirst().dropLast())
            guard host.utf8.allSatisfy({ ListenAddress.isHostByte($0) || $0 == UInt8(ascii: ":") }) else { return nil }
        } else {
            guard host.utf8.allSatisfy(ListenAddress.isHostByte) else { return nil }
        }
        self.init(host: host.isEmpty ? "0.0.0.0" : host, port: port)
    }

    private static func isHostByte(_ c: UInt8) -> Bool {
        (0x30...0x39).contains(c) || (0x41...0x5A).contains(c) || (0x61...0x7A).contains(c) || c == 0x2D || c == 0x2E || c == 0x5F
    }

    /// Whether only this machine can reach it.
    package var isLoopback: Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
