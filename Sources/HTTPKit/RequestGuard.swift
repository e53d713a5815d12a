import Hummingbird

/// Checks of a request that come before its route: where it claims to go and where it comes from.
struct RequestGuard: Sendable {
    let options: HTTPServerOptions

    /// While nobody has to authenticate, a page from elsewhere could reach a loopback server under a name that it makes resolve to
    /// 127.0.0.1 (DNS rebinding). Its requests carry that name.
    func checkHost(_ request: Request) throws(Problem) {
        guard !options.requiresAuthentication, let authority = request.head.authority else { return }
        guard let host = Loopback.hostPart(of: authority) else {
            throw Problem(.badRequest, detail: "the Host header '\(authority)' is not a host with an optional port")
        }
        let name = host.lowercased()
        if Loopback.isLoopback(host: name) || options.allowedHosts.contains(where: { $0.lowercased() == name }) { return }
        throw Problem(
            .forbidden,
            detail:
                "the Host header names '\(host)'; without authentication only localhost, loopback addresses "
                + "and configured names are answered"
        )
    }

    /// A browser sends its user's credentials along with requests that foreign pages make; those may not change anything.
    func checkOrigin(_ request: Request) throws(Problem) {
        if RequestGuard.isSafe(request.method) { return }
        if let site = request.headers[.secFetchSite], site != "same-origin", site != "none" {
            throw Problem(.forbidden, detail: "a page of another origin may not send \(request.method.rawValue)")
        }
        guard let origin = request.headers[.origin], origin != "null" else {
            if request.headers[.origin] == nil { return }
            throw Problem(.forbidden, detail: "a page without an origin may not send \(request.method.rawValue)")
        }
        let host = origin.split(separator: "/", omittingEmptySubsequences: true).last.map(String.init)
        if host?.lowercased() != request.head.authority?.lowercased() {
            throw Problem(.forbidden, detail: "a page of \(origin) may not send \(request.method.rawValue)")
        }
    }

    static func isSafe(_ method: HTTPRequest.Method) -> Bool { method == .get || method == .head || method == .options || method == .trace }
}
