import Testing

@testable import TimeSeries

@Suite struct IdentityTests {
    /// Vectors of MurmurHash3_x64_128 with seed 0, from PyPI's mmh3 (`mmh3.hash64(text, 0, True, signed=False)`).
    @Test(arguments: [
        ("", "00000000000000000000000000000000"),
        ("hello", "cbd8a7b341bd9b025b1e906a48ae1d19"),
        ("hello, world", "342fac623a5ebc8e4cdcbc079642414d"),
        ("The quick brown fox jumps over the lazy dog", "e34bbc7bbc071b6c7a433ca9c49a9347"),
    ])
    func murmurAgreesWithTheReference(text: String, hex: String) {
        #expect(Fingerprint(hashing: Array(text.utf8)).description == hex)
    }

    @Test func labelOrderAndEmptyLabelsDoNotMatter() {
        let a = LabelSet([Label("b", "2"), Label("__name__", "up"), Label("a", "1")])
        let b = LabelSet([Label("__name__", "up"), Label("a", "1"), Label("b", "2"), Label("c", "")])
        #expect(a == b)
        #expect(a.fingerprint == b.fingerprint)
        #expect(a.description == #"up{a="1",b="2"}"#)
    }

    @Test func notationEscapes() {
        let set = LabelSet(name: "x", [Label("p", "a\"b\\c\nd")])
        #expect(set.description == #"x{p="a\"b\\c\nd"}"#)
        #expect(LabelSet([Label("job", "n")]).description == #"{job="n"}"#)
        #expect(LabelSet([]).description == "{}")
    }

    /// What Prometheus could not write bare stands in quotes, as its parser reads it.
    @Test func oddNamesAreQuoted() {
        #expect(LabelSet(name: "http.requests", [Label("path", "/")]).description == #"{"http.requests",path="/"}"#)
        #expect(LabelSet(name: "up", [Label("odd.name", "v")]).description == #"up{"odd.name"="v"}"#)
        #expect(LabelSet(name: "job:rate:5m").description == "job:rate:5m")
        #expect(LabelSet(name: "5m").description == #"{"5m"}"#)
        #expect(LabelSet(name: #"a"b"#).description == #"{"a\"b"}"#)
    }

    /// Composed differently, they are different texts; Swift's `==` takes them for equal.
    @Test func labelsAreComparedByBytes() {
        let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
        #expect(composed == decomposed)
        let (a, b) = (LabelSet(name: "m", [Label("s", composed)]), LabelSet(name: "m", [Label("s", decomposed)]))
        #expect(a != b && a.fingerprint != b.fingerprint && Set([a, b]).count == 2)
        let both = LabelSet([Label(composed, "1"), Label(decomposed, "2"), Label("empty", "")])
        #expect(both[composed] == "1" && both[decomposed] == "2" && both.labels.count == 2)
    }

    @Test func fingerprintTextRoundTrips() {
        let f = LabelSet(name: "up").fingerprint
        #expect(Fingerprint(f.description) == f)
        #expect(Fingerprint("xyz") == nil)
        #expect(Fingerprint(String(repeating: "+", count: 32)) == nil)
        #expect(f.shard.index < 1024)
    }

    @Test func typesAreGuessedFromNames() {
        #expect(MetricType.guess(name: "http_requests_total") == .counter)
        #expect(MetricType.guess(name: "node_load1") == .gauge)
    }
}
