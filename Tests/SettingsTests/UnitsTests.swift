import TestSupport
import Testing
import TimeSeries

@testable import Settings

@Suite struct UnitsTests {
    @Test(
        arguments: [
            ("15s", 15_000), ("5m", 300_000), ("1h30m", 5_400_000), ("500ms", 500), ("15d", 1_296_000_000), ("1w", 604_800_000),
            ("1y", 31_536_000_000), ("1d12h", 129_600_000), ("0", 0), ("0s", 0), ("1m30s500ms", 90_500),
        ] as [(String, Milliseconds)])
    func durationsAsPrometheusWritesThem(text: String, value: Milliseconds) { #expect(DurationText.parse(text) == value) }

    @Test(arguments: [
        "", "5", "s", "5 m", "1m1h", "5m5m", "-5s", "1.5h", "5minutes", "m5", "٣s", "99999999999999999999s", "300000000000y", "5S",
    ])
    func notDurations(text: String) { #expect(DurationText.parse(text) == nil) }

    @Test(
        arguments: [
            ("0", 0), ("1048576", 1_048_576), ("64MB", 64_000_000), ("64 MB", 64_000_000), ("1GiB", 1 << 30), ("1.5GiB", 3 << 29),
            ("10kb", 10_000),
            ("7B", 7), ("2TiB", 2 << 40),
        ] as [(String, Int64)])
    func sizes(text: String, value: Int64) { #expect(SizeText.parse(text) == value) }

    @Test(arguments: ["", "MB", "-1", "1.5", "1..5MB", ".5MB", "5.MB", "1XB", "9999999999TiB", "1e9"])
    func notSizes(text: String) { #expect(SizeText.parse(text) == nil) }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func formattingIsReadBack(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for _ in 0..<2000 {
            let value = Int64(random.next() >> (20 + random.next() % 40))
            #expect(DurationText.parse(DurationText.format(value)) == value, "seed \(seed), \(value)")
            #expect(SizeText.parse(SizeText.format(value)) == value, "seed \(seed), \(value)")
        }
    }

    @Test(
        arguments: [
            ("127.0.0.1:5002", "127.0.0.1", 5002, true), ("[::1]:80", "::1", 80, true), (":5002", "0.0.0.0", 5002, false),
            ("localhost:0", "localhost", 0, true), ("10.1.2.3:65535", "10.1.2.3", 65_535, false),
            ("host.example:1", "host.example", 1, false),
        ] as [(String, String, Int, Bool)])
    func addresses(text: String, host: String, port: Int, loopback: Bool) throws {
        let address = try #require(ListenAddress(text))
        #expect(address == ListenAddress(host: host, port: port))
        #expect(address.isLoopback == loopback)
        #expect(ListenAddress(address.description) == address)
    }

    @Test(arguments: [
        "", "5002", "host", "host:", "host:65536", "host:-1", "host:+1", "::1:80", "[]:80", "[::1]", "a b:1", "http://x:1", "x:1/",
    ])
    func notAddresses(text: String) { #expect(ListenAddress(text) == nil) }

    @Test(arguments: [("127.0.0.1", true), ("127.1.2.3", true), ("127.0.0.1.evil.org", false), ("127.evil", false), ("128.0.0.1", false)])
    func loopback(host: String, expected: Bool) { #expect(ListenAddress(host: host, port: 1).isLoopback == expected) }

    @Test(arguments: [
        ("interval", "interval", 0), ("intervall", "interval", 1), ("inteval", "interval", 1), ("itnerval", "interval", 1), ("", "abc", 3),
        ("abc", "", 3),
        ("kitten", "sitting", 3),
    ])
    func editDistance(a: String, b: String, expected: Int) { #expect(Suggestion.editDistance(Array(a), Array(b)) == expected) }

    @Test func suggestsOnlyWhatIsNear() {
        #expect(Suggestion.nearest(to: "intreval", in: ["interval", "timeout"]) == "interval")
        #expect(Suggestion.nearest(to: "Interval", in: ["interval"]) == "interval")
        #expect(Suggestion.nearest(to: "bananas", in: ["interval", "timeout"]) == nil)
    }

    @Test func secretsDoNotShow() {
        let secret = Secret("hunter2")
        var dumped = ""
        dump(secret, to: &dumped)
        for text in ["\(secret)", String(reflecting: secret), dumped, "\([secret])", "\(Optional(secret) as Any)"] {
            #expect(!text.contains("hunter2") && text.contains("<secret>"), "\(text)")
        }
        #expect(secret.reveal() == "hunter2")
    }
}
