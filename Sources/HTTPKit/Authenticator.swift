import Hummingbird

/// Decides who a caller is and what it may do. A value without state.
struct Authenticator: Sendable {
    let options: HTTPServerOptions

    /// The role that the request's credentials give; nil for none or wrong ones. Every configured secret is compared, whatever
    /// matched before.
    func role(of headers: HTTPFields) -> AccessRole? {
        guard options.requiresAuthentication else { return .write }
        guard let header = headers[.authorization] else { return nil }
        let parts = header.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
        guard parts.count == 2 else { return nil }
        let value = String(parts[1]).trimmingSpaces()
        switch parts[0].lowercased() {
        case "bearer": return role(token: Array(value.utf8))
        case "basic": return role(basic: value)
        default: return nil
        }
    }

    private func role(token: [UInt8]) -> AccessRole? {
        var found: AccessRole?
        for secret in options.readTokens where secret.equals(token) { found = max(found ?? .read, .read) }
        for secret in options.writeTokens where secret.equals(token) { found = .write }
        return found
    }

    private func role(basic: String) -> AccessRole? {
        guard let decoded = Base64.decode(basic), let colon = decoded.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        let name = Array(decoded[..<colon])
        let password = Array(decoded[(colon + 1)...])
        var found = role(token: password)
        for user in options.users {
            let sameName = Secret(user.name).equals(name)
            let samePassword = user.password.equals(password)
            if sameName && samePassword { found = max(found ?? .read, user.role) }
        }
        return found
    }

    /// 401; both schemes are offered, a browser takes the basic one.
    var challenge: Problem {
        var headers = HTTPFields()
        headers.append(.init(name: .wwwAuthenticate, value: "Basic realm=\"almanac\", charset=\"UTF-8\""))
        headers.append(.init(name: .wwwAuthenticate, value: "Bearer realm=\"almanac\""))
        return Problem(
            .unauthorized, detail: "this needs a bearer token, or a user name and password", headers: headers)
    }
}

extension String {
    func trimmingSpaces() -> String {
        var text = self[...]
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}

enum Base64 {
    /// RFC 4648 with the standard alphabet, padding optional; nil for anything else.
    static func decode(_ text: String) -> [UInt8]? {
        var out: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        var symbols = 0
        var padding = 0
        for byte in text.utf8 {
            if byte == UInt8(ascii: "=") {
                padding += 1
                continue
            }
            guard padding == 0, let six = value(byte) else { return nil }
            symbols += 1
            bits = bits << 6 | UInt32(six)
            count += 6
            if count >= 8 {
                count -= 8
                out.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        guard symbols % 4 != 1, padding <= 2 else { return nil }
        return out
    }

    private static func value(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x41...0x5A: byte - 0x41
        case 0x61...0x7A: byte - 0x61 + 26
        case 0x30...0x39: byte - 0x30 + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
