import Fetching
import Testing
import TimeSeries

@testable import Collecting

/// The cases of Prometheus' `TestScrapeLoopAppend` and `TestLabelsHandling` in words.
@Suite struct TargetLabelsTests {
    private func attached(_ exported: [(String, String)], honor: Bool, _ target: [(String, String)] = []) -> String {
        TargetLabels(job: "j", instance: "h:1", labels: target.map { Label($0.0, $0.1) }, honorLabels: honor)
            .attached(name: "m", exported: exported.map { Label($0.0, $0.1) }).description
    }

    @Test func jobAndInstanceAreAttached() {
        #expect(attached([("a", "1")], honor: false) == #"m{a="1",instance="h:1",job="j"}"#)
        #expect(attached([], honor: true) == #"m{instance="h:1",job="j"}"#)
    }

    @Test func labelsOfThePageThatCollideBecomeExported() {
        #expect(attached([("job", "x")], honor: false) == #"m{exported_job="x",instance="h:1",job="j"}"#)
        #expect(attached([("dc", "x")], honor: false, [("dc", "t")]) == #"m{dc="t",exported_dc="x",instance="h:1",job="j"}"#)
    }

    @Test func anExportedNameThatIsTakenIsPrefixedAgain() {
        #expect(
            attached([("job", "x"), ("exported_job", "y")], honor: false)
                == #"m{exported_exported_job="x",exported_job="y",instance="h:1",job="j"}"#)
    }

    @Test func withHonorLabelsThePageWins() {
        #expect(attached([("job", "x")], honor: true) == #"m{instance="h:1",job="x"}"#)
    }

    @Test func withHonorLabelsAnEmptyLabelTakesTheTargetsAway() {
        #expect(attached([("instance", "")], honor: true) == #"m{job="j"}"#)
        #expect(attached([("instance", "")], honor: false) == #"m{instance="h:1",job="j"}"#)
    }

    @Test func configuredLabelsWinOverJobAndInstance() {
        #expect(attached([], honor: false, [("instance", "other"), ("job", "k")]) == #"m{instance="other",job="k"}"#)
    }

    @Test(arguments: [
        ("http://127.0.0.1:9100/metrics", "127.0.0.1:9100"), ("http://host/metrics", "host:80"), ("https://host", "host:443"),
        ("https://user:secret@host:8443/x?y", "host:8443"), ("http://[::1]:9100/metrics", "[::1]:9100"), ("http://[::1]/m", "[::1]:80"),
    ])
    func theInstanceIsHostAndPort(url: String, instance: String) {
        #expect(HTTPAddress(url)?.instance == instance)
    }

    @Test(arguments: [
        "", "host:9100", "ftp://host", "http://", "http://:80", "http://host:0", "http://host:70000", "http://host:x/", "http://a b/",
    ])
    func whatIsNoURLIsRefused(url: String) {
        #expect(HTTPAddress(url) == nil)
        #expect(ScrapeTarget(url: url, job: "j").problem() != nil)
    }

    @Test func passwordsAreNotShown() {
        let target = ScrapeTarget(url: "https://user:secret@host/metrics", job: "j")
        #expect(target.displayURL == "https://***@host/metrics")
        #expect("\(HTTPCredentials.basic(user: "u", password: "secret"))" == "basic authentication as u")
        #expect(!"\(HTTPCredentials.bearer("secret"))".contains("secret"))
    }
}

@Suite struct MetricRulesTests {
    @Test func patternsMatchWholeNames() {
        var rules = MetricRules(keep: [["node_.*", "up"], [], ["up", "node_x.*", ".*_load1", ".*_s.*"]], drop: ["node_scrape_.*|node_x"])
        #expect(rules.verdict(for: "node_load1").isKept)
        #expect(!rules.verdict(for: "my_node_load1").isKept)
        #expect(!rules.verdict(for: "node_scrape_ok").isKept)
        #expect(!rules.verdict(for: "node_x").isKept)
        #expect(rules.verdict(for: "node_xy").isKept && rules.verdict(for: "up").isKept)
        // Of several lists each has to let it through.
        #expect(!rules.verdict(for: "node_y").isKept && !rules.verdict(for: "x_load1").isKept)
    }

    @Test func theFirstRuleForATypeWins() {
        var rules = MetricRules(types: [MetricTypeRule(pattern: "a_.*", type: .counter), MetricTypeRule(pattern: ".*", type: .gauge)])
        #expect(rules.verdict(for: "a_b").type == .counter)
        #expect(rules.verdict(for: "b").type == .gauge)
    }

    @Test func aBadPatternIsNamed() {
        var target = ScrapeTarget(url: "http://h/", job: "j")
        target.drop = ["a["]
        #expect(target.problem()?.contains("\"a[\"") == true)
    }
}
