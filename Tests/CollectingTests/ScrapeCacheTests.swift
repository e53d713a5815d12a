import Fetching
import TestSupport
import Testing
import TimeSeries

@testable import Collecting

/// One target's scrapes without a network: pages go in, decoded records come out.
struct Bench {
    var scraper: TargetScraper
    var time: Milliseconds = 1_000_000
    var lastFailure: String?

    init(_ change: (inout ScrapeTarget) -> Void = { _ in }) {
        var target = ScrapeTarget(url: "http://h:1/metrics", job: "j")
        change(&target)
        scraper = TargetScraper(target, instance: "h:1", topic: "samples")
    }

    /// nil is a scrape that brought nothing.
    mutating func scrape(_ page: String?, type: String? = nil) throws -> Decoded {
        try scrape(page.map { Array($0.utf8) }, type: type)
    }

    mutating func scrape(_ page: [UInt8]?, type: String? = nil) throws -> Decoded {
        time += 15_000
        if let page {
            lastFailure = scraper.take(FetchedPage(contentType: type, body: page), at: time)
        } else {
            scraper.fail()
            lastFailure = "nothing"
        }
        let report = ScrapeReport(isUp: lastFailure == nil, duration: 0.5, counts: scraper.counts)
        return try Decoded(scraper.records(report, at: time).records)
    }
}

private func full(_ name: String, _ labels: String = "") -> String {
    "\(name){instance=\"h:1\",job=\"j\"\(labels.isEmpty ? "" : "," + labels)}"
}

@Suite struct ScrapeCacheTests {
    @Test func aPageBecomesSamplesAtTheScrapesTimeWithTheReport() throws {
        var bench = Bench()
        let out = try bench.scrape("# TYPE a gauge\na 1\n# TYPE b_total counter\nb_total{x=\"y\"} 2\nc 3\nd_total 4\n")
        #expect(out.samples[full("a")] == [Sample(bench.time, 1)])
        #expect(out.samples[full("b_total", "x=\"y\"")] == [Sample(bench.time, 2)])
        #expect(out.types[full("a")] == .gauge)
        #expect(out.types[full("b_total", "x=\"y\"")] == .counter)
        #expect(out.types[full("c")] == .gauge)
        #expect(out.types[full("d_total")] == .counter)
        #expect(out.values(full("up")) == [1])
        #expect(out.values(full("scrape_duration_seconds")) == [0.5])
        #expect(out.values(full("scrape_samples_scraped")) == [4])
        #expect(out.values(full("scrape_samples_post_metric_relabeling")) == [4])
        #expect(out.values(full("scrape_series_added")) == [4])
        #expect(out.watermarks.allSatisfy { $0 == bench.time })
        let again = try bench.scrape("d_total 5\nc 3\nb_total{x=\"y\"} 2\na 1\n")
        #expect(again.values(full("scrape_series_added")) == [0])
        #expect(again.values(full("d_total")) == [5])
    }

    @Test func aSeriesThatVanishesEndsOnceAndMayComeBack() throws {
        var bench = Bench()
        _ = try bench.scrape("a 1\nb 2\n")
        let second = try bench.scrape("b 3\n")
        #expect(second.samples[full("a")] == [Sample(bench.time, StaleMarker.value)])
        #expect(second.samples[full("b")] == [Sample(bench.time, 3)])
        let third = try bench.scrape("b 4\n")
        #expect(third.samples[full("a")] == nil)
        let fourth = try bench.scrape("a 9\nb 4\n")
        #expect(fourth.samples[full("a")] == [Sample(bench.time, 9)])
        #expect(fourth.values(full("scrape_series_added")) == [1])
    }

    @Test func aFailedScrapeEndsEverythingButTheReport() throws {
        var bench = Bench()
        _ = try bench.scrape("a 1\nb 2\n")
        let down = try bench.scrape(nil as String?)
        #expect(down.values(full("up")) == [0])
        #expect(down.samples[full("a")]?.first?.isStale == true)
        #expect(down.samples[full("b")]?.first?.isStale == true)
        let still = try bench.scrape(nil as String?)
        #expect(still.values(full("up")) == [0])
        #expect(still.samples[full("a")] == nil)
        let back = try bench.scrape("a 1\nb 2\n")
        #expect(back.values(full("a")) == [1])
        #expect(back.values(full("up")) == [1])
        #expect(back.values(full("scrape_series_added")) == [2])
    }

    @Test func aMalformedPageCountsForNothingAndSaysWhere() throws {
        var bench = Bench()
        _ = try bench.scrape("a 1\n")
        let out = try bench.scrape("a 2\nb{ 3\n")
        #expect(out.samples[full("a")]?.first?.isStale == true)
        #expect(out.values(full("up")) == [0])
        #expect(bench.lastFailure?.hasPrefix("malformed page: line 2, column") == true, "\(bench.lastFailure ?? "")")
    }

    @Test func aRowWhoseLabelsAreNoSeriesSaysWhere() throws {
        var bench = Bench()
        _ = try bench.scrape("a 1\nb{x=\"1\",x=\"2\"} 3\n")
        #expect(bench.lastFailure?.hasPrefix("malformed page: line 2, column") == true, "\(bench.lastFailure ?? "")")
    }

    @Test func moreSeriesThanAllowedFailTheScrape() throws {
        var bench = Bench { $0.maxSeries = 3 }
        _ = try bench.scrape("a 1\nb 2\n")
        let out = try bench.scrape("a 1\nb 2\nc 3\nd 4\n")
        #expect(out.values(full("up")) == [0])
        #expect(out.values(full("scrape_samples_scraped")) == [4])
        #expect(out.samples[full("a")]?.first?.isStale == true)
        #expect(out.samples[full("c")] == nil)
        let back = try bench.scrape("a 1\nc 3\n")
        #expect(back.values(full("c")) == [3])
        #expect(back.samples[full("b")] == nil)
    }

    @Test func droppedMetricsDoNotCountAgainstTheLimit() throws {
        var bench = Bench {
            $0.maxSeries = 2
            $0.drop = ["go_.*"]
        }
        let out = try bench.scrape("go_a 1\ngo_b 1\na 1\ngo_c 1\n")
        #expect(out.values(full("scrape_samples_scraped")) == [4])
        #expect(out.values(full("scrape_samples_post_metric_relabeling")) == [1])
        #expect(out.named("go_a").isEmpty)
    }

    @Test func ofDuplicatesTheFirstCountsHoweverTheyAreWritten() throws {
        var bench = Bench()
        let out = try bench.scrape("a{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 2\na{x=\"1\",y=\"2\"} 3\n")
        #expect(out.values(full("a", "x=\"1\",y=\"2\"")) == [1])
        #expect(bench.scraper.counts.duplicates == 2)
        #expect(bench.scraper.counts.firstDuplicate == "a{y=\"2\",x=\"1\"}")
    }

    @Test func aPageCannotFakeTheReport() throws {
        var bench = Bench()
        let out = try bench.scrape("up 7\na 1\n")
        #expect(out.values(full("up")) == [1])
        #expect(bench.scraper.counts.duplicates == 1)
    }

    @Test func timestampsOfThePageCountAndEndWithoutAMarker() throws {
        var bench = Bench()
        let out = try bench.scrape("a 1 5000\nb 2\n")
        #expect(out.samples[full("a")] == [Sample(5_000, 1)])
        let next = try bench.scrape("b 2\n")
        #expect(next.samples[full("a")] == nil)
    }

    @Test func aSeriesWithSeveralTimestampsKeepsThemInOrder() throws {
        var bench = Bench()
        let out = try bench.scrape("a 1 7000\na 2 5000\na 3 5000\n")
        #expect(out.samples[full("a")] == [Sample(5_000, 2), Sample(7_000, 1)])
        #expect(bench.scraper.counts.duplicates == 1)
    }

    @Test func timestampsTooFarAheadAreRefused() throws {
        var bench = Bench()
        let scrape = bench.time + 15_000
        let out = try bench.scrape("a 1 \(scrape + 600_000)\nb 2 \(scrape + 600_001)\n")
        #expect(out.samples[full("a")] != nil)
        #expect(out.samples[full("b")] == nil)
        #expect(bench.scraper.counts.future == 1)
    }

    @Test func withoutHonorTimestampsTheScrapesTimeCounts() throws {
        var bench = Bench { $0.honorTimestamps = false }
        let out = try bench.scrape("a 1 5000\n")
        #expect(out.samples[full("a")] == [Sample(bench.time, 1)])
    }

    @Test func aRecordBeforeTheShardsOwnTimePromisesLess() throws {
        var bench = Bench()
        let out = try bench.scrape("a 1 5000\na 2\n")
        #expect(out.samples[full("a")] == [Sample(5_000, 1), Sample(bench.time, 2)])
        #expect(out.watermarks.filter { $0 == bench.time - 1 }.count == 1)
    }

    @Test func theTypeFollowsThePageWhenItChanges() throws {
        var bench = Bench()
        #expect(try bench.scrape("# TYPE a gauge\na 1\n").types[full("a")] == .gauge)
        #expect(try bench.scrape("# TYPE a counter\na 1\n").types[full("a")] == .counter)
    }

    @Test func aConfiguredTypeWins() throws {
        var bench = Bench { $0.types = [MetricTypeRule(pattern: "a.*", type: .counter)] }
        #expect(try bench.scrape("# TYPE a gauge\na 1\n").types[full("a")] == .counter)
    }

    @Test func aTargetThatEndsGivesMarkersForAllTheReportToo() throws {
        var bench = Bench()
        _ = try bench.scrape("a 1\n")
        let end = try Decoded(bench.scraper.end(at: bench.time + 7).records)
        #expect(end.samples.count == 6)
        #expect(end.samples.values.allSatisfy { $0 == [Sample(bench.time + 7, StaleMarker.value)] })
    }

    @Test func namesThatDoNotReturnAreForgotten() throws {
        var bench = Bench()
        var random = SplitMix64(seed: 3)
        for _ in 0..<50 {
            let page = (0..<500).map { _ in "a{id=\"\(random.next())\"} 1\n" }.joined()
            _ = try bench.scrape(page)
            #expect(bench.scraper.rememberedNames <= 3 * 500 + 1_024 + 500)
        }
    }

    /// Random sequences of pages against a model that knows only the rules.
    @Test(arguments: 0..<60 as Range<UInt64>)
    func recordsSayWhatThePagesSaid(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var bench = Bench { $0.maxSeries = 120 }
        var alive: Set<String> = []
        var pool = (0..<100).map { "m\($0 % 7){l=\"\($0)\"}" }
        for round in 0..<25 {
            if Int.random(in: 0..<6, using: &random) == 0 {
                let out = try bench.scrape(nil as String?)
                expect(out, [:], ended: alive, bench, "seed \(seed) round \(round)")
                alive = []
                continue
            }
            if Int.random(in: 0..<3, using: &random) == 0 { pool.shuffle(using: &random) }
            if Int.random(in: 0..<8, using: &random) == 0 { pool = pool.map { $0.replacing("l=\"", with: "l=\"x") } }
            let densities = [0.1, 0.9, 1.0]
            let density = densities[Int.random(in: 0..<3, using: &random)]
            var page = ""
            var expected: [String: Double] = [:]
            for name in pool where Double.random(in: 0..<1, using: &random) < density {
                let value = Double.random(in: -10...10, using: &random)
                page += "\(name) \(value)\n"
                expected[name] = value
                if Int.random(in: 0..<20, using: &random) == 0 { page += "\(name) 99\n" }
            }
            let out = try bench.scrape(page)
            #expect(bench.lastFailure == nil, "seed \(seed)")
            expect(out, expected, ended: alive.subtracting(expected.keys), bench, "seed \(seed) round \(round)")
            alive = Set(expected.keys)
        }
    }

    private func expect(_ out: Decoded, _ expected: [String: Double], ended: Set<String>, _ bench: Bench, _ what: String) {
        var wanted: [String: [Sample]] = [:]
        func key(_ name: String) -> String { name.replacing("{", with: "{instance=\"h:1\",job=\"j\",") }
        for (name, value) in expected { wanted[key(name)] = [Sample(bench.time, value)] }
        for name in ended { wanted[key(name)] = [Sample(bench.time, StaleMarker.value)] }
        let got = out.samples.filter { $0.key.hasPrefix("m") }
        #expect(got == wanted, "\(what)")
    }

    @Test func aSeriesOfAbsurdLengthFailsThePageWithItsPlace() throws {
        var scraper = PageScraper(ScrapeTarget(url: "http://127.0.0.1:9/metrics", job: "huge"), topic: "samples")
        let page = "good 1\nbad{x=\"" + String(repeating: "a", count: 70_000) + "\"} 2\n"
        let refused = #expect(throws: PageScraper.Refused.self) { try scraper.records(of: Array(page.utf8), at: 1_700_000_000_000) }
        #expect(refused?.description.contains("line 2, column 1") == true, "\(refused?.description ?? "")")
        #expect(throws: Never.self) { try scraper.records(of: Array("good 1\n".utf8), at: 1_700_000_015_000) }
    }
}
