import Hummingbird
import HummingbirdTesting
import Records
import Telemetry
import Testing

@testable import HTTPKit

@Suite("A face: routes and problems")
struct FaceTests {
    @Test func routesWithParametersAndQuery() async throws {
        try await withFace { client in
            let response = try await client.execute(uri: "/things/a%2Fb%20c?size=7", method: .get)
            #expect(response.status == .ok)
            #expect(response.json == .object([(key: "name", value: "a/b c"), (key: "size", value: 7)]))
            #expect(response.headers[.xContentTypeOptions] == "nosniff")
            #expect(response.headers[.contentSecurityPolicy]?.contains("default-src 'none'") == true)
            #expect(response.headers[.accessControlAllowOrigin] == nil)
        }
    }

    @Test(arguments: [
        ("/nothing", 404, "nothing at this path"), ("/things/a?size=11", 400, "'size'"), ("/things/a?size=x", 400, "'size'"),
        ("/things/a?size=1&size=2", 400, "'size'"), ("/things/a?colour=red", 400, "'colour'"), ("/things/%zz", 400, "percent"),
        ("/things/a?size=%", 400, "'size'"), ("/broken", 500, "log"),
    ])
    func problems(uri: String, code: Int, detail: String) async throws {
        try await withFace { client in
            let response = try await client.execute(uri: uri, method: .get)
            #expect(response.status.code == code)
            #expect(response.headers[.contentType] == "application/problem+json")
            let json = try #require(response.json)
            #expect(json["status"]?.intValue == code)
            #expect(json["type"]?.stringValue == "about:blank")
            #expect(json["title"]?.stringValue?.isEmpty == false)
            #expect(json["detail"]?.stringValue?.contains(detail) == true, "\(response.text)")
            #expect(json["instance"]?.stringValue == String(uri.prefix { $0 != "?" }))
            #expect(!response.text.contains("hunter2"))
            #expect(!response.text.contains("InternalDetail"))
        }
    }

    /// A hint leads to paths that are there.
    @Test func unknownPathsNameWhatThereIs() async throws {
        try await withFace { client in
            let detail = try await client.execute(uri: "/nothing", method: .get).json?["detail"]?.stringValue ?? ""
            #expect(detail.contains("/metrics and /-/ready") && !detail.contains("openapi"), "\(detail)")
        }
        let pages = ["/", "/openapi.json"].map { path in HTTPRoute.get(path) { _ in .text("") } }
        let server = try HTTPServer(
            options: HTTPServerOptions(), routes: pages, registry: MetricRegistry(), readiness: Readiness(), logger: quietLogger())
        try await server.application().test(.router) { client in
            let detail = try await client.execute(uri: "/nothing", method: .get).json?["detail"]?.stringValue ?? ""
            #expect(detail.hasSuffix("/openapi.json or / tells what there is"), "\(detail)")
        }
    }

    @Test func wrongMethodNamesTheRightOnes() async throws {
        try await withFace { client in
            let response = try await client.execute(uri: "/things/a", method: .delete)
            #expect(response.status == .methodNotAllowed)
            #expect(response.headers[.allow] == "GET, HEAD")
            #expect(response.json?["status"]?.intValue == 405)
            let post = try await client.execute(uri: "/things", method: .get)
            #expect(post.headers[.allow] == "POST")
        }
    }

    @Test func headHasTheHeadersOfGet() async throws {
        try await withFace { client in
            let get = try await client.execute(uri: "/things/a", method: .get)
            let head = try await client.execute(uri: "/things/a", method: .head)
            #expect(head.status == .ok)
            #expect(head.headers[.contentLength] == get.headers[.contentLength])
            #expect(head.headers[.contentType] == get.headers[.contentType])
            #expect(head.body.readableBytes == 0)
        }
    }

    @Test func bodyLimit() async throws {
        var options = HTTPServerOptions()
        options.maxBodyBytes = 100
        try await withFace(options) { client in
            let fits = try await client.execute(uri: "/things", method: .post, body: ByteBuffer(repeating: 65, count: 100))
            #expect(fits.text == "100")
            let tooMuch = try await client.execute(uri: "/things", method: .post, body: ByteBuffer(repeating: 65, count: 101))
            #expect(tooMuch.status == .contentTooLarge)
            #expect(tooMuch.json?["status"]?.intValue == 413)
        }
    }

    @Test func bodyThatDoesNotSayItsLength() async throws {
        let options = HTTPServerOptions()
        let face = HTTPFace(options: options, routes: sampleRoutes, registry: MetricRegistry())
        _ = face
        let chunks = AsyncStream<ByteBuffer> { continuation in
            for _ in 0..<40 { continuation.yield(ByteBuffer(repeating: 65, count: 65_536)) }
            continuation.finish()
        }
        let request = RoutedRequest(
            request: Request(head: .init(method: .post, scheme: nil, authority: nil, path: "/"), body: RequestBody(asyncSequence: chunks)),
            parameters: [:], query: try QueryParameters(nil), role: .write, maxBodyBytes: options.maxBodyBytes, logger: quietLogger(),
            closeConnection: {})
        let problem = await #expect(throws: Problem.self) { try await request.body() }
        #expect(problem?.status == .contentTooLarge)
    }

    @Test func metricsCountByTemplate() async throws {
        let registry = MetricRegistry()
        try await withFace(registry: registry) { client in
            for name in ["a", "b", "c"] { try await client.execute(uri: "/things/\(name)", method: .get) }
            try await client.execute(uri: "/random/scanner", method: .get)
            try await client.execute(uri: "/things/a", method: .delete)
            let page = try await client.execute(uri: "/metrics", method: .get)
            #expect(page.headers[.contentType] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(page.text.contains(#"almanac_http_requests_total{path="/things/{name}",method="GET",code="200"} 3"#))
            #expect(page.text.contains(#"almanac_http_requests_total{path="unmatched",method="GET",code="404"} 1"#))
            #expect(page.text.contains(#"almanac_http_requests_total{path="/things/{name}",method="DELETE",code="405"} 1"#))
            #expect(page.text.contains(#"almanac_http_request_duration_seconds_count{path="/things/{name}"} 4"#))
            #expect(!page.text.contains("scanner"))
        }
    }
}

@Suite("A face: probes")
struct ProbeTests {
    @Test func readyNamesWhatIsWaitedFor() async throws {
        let readiness = Readiness(waitingFor: ["store"])
        try await withFace(readiness: readiness) { client in
            readiness.set("store", waitingFor: "a lock on almanac.sqlite")
            let waiting = try await client.execute(uri: "/-/ready", method: .get)
            #expect(waiting.status == .serviceUnavailable)
            #expect(waiting.json?["waitingFor"]?["store"]?.stringValue == "a lock on almanac.sqlite")
            let healthy = try await client.execute(uri: "/-/healthy", method: .get)
            #expect(healthy.status == .ok)
            readiness.set("store", waitingFor: nil)
            let ready = try await client.execute(uri: "/-/ready", method: .get)
            #expect(ready.status == .ok)
            #expect(ready.json?["ready"]?.boolValue == true)
        }
    }

    @Test func strangersDoNotLearnReasons() async throws {
        var options = HTTPServerOptions()
        options.readTokens = [Secret("t")]
        let readiness = Readiness()
        readiness.set("store", waitingFor: "mysql at db7.internal")
        try await withFace(options, readiness: readiness) { client in
            let stranger = try await client.execute(uri: "/-/ready", method: .get)
            #expect(stranger.status == .serviceUnavailable)
            #expect(stranger.text.contains("store") && !stranger.text.contains("db7"))
            let reader = try await client.execute(uri: "/-/ready", method: .get, headers: [.authorization: "Bearer t"])
            #expect(reader.text.contains("db7"))
        }
    }

    @Test func reload() async throws {
        try await withFace { client in
            let response = try await client.execute(uri: "/-/reload", method: .post)
            #expect(response.status == .notFound)
        }
        try await withFace(reload: { ["listen"] }) { client in
            let post = try await client.execute(uri: "/-/reload", method: .post)
            #expect(post.status == .ok && post.text.contains(#""restart":["listen"]"#), "\(post.text)")
            let get = try await client.execute(uri: "/-/reload", method: .get)
            #expect(get.status == .methodNotAllowed)
        }
        try await withFace(reload: { throw HTTPServerError("line 3: unknown key") }) { client in
            let response = try await client.execute(uri: "/-/reload", method: .post)
            #expect(response.status == .unprocessableContent)
            #expect(response.text.contains("line 3"))
        }
    }
}

@Suite("A face: who may")
struct AccessTests {
    static var options: HTTPServerOptions {
        var options = HTTPServerOptions(host: "0.0.0.0", port: 0)
        options.readTokens = [Secret("reader-token")]
        options.writeTokens = [Secret("writer-token")]
        options.users = [
            BasicUser(name: "ada", password: Secret("pass:word"), role: .read), BasicUser(name: "bob", password: Secret("b"), role: .write),
        ]
        return options
    }

    static let ada = "Basic YWRhOnBhc3M6d29yZA=="
    static let bob = "Basic Ym9iOmI="
    /// any:writer-token
    static let browserWithToken = "Basic YW55OndyaXRlci10b2tlbg=="

    @Test(arguments: [
        (nil, 401, 401), ("Bearer wrong", 401, 401), ("Bearer reader-token", 200, 403), ("Bearer writer-token", 200, 200),
        ("bearer reader-token", 200, 403), (ada, 200, 403), (bob, 200, 200), ("Basic Ym9iOmI", 200, 200), (browserWithToken, 200, 200),
        ("Basic YWRhOng=", 401, 401),
        ("Basic !!!", 401, 401), ("Bearer", 401, 401), ("Digest x", 401, 401), ("Basic Ym9iOnBhc3M6d29yZA==", 401, 401),
    ])
    func roles(authorization: String?, read: Int, write: Int) async throws {
        try await withFace(AccessTests.options) { client in
            var headers = HTTPFields()
            headers[.authorization] = authorization
            let get = try await client.execute(uri: "/things/a", method: .get, headers: headers)
            #expect(get.status.code == read)
            let post = try await client.execute(uri: "/things", method: .post, headers: headers, body: ByteBuffer(string: "x"))
            #expect(post.status.code == write)
            if read == 401 {
                #expect(get.headers[values: .wwwAuthenticate].contains { $0.hasPrefix("Basic realm=") })
                #expect(get.headers[values: .wwwAuthenticate].contains { $0.hasPrefix("Bearer") })
                #expect(get.headers[.contentType] == "application/problem+json")
            }
        }
    }

    @Test func strangersSeeNoPathsButProbes() async throws {
        try await withFace(AccessTests.options) { client in
            for (uri, code) in [("/nothing", 401), ("/metrics", 401), ("/-/healthy", 200)] {
                let response = try await client.execute(uri: uri, method: .get)
                #expect(response.status.code == code, "\(uri)")
            }
        }
    }

    @Test func requestsOfForeignPagesMayNotWrite() async throws {
        try await withFace { client in
            let cases: [(HTTPFields, Int)] = [
                ([:], 200), ([.origin: "http://localhost"], 200), ([.origin: "http://evil.example"], 403), ([.origin: "null"], 403),
                ([.secFetchSite: "cross-site"], 403), ([.secFetchSite: "same-origin"], 200),
            ]
            for (headers, code) in cases {
                let response = try await client.execute(uri: "/things", method: .post, headers: headers, body: ByteBuffer(string: "x"))
                #expect(response.status.code == code, "\(headers)")
            }
        }
    }

    @Test(arguments: [
        ("localhost", true), ("localhost:5002", true), ("127.0.0.1:5002", true), ("[::1]:5002", true), ("almanac.lan", true),
        ("ALMANAC.lan:1", true),
        ("evil.example", false), ("evil.example:5002", false), ("127.0.0.1.evil.example", false), ("localhost:x", false),
    ])
    func hostHeader(authority: String, isAllowed: Bool) throws {
        var options = HTTPServerOptions()
        options.allowedHosts = ["almanac.lan"]
        let request = Request(
            head: .init(method: .get, scheme: "http", authority: authority, path: "/"), body: RequestBody(buffer: ByteBuffer()))
        let check = RequestGuard(options: options)
        if isAllowed {
            try check.checkHost(request)
        } else {
            #expect(throws: Problem.self) { try check.checkHost(request) }
        }
        // With credentials the name does not matter: a foreign page does not have them.
        options.readTokens = [Secret("t")]
        try RequestGuard(options: options).checkHost(request)
    }
}
