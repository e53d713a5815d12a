import Hummingbird
import Records

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
        // Some clients leave the padding out.
        let padded = Array(basic.utf8) + repeatElement(UInt8(ascii: "="), count: (4 - basic.utf8.count % 4) % 4)
        guard let decoded = Base64.decode(padded[...]), let colon = decoded.firstIndex(of: UInt8(ascii: ":")) else { return nil }
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
