import Exposition

/// A row as text, for comparing whole pages.
struct Row: Equatable {
    var series: String
    var value: Double
    var time: Int64?
    var type: RowType

    init(_ series: String, _ value: Double, time: Int64? = nil, _ type: RowType = .unknown) {
        self.series = series
        self.value = value
        self.time = time
        self.type = type
    }

    static func == (a: Row, b: Row) -> Bool {
        a.series == b.series && a.time == b.time && a.type == b.type
            && (a.value.bitPattern == b.value.bitPattern || a.value.isNaN && b.value.isNaN)
    }
}

func rows(
    _ page: [UInt8], _ format: ExpositionFormat = .prometheusText, maxSeries: Int = .max
) throws(ExpositionError) -> [Row] {
    var parser = ExpositionParser(format: format, maxSeries: maxSeries)
    var parsed = ParsedPage()
    try parser.parse(page, into: &parsed)
    return parsed.values.indices.map { i in
        let series = String(decoding: page[parsed.seriesRange(i)], as: UTF8.self)
        return Row(series, parsed.values[i], time: parsed.times[i] == ParsedPage.noTime ? nil : parsed.times[i], parsed.types[i])
    }
}

func rows(_ page: String, _ format: ExpositionFormat = .prometheusText) throws(ExpositionError) -> [Row] {
    try rows(Array(page.utf8), format)
}

/// The error of a page that must not parse; nil if it does.
func failure(_ page: [UInt8], _ format: ExpositionFormat = .prometheusText, maxSeries: Int = .max) -> ExpositionError? {
    do throws(ExpositionError) {
        _ = try rows(page, format, maxSeries: maxSeries)
        return nil
    } catch {
        return error
    }
}

func failure(_ page: String, _ format: ExpositionFormat = .prometheusText) -> ExpositionError? {
    failure(Array(page.utf8), format)
}

/// A small page with everything that exporters send, in both formats.
let textSample = """
    # A free comment
    # HELP go_gc_duration_seconds A summary of the pause duration of garbage collection cycles.
    # TYPE go_gc_duration_seconds summary
    go_gc_duration_seconds{quantile="0"} 3.0579e-05
    go_gc_duration_seconds{quantile="0.25"} 4.2981e-05
    go_gc_duration_seconds{quantile="1"} 0.000125542
    go_gc_duration_seconds_sum 0.010459421
    go_gc_duration_seconds_count 191

    # HELP node_cpu_seconds_total Seconds the CPUs spent in each mode.
    # TYPE node_cpu_seconds_total counter
    node_cpu_seconds_total{cpu="0",mode="idle"} 1.59261234e+06
    node_cpu_seconds_total{cpu="0",mode="iowait"} 1003.4
    node_cpu_seconds_total{cpu="1",mode="idle"} 0.30000000000000004
    # TYPE http_request_duration_seconds histogram
    http_request_duration_seconds_bucket{handler="/metrics",le="0.1"} 24054
    http_request_duration_seconds_bucket{handler="/metrics",le="+Inf"} 24588
    http_request_duration_seconds_sum{handler="/metrics"} 53423.1
    http_request_duration_seconds_count{handler="/metrics"} 24588
    # TYPE node_filesystem_free_bytes gauge
    node_filesystem_free_bytes{device="C:\\\\DIR",mountpoint="a \\"quoted\\" dir\\nétage"} -Inf 1395066363000
    something_weird{problem="division by zero"} +Inf -3982045
    {"my.metric",region="eu"} NaN

    """

let openMetricsSample = """
    # TYPE go_gc_duration_seconds summary
    # UNIT go_gc_duration_seconds seconds
    # HELP go_gc_duration_seconds Pause durations, \\"stopped\\" world.
    go_gc_duration_seconds{quantile="0"} 3.0579e-05
    go_gc_duration_seconds{quantile="1.0"} 0.000125542
    go_gc_duration_seconds_sum 0.010459421
    go_gc_duration_seconds_count 191
    # TYPE requests counter
    requests_total{code="200"} 1027 1395066363 # {trace_id="KOO5S4vxi0o"} 0.67
    requests_created{code="200"} 1395066000.25 1395066363
    requests_total{code="\\"4\\n\\\\00"} 3
    # TYPE latency histogram
    latency_bucket{le="0.1"} 8 # {} 0.054
    latency_bucket{le="+Inf"} 17 # {trace_id="oHg5SJYRHA0"} 9.8 1520879607.789
    latency_count 17
    latency_sum 324789.3
    latency_created 1520430000.123
    # TYPE queue gaugehistogram
    queue_bucket{le="1"} 20
    queue_bucket{le="+Inf"} 42
    queue_gcount 42
    queue_gsum 3289.3
    # TYPE build info
    build_info{version="8.2.7"} 1
    # TYPE feature stateset
    feature{feature="a"} 1
    feature{feature="b"} 0
    # TYPE temperature gauge
    temperature NaN
    unannounced{é="never"} 1
    # EOF

    """.replacing("é", with: "e")
