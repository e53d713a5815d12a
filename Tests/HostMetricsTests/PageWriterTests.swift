import TestSupport
import Testing

@testable import HostMetrics

@Suite struct PageWriterTests {
    private func written(_ value: MetricValue) -> String {
        var page = PageWriter()
        page.sample("m", .none, value)
        return String(decoding: page.bytes.dropFirst(2).dropLast(), as: UTF8.self)
    }

    @Test func values() {
        #expect(written(.integer(0)) == "0")
        #expect(written(.integer(.max)) == "18446744073709551615")
        #expect(written(.signed(-12)) == "-12")
        #expect(written(.signed(.min)) == "-9223372036854775808")
        #expect(written(.decimal(44299, digits: 2)) == "442.99")
        #expect(written(.decimal(44205, digits: 2)) == "442.05")
        #expect(written(.decimal(44200, digits: 2)) == "442")
        #expect(written(.decimal(7, digits: 6)) == "0.000007")
        #expect(written(.real(0.42)) == "0.42")
        #expect(written(.real(.nan)) == "NaN")
        #expect(written(.real(-.infinity)) == "-Inf")
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func decimalsKeepTheirValue(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        for _ in 0..<500 {
            let units = UInt64.random(in: 0...(1 << UInt64.random(in: 1...52, using: &generator)), using: &generator)
            let value = try #require(Double(written(.decimal(units, digits: 3))))
            #expect(value == Double(units) / 1000, "\(units), seed \(seed)")
        }
    }

    @Test func labelValuesAreEscaped() {
        var page = PageWriter()
        page.sample("m", LabelText(("a", "b\\c\"d\ne"), ("f", "é{},=")), .integer(1))
        #expect(String(decoding: page.bytes, as: UTF8.self) == "m{a=\"b\\\\c\\\"d\\ne\",f=\"é{},=\"} 1\n")
    }

    @Test func familyIsHelpTypeSamples() {
        var page = PageWriter()
        page.single("node_load1", .gauge, "Load.", .real(1.5))
        #expect(String(decoding: page.bytes, as: UTF8.self) == "# HELP node_load1 Load.\n# TYPE node_load1 gauge\nnode_load1 1.5\n")
    }

    @Test func truncateTakesBack() {
        var page = PageWriter()
        page.single("a", .gauge, "A.", .integer(1))
        let before = page.bytes
        page.single("b", .gauge, "B.", .integer(1))
        page.truncate(to: before.count)
        #expect(page.bytes == before)
    }
}

@Suite struct CPUTicksGuardTests {
    private func cpu(_ number: UInt64, _ idle: UInt64, iowait: UInt64 = 0) -> CPUTicks {
        CPUTicks(cpu: number, ticks: [10, 0, 0, idle, iowait, 0, 0, 0, 0, 0])
    }

    @Test func aSmallStepBackIsHeld() {
        var ticks = CPUTicksGuard()
        _ = ticks.steady([cpu(0, 1000, iowait: 50)])
        #expect(ticks.steady([cpu(0, 990, iowait: 40)]) == [cpu(0, 1000, iowait: 50)])
        #expect(ticks.steady([cpu(0, 1001, iowait: 49)]) == [cpu(0, 1001, iowait: 50)])
    }

    @Test func aLargeStepBackIsARestart() {
        var ticks = CPUTicksGuard()
        _ = ticks.steady([cpu(0, 1000, iowait: 50)])
        #expect(ticks.steady([cpu(0, 700, iowait: 1)]) == [cpu(0, 700, iowait: 1)])
        #expect(ticks.steady([cpu(0, 699, iowait: 0)]) == [cpu(0, 700, iowait: 1)])
    }

    @Test func processorsAreApart() {
        var ticks = CPUTicksGuard()
        _ = ticks.steady([cpu(0, 1000), cpu(1, 500)])
        #expect(ticks.steady([cpu(1, 499), cpu(2, 3)]) == [cpu(1, 500), cpu(2, 3)])
        #expect(ticks.steady([cpu(0, 999)]) == [cpu(0, 999)], "a processor that was away starts anew")
    }
}
