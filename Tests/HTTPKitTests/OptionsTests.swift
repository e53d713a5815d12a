import Testing

@testable import HTTPKit

@Suite("Options of a server")
struct OptionsTests {
    @Test(arguments: ["127.0.0.1", "127.8.9.10", "localhost", "LOCALHOST", "::1", "[::1]", "::ffff:127.0.0.1"])
    func loopbackNeedsNoCredentials(host: String) throws {
        try HTTPServerOptions(host: host, port: 0).validate()
    }

    @Test(arguments: [
        "0.0.0.0", "::", "192.168.1.4", "example.org", "127.0.0.1.example.org", "127.0.0", "127.0.0.256", "1270.0.0.1", "localhost.evil",
    ])
    func beyondLoopbackIsRefusedWithoutCredentials(host: String) {
        let error = #expect(throws: HTTPServerError.self) { try HTTPServerOptions(host: host, port: 5002).validate() }
        #expect(error?.message.contains(host) == true)
        #expect(error?.message.contains("token or password") == true)
    }

    @Test func credentialsOpenOtherAddresses() throws {
        var options = HTTPServerOptions(host: "0.0.0.0", port: 5002)
        options.readTokens = [Secret("t")]
        try options.validate()
        options.readTokens = []
        options.users = [BasicUser(name: "ada", password: Secret("p"), role: .read)]
        try options.validate()
    }

    @Test func emptySecretsAndBadNamesAreRefused() {
        var options = HTTPServerOptions(host: "0.0.0.0", port: 5002)
        options.readTokens = [Secret("")]
        #expect(throws: HTTPServerError.self) { try options.validate() }
        options.readTokens = []
        options.users = [BasicUser(name: "a:b", password: Secret("p"), role: .read)]
        #expect(throws: HTTPServerError.self) { try options.validate() }
    }

    @Test func secretsDoNotShow() {
        var options = HTTPServerOptions()
        options.writeTokens = [Secret("tell-nobody")]
        options.users = [BasicUser(name: "ada", password: Secret("tell-nobody"), role: .write)]
        var dumped = ""
        dump(options, to: &dumped)
        #expect(!"\(options) \(String(reflecting: options)) \(dumped)".contains("tell-nobody"))
        #expect(!dumped.contains("116"), "the bytes of a secret show in a dump")
    }

    @Test(arguments: [("", ""), ("a", "a"), ("secret", "secret")])
    func equalSecretsAreEqual(a: String, b: String) { #expect(Secret(a).equals(Array(b.utf8))) }

    @Test(arguments: [("", "a"), ("a", ""), ("secret", "secre"), ("secret", "secrets"), ("ab", "abab"), ("secret", "Secret")])
    func otherSecretsAreNot(a: String, b: String) { #expect(!Secret(a).equals(Array(b.utf8))) }
}

@Suite("Coding")
struct CodingTests {
    @Test(arguments: [("a%20b", "a b"), ("%7B%22%7d", "{\"}"), ("100%25", "100%"), ("a+b", "a b"), ("%C3%A9", "é")])
    func percent(encoded: String, decoded: String) { #expect(PercentCoding.decode(encoded, plusIsSpace: true) == decoded) }

    @Test(arguments: ["%", "%2", "%zz", "%C3", "abc%e"])
    func brokenPercent(text: String) { #expect(PercentCoding.decode(text) == nil) }

    @Test func percentRoundTrip() {
        let text = "node_cpu{mode=\"a/b\", x=\"é%+&\"}"
        #expect(PercentCoding.decode(PercentCoding.encode(text)) == text)
    }

    @Test(arguments: [("localhost:80", "localhost"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("a", "a")])
    func hostParts(authority: String, host: String) { #expect(Loopback.hostPart(of: authority) == host) }

    @Test(arguments: ["a:b", "[::1", "[::1]x", "a:1:2", "a:1234567"])
    func brokenAuthorities(authority: String) { #expect(Loopback.hostPart(of: authority) == nil) }
}

@Suite("Readiness")
struct ReadinessTests {
    @Test func waitsUntilEveryPartHasReported() {
        let readiness = Readiness(waitingFor: ["store", "log"])
        #expect(!readiness.isReady)
        readiness.set("store", waitingFor: nil)
        readiness.set("log", waitingFor: "a lock")
        #expect(readiness.waitingParts.map(\.part) == ["log"])
        #expect(readiness.waitingParts.map(\.reason) == ["a lock"])
        readiness.set("log", waitingFor: nil)
        #expect(readiness.isReady)
    }
}
