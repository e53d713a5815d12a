/// What a caller may do.
package enum AccessRole: String, Sendable, Comparable {
    case read
    case write

    package static func < (a: AccessRole, b: AccessRole) -> Bool { a == .read && b == .write }
}

/// A token or password. It never shows in a description, so that it cannot reach a log by accident.
package struct Secret: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    let bytes: [UInt8]

    package init(_ text: String) { bytes = Array(text.utf8) }

    package var isEmpty: Bool { bytes.isEmpty }
    package var description: String { "(secret)" }
    package var debugDescription: String { "(secret)" }
    package var customMirror: Mirror { Mirror(self, children: [(label: String?, value: Any)]()) }

    /// Compares in a time that depends on the length of `other` alone. O(other).
    func equals(_ other: [UInt8]) -> Bool {
        var difference = bytes.count ^ other.count
        for (i, byte) in other.enumerated() {
            difference |= Int(byte ^ (bytes.isEmpty ? 0xFF : bytes[i % bytes.count]))
        }
        return difference == 0
    }
}

/// A user of basic authentication.
package struct BasicUser: Sendable {
    package var name: String
    package var password: Secret
    package var role: AccessRole

    package init(name: String, password: Secret, role: AccessRole) {
        self.name = name
        self.password = password
        self.role = role
    }
}

/// Certificate chain and private key, both PEM files.
package struct TLSFiles: Sendable {
    package var certificatePath: String
    package var keyPath: String

    package init(certificatePath: String, keyPath: String) {
        self.certificatePath = certificatePath
        self.keyPath = keyPath
    }
}

/// How one HTTP face listens and whom it lets in.
package struct HTTPServerOptions: Sendable {
    package var host: String
    /// 0 lets the system choose; `onRunning` then tells which.
    package var port: Int
    package var tls: TLSFiles?
    /// Bearer tokens. A token is also taken as the password of any basic user, so that a browser can use it.
    package var readTokens: [Secret] = []
    package var writeTokens: [Secret] = []
    package var users: [BasicUser] = []
    /// Names besides localhost and loopback addresses that the Host header may carry while nobody has to authenticate.
    package var allowedHosts: [String] = []
    package var maxBodyBytes = 1 << 20
    /// Connections beyond this wait to be accepted.
    package var maxConnections = 1024
    /// An idle connection is closed after this many seconds.
    package var idleTimeoutSeconds: Int64 = 120
    package var deadlines = RequestDeadlines()

    package init(host: String = "127.0.0.1", port: Int = 5002) {
        self.host = host
        self.port = port
    }

    package var requiresAuthentication: Bool { !(readTokens.isEmpty && writeTokens.isEmpty && users.isEmpty) }
    package var isLoopback: Bool { Loopback.isLoopback(host: host) }
    /// host:port as one writes it in a URL.
    package var address: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Refuses what must not be served. Throws `HTTPServerError` that names the setting and what to do.
    package func validate() throws(HTTPServerError) {
        guard (0...65_535).contains(port) else {
            throw HTTPServerError("port \(port) is not between 0 and 65535")
        }
        guard !host.isEmpty else {
            throw HTTPServerError("the listen address has no host; write 127.0.0.1:\(port), or 0.0.0.0:\(port) for all")
        }
        let secrets = readTokens + writeTokens + users.map(\.password)
        if secrets.contains(where: \.isEmpty) {
            throw HTTPServerError("an empty token or password is configured for \(address); give it a value or remove it")
        }
        if let user = users.first(where: { $0.name.isEmpty || $0.name.contains(":") }) {
            throw HTTPServerError("the user name '\(user.name)' is empty or has a colon, which basic authentication cannot carry")
        }
        if !isLoopback && !requiresAuthentication {
            throw HTTPServerError(
                "refusing to listen on \(address), which other machines can reach, without a token or password: "
                    + "configure one, or listen on 127.0.0.1:\(port)")
        }
    }
}

/// Why a server cannot start, and what to do about it.
package struct HTTPServerError: Error, Sendable, CustomStringConvertible {
    package var message: String
    package var description: String { message }

    package init(_ message: String) { self.message = message }
}

enum Loopback {
    /// 127.0.0.0/8, ::1 (also mapped and in brackets) and localhost.
    static func isLoopback(host: String) -> Bool {
        var name = host.lowercased()
        if name.hasPrefix("["), name.hasSuffix("]") { name = String(name.dropFirst().dropLast()) }
        if name == "localhost" || name == "::1" || name == "0:0:0:0:0:0:0:1" { return true }
        if name.hasPrefix("::ffff:") { name = String(name.dropFirst(7)) }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127"
            && parts.allSatisfy { $0.utf8.allSatisfy { (0x30...0x39).contains($0) } && UInt8($0) != nil }
    }

    /// The host part of `host`, `host:port`, `[v6]` or `[v6]:port`; nil if it is none of these.
    static func hostPart(of authority: String) -> String? {
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            let rest = authority[authority.index(after: end)...]
            guard rest.isEmpty || isPort(rest) else { return nil }
            return String(authority[...end])
        }
        guard let colon = authority.firstIndex(of: ":") else { return authority }
        guard isPort(authority[colon...]) else { return nil }
        return String(authority[..<colon])
    }

    private static func isPort(_ text: Substring) -> Bool {
        text.first == ":" && text.dropFirst().utf8.allSatisfy { (0x30...0x39).contains($0) } && text.utf8.count <= 6
    }
}
