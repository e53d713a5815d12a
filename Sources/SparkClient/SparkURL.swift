/// Where a Spark Connect server is and who asks: `sc://host:port/;user_id=..;token=..;use_ssl=true`.
///
/// Source: Spark, connector/connect/docs/client-connection-string.md. Parameters that are not known there travel as headers of every
/// request, as that document says.
package struct SparkURL: Sendable, Equatable {
    package static let defaultPort = 15_002

    package var host: String
    package var port: Int
    package var userID: String?
    /// Bearer token. Never printed.
    package var token: String?
    package var isTLS: Bool
    package var userAgent: String?
    package var sessionID: String?
    /// Further headers, in order of name.
    package var headers: [(name: String, value: String)]

    /// Without token and headers, for messages.
    package var display: String { "sc://\(host.contains(":") ? "[\(host)]" : host):\(port)" }

    package init(_ text: String) throws(SparkURLError) {
        guard text.hasPrefix("sc://") else {
            throw SparkURLError("'\(text.prefix { $0 != ";" })' is no address of Spark Connect: give sc://host:port")
        }
        let rest = text.dropFirst(5)
        let authority = rest.prefix { $0 != "/" && $0 != ";" }
        (host, port) = try SparkURL.hostAndPort(authority)
        var tail = rest.dropFirst(authority.count)
        if tail.first == "/" { tail = tail.dropFirst() }
        guard tail.isEmpty || tail.first == ";" else {
            throw SparkURLError("an address of Spark Connect has no path: parameters follow '/;', as in sc://host:port/;user_id=me")
        }
        let parameters = try SparkURL.parameters(tail)
        userID = parameters["user_id"]
        token = parameters["token"]
        userAgent = parameters["user_agent"]
        sessionID = parameters["session_id"]
        switch parameters["use_ssl"]?.lowercased() {
        case nil: isTLS = token != nil
        case "true": isTLS = true
        case "false": isTLS = false
        default: throw SparkURLError("use_ssl is neither true nor false")
        }
        if token != nil, !isTLS, !SparkURL.isLoopback(host) {
            throw SparkURLError("with use_ssl=false the token would cross the network unencrypted: leave use_ssl out")
        }
        if let sessionID, !SparkURL.isUUID(sessionID) { throw SparkURLError("session_id is not a UUID") }
        let known: Set<String> = ["user_id", "token", "use_ssl", "user_agent", "session_id"]
        headers = parameters.filter { !known.contains($0.key) }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        for (name, value) in headers
        where !name.utf8.allSatisfy(SparkURL.isHeaderByte) || value.utf8.contains(where: { $0 < 0x20 || $0 > 0x7E }) {
            throw SparkURLError("parameter '\(name)' cannot be sent as a header: letters, digits, '-', '_', '.' and printable ASCII")
        }
    }

    package static func == (a: SparkURL, b: SparkURL) -> Bool {
        (a.host, a.port, a.userID, a.token, a.isTLS) == (b.host, b.port, b.userID, b.token, b.isTLS) && a.userAgent == b.userAgent
            && a.sessionID == b.sessionID && a.headers.elementsEqual(b.headers) { $0 == $1 }
    }

    private static func hostAndPort(_ authority: Substring) throws(SparkURLError) -> (String, Int) {
        var host = authority
        var port: Substring?
        if authority.first == "[" {
            guard let close = authority.firstIndex(of: "]") else { throw SparkURLError("the IPv6 address of '\(authority)' does not end") }
            host = authority[authority.index(after: authority.startIndex)..<close]
            let after = authority[authority.index(after: close)...]
            guard after.isEmpty || after.first == ":" else { throw SparkURLError("'\(authority)' is not host:port") }
            port = after.isEmpty ? nil : after.dropFirst()
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            port = authority[authority.index(after: colon)...]
        }
        guard !host.isEmpty, !host.contains(where: { $0 == "@" || $0.isWhitespace }) else {
            throw SparkURLError("'\(authority)' names no host: give sc://host:port")
        }
        guard let port else { return (String(host), defaultPort) }
        guard port.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let number = Int(port), (1...65_535).contains(number) else {
            throw SparkURLError("'\(port)' is no port: give 1 to 65535")
        }
        return (String(host), number)
    }

    private static func parameters(_ text: Substring) throws(SparkURLError) -> [String: String] {
        var parameters: [String: String] = [:]
        for item in text.split(separator: ";") {
            guard let equals = item.firstIndex(of: "="), equals > item.startIndex else {
                throw SparkURLError("a parameter is not of the form name=value")
            }
            let name = try unescaped(item[..<equals])
            guard parameters[name] == nil else { throw SparkURLError("parameter '\(name)' is there twice") }
            parameters[name] = try unescaped(item[item.index(after: equals)...])
        }
        return parameters
    }

    /// Undoes percent escapes.
    private static func unescaped(_ text: Substring) throws(SparkURLError) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            guard rest.count >= 2, let value = UInt8(digits, radix: 16), digits.first != "+", digits.first != "-" else {
                throw SparkURLError("a percent sign is not followed by two hexadecimal digits: write a percent sign as %25")
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw SparkURLError("a parameter is not UTF-8") }
        return text
    }

    private static func isLoopback(_ host: String) -> Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }

    private static func isHeaderByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
        default: false
        }
    }

    private static func isUUID(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return bytes.count == 36
            && bytes.enumerated().allSatisfy { i, byte in
                [8, 13, 18, 23].contains(i) ? byte == UInt8(ascii: "-") : Character(Unicode.Scalar(byte)).isHexDigit
            }
    }
}

/// A mistake in an address; says what to write. Never holds a token.
package struct SparkURLError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
