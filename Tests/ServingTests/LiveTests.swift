import Records
import Storage
import TestSupport
import Testing
import TimeSeries

@testable import Serving

@Suite("Live results")
struct LiveCacheTests {
    let a = key("a")

    @Test func theNewestByTimeThenRevisionStays() {
        let live = LiveCache(maxBytes: 1 << 20)
        live.apply(.windows([windows(a, at: noon, revision: 5, avg: 1)]))
        live.apply(.windows([windows(a, at: noon, revision: 4, avg: 2)]))
        live.apply(.windows([windows(a, at: noon - 1, revision: 9, avg: 3)]))
        #expect(live.windows([a.id])[a.id]?.windows.first?.avg == 1)
        live.apply(.windows([windows(a, at: noon, revision: 6, avg: 4)]))
        #expect(live.windows([a.id])[a.id]?.windows.first?.avg == 4)
        live.apply(.windows([windows(a, at: noon + 1, revision: 1, avg: 5)]))
        #expect(live.windows([a.id])[a.id]?.windows.first?.avg == 5)
    }

    @Test func memoryIsBoundedAndTheOldestGo() {
        let live = LiveCache(maxBytes: 100_000)
        for i in 0..<1000 { live.apply(.windows([windows(key("m\(i)"), at: noon + Milliseconds(i))])) }
        #expect(live.size.bytes <= 100_000)
        #expect(live.size.evicted > 0)
        #expect(live.windows([key("m0").id]).isEmpty)
        #expect(live.windows([key("m999").id]).count == 1)
        #expect(live.size.series + live.size.evicted == 1000)
    }

    @Test func bytesAreGivenBackOnReplacement() {
        let live = LiveCache(maxBytes: 1 << 20)
        live.apply(.profiles([profile(a)]))
        let once = live.size.bytes
        for i in 1..<100 { live.apply(.profiles([profile(a, at: noon + Milliseconds(i))])) }
        #expect(live.size.bytes == once)
    }
}

@Suite("Recent samples")
struct RecentSamplesTests {
    let a = key("a")
    let b = key("b")
    let minute: Milliseconds = 60_000

    private func recent(span: Milliseconds = 45 * 60_000, bytes: Int = 1 << 20) -> RecentSamples {
        RecentSamples(span: span, maxBytes: bytes)
    }

    @Test func keepsOrderAndDropsDuplicates() throws {
        let recent = recent()
        for (time, value) in [(3, 3), (1, 1), (2, 2), (2, 99), (5, 5)] as [(Milliseconds, Double)] {
            try recent.apply(scrape([(a, value), (b, -value)], at: noon + time * minute), now: noon + 5 * minute)
        }
        let samples = recent.samples(of: a.id, from: noon, to: noon + 5 * minute)
        #expect(samples.times == [1, 2, 3, 5].map { noon + $0 * minute })
        #expect(samples.values == [1, 2, 3, 5])
        #expect(recent.samples(of: b.id, from: noon + 2 * minute, to: noon + 3 * minute).values == [-3])
        #expect(recent.samples(of: key("none").id, from: 0, to: .max).times.isEmpty)
        #expect(recent.size.samples == 8)
    }

    @Test func leavesOutStaleMarkersOldAndFutureSamples() throws {
        let recent = recent(span: 10 * minute)
        try recent.apply(scrape([(a, StaleMarker.value)], at: noon), now: noon)
        try recent.apply(scrape([(a, 1)], at: noon - 11 * minute), now: noon)
        try recent.apply(scrape([(a, 1)], at: noon + 11 * minute), now: noon)
        #expect(recent.size.samples == 0)
        try recent.apply(scrape([(a, .infinity), (b, .nan)], at: noon), now: noon)
        #expect(recent.size.samples == 2)
    }

    @Test func manySamplesInOneRecord() throws {
        let section = SeriesSection([(labels: a.labels, type: .gauge), (labels: b.labels, type: .counter)])
        let value = SamplesRecord.encode(
            source: 1, watermark: noon, section: section, counts: [2, 3], times: [noon - 2, noon - 1, noon - 3, noon - 2, noon],
            values: [1, 2, 3, 4, 5])
        let recent = recent()
        try recent.apply(value, now: noon)
        #expect(recent.samples(of: a.id, from: 0, to: noon).values == [1, 2])
        #expect(recent.samples(of: b.id, from: 0, to: noon).values == [3, 4, 5])
        #expect(recent.key(of: b.id)?.key.type == .counter)
    }

    @Test func pruneForgetsAndLearnsAgain() throws {
        let recent = recent(span: 10 * minute)
        try recent.apply(scrape([(a, 1), (b, 1)], at: noon), now: noon)
        try recent.apply(scrape([(b, 2)], at: noon + 9 * minute), now: noon + 9 * minute)
        recent.prune(now: noon + 11 * minute)
        #expect(recent.key(of: a.id) == nil)
        #expect(recent.samples(of: b.id, from: 0, to: .max).values == [2])
        // The section that both came with is decoded anew.
        try recent.apply(scrape([(a, 3), (b, 3)], at: noon + 12 * minute), now: noon + 12 * minute)
        #expect(recent.samples(of: a.id, from: 0, to: .max).values == [3])
        #expect(recent.samples(of: b.id, from: 0, to: .max).values == [2, 3])
        #expect(recent.size.samples == 3)
    }

    @Test func memoryIsBoundedWhateverComes() throws {
        let seed: UInt64 = 21
        var generator = SplitMix64(seed: seed)
        let bytes = 24 * 2000
        let recent = recent(bytes: bytes)
        let keys = (0..<40).map { key("m\($0)") }
        for step in 0..<600 {
            let now = noon + Milliseconds(step) * 1000
            let jitter = Milliseconds.random(in: -300_000...300_000, using: &generator)
            let some = keys.filter { _ in Bool.random(using: &generator) }
            if some.isEmpty { continue }
            try recent.apply(scrape(some.map { ($0, Double(step)) }, at: now + jitter), now: now)
            if step % 50 == 0 { recent.prune(now: now) }
            #expect(recent.size.samples <= 2000, "seed \(seed), step \(step)")
        }
        #expect(recent.size.evicted > 0)
        let counted = recent.series().reduce(0) { $0 + recent.samples(of: $1.key.id, from: .min, to: .max).times.count }
        #expect(counted == recent.size.samples, "seed \(seed): the count and the samples drift apart")
    }

    @Test func brokenRecordsThrow() throws {
        let recent = recent()
        let good = scrape([(a, 1)], at: noon)
        for length in 0..<good.count { #expect(throws: (any Error).self) { try recent.apply(Array(good[..<length]), now: noon) } }
        #expect(recent.size.samples == 0)
    }
}

@Suite("Rates and sparklines")
struct SparklineTests {
    @Test func ratesHandleResetsAndGaps() {
        let rates = Rates.perSecond([0, 10_000, 20_000, 30_000, 400_000], [100, 150, 250, 20, 40])
        #expect(rates.times == [10_000, 20_000, 30_000])
        #expect(rates.values == [5, 10, 2])
        #expect(Rates.perSecond([0], [1]).times.isEmpty)
        #expect(Rates.perSecond([0, 1000, 2000], [1, .nan, 3]).values.isEmpty)
    }

    @Test func meansOfSteps() {
        let line = Sparkline(times: [100, 101, 110, 111, 130, 131], values: [99, 1, 3, 5, 7, 100], now: 125, span: 30, points: 3)
        #expect(line.from == 100 && line.step == 10)
        #expect(line.values == [2, 5, 7])
    }

    @Test func emptyStepsAreNull() {
        let line = Sparkline(times: [95], values: [4], now: 100, span: 40, points: 4)
        #expect(line.from == 70)
        #expect(line.values == [nil, nil, 4, nil])
    }
}
