import Glibc
import NIOCore
import NIOPosix

/// Failures of connections in words, and what they are about.
enum FailureReason {
    /// What a person can do something about: of several addresses of a name the last one's failure.
    static func text(_ error: any Error) -> String {
        if let failure = error as? NIOConnectionError {
            if let last = failure.connectionErrors.last { return text(last.error) }
            return "the name \(failure.host) has no address"
        }
        guard let failure = error as? IOError, let reason = strerror(failure.errnoCode) else { return "\(error)" }
        let words = String(cString: reason)
        return words.prefix(1).lowercased() + words.dropFirst()
    }

    /// The host of a URL as it stands there, without its port.
    static func host(of url: String) -> String {
        var rest = url[...]
        if let scheme = rest.firstRange(of: "://") { rest = rest[scheme.upperBound...] }
        rest = rest.prefix { !"/?#".contains($0) }
        if let at = rest.lastIndex(of: "@") { rest = rest[rest.index(after: at)...] }
        if rest.hasPrefix("[") { return String(rest.dropFirst().prefix { $0 != "]" }) }
        return String(rest.prefix { $0 != ":" })
    }
}
