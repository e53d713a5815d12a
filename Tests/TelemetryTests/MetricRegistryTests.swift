import Testing

@testable import Telemetry

@Suite struct MetricRegistryTests {
    @Test func aPageHoldsAllKindsSortedAndEscaped() {
        let registry = MetricRegistry()
        registry.counter("b_total", help: "Counts.", labels: [("reason", "a\"b\\c\nd")]).add(3)
        registry.gauge("a_bytes", help: "Size.").set(2.5)
        let histogram = registry.histogram("c_seconds", help: "Times.", bounds: [0.1, 1], labels: [("kind", "x")])
        for value in [0.05, 0.1, 0.5, 7] { histogram.observe(value) }
        #expect(
            registry.render() == """
                # HELP a_bytes Size.
                # TYPE a_bytes gauge
                a_bytes 2.5
                # HELP b_total Counts.
                # TYPE b_total counter
                b_total{reason="a\\"b\\\\c\\nd"} 3
                # HELP c_seconds Times.
                # TYPE c_seconds histogram
                c_seconds_bucket{kind="x",le="0.1"} 2
                c_seconds_bucket{kind="x",le="1"} 3
                c_seconds_bucket{kind="x",le="+Inf"} 4
                c_seconds_sum{kind="x"} 7.65
                c_seconds_count{kind="x"} 4

                """)
    }

    @Test func theSameNameAndLabelsAreTheSameInstrument() async {
        let registry = MetricRegistry()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask { for _ in 0..<1_000 { registry.counter("x_total", help: "X.").add() } }
            }
        }
        #expect(registry.counter("x_total", help: "X.").value == 8_000)
    }

    @Test func collectorsRunBeforeEachPage() {
        let registry = MetricRegistry()
        let gauge = registry.gauge("depth", help: "Depth.")
        registry.onCollect { gauge.set(gauge.value + 1) }
        _ = registry.render()
        #expect(registry.render().contains("depth 2\n"))
    }

    @Test func oddValuesAreWrittenAsPrometheusReadsThem() {
        let registry = MetricRegistry()
        registry.gauge("g", help: "G.").set(.nan)
        #expect(registry.render().contains("g NaN\n"))
        registry.gauge("g", help: "G.").set(-.infinity)
        #expect(registry.render().contains("g -Inf\n"))
    }
}
