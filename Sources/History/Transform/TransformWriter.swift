import Records
import TimeSeries

/// Appends lines of results to bytes, without an object a line.
package struct TransformWriter: Sendable {
    package var bytes: [UInt8] = []

    package init() {}

    private static let tab: UInt8 = 0x09

    /// Kind, series and time; then come `integer` twice, `number` seven times and `end`.
    @inline(__always)
    mutating func begin(_ kind: TransformLine.Kind, series: [UInt8], time: Milliseconds) {
        switch kind {
        case .windows: append("windows\t")
        case .profile: append("profile\t")
        case .forecast: append("forecast\t")
        }
        bytes.append(contentsOf: series)
        bytes.append(TransformWriter.tab)
        DecimalText.append(time, to: &bytes)
        bytes.append(TransformWriter.tab)
    }

    @inline(__always)
    mutating func integer(_ value: Int64?) {
        if let value { DecimalText.append(value, to: &bytes) } else { append("\\N") }
        bytes.append(TransformWriter.tab)
    }

    @inline(__always)
    mutating func number(_ value: Double?) {
        if let value { DecimalText.append(value, to: &bytes) } else { append("\\N") }
        bytes.append(TransformWriter.tab)
    }

    mutating func end(detail: [UInt8]?) {
        if let detail { bytes.append(contentsOf: detail) } else { append("\\N") }
        bytes.append(0x0A)
    }

    private mutating func append(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}

extension TransformWriter {
    /// One line for each window.
    package mutating func write(_ result: WindowsResult, series: [UInt8]) {
        for w in result.windows { write(w, series: series, time: result.time) }
    }

    package mutating func write(_ w: WindowStatistics, series: [UInt8], time: Milliseconds) {
        begin(.windows, series: series, time: time)
        integer(w.window)
        integer(Int64(w.count))
        number(w.min)
        number(w.max)
        number(w.avg)
        number(w.stddev)
        number(w.p50)
        number(w.p95)
        number(w.p99)
        end(detail: nil)
    }

    package mutating func write(_ result: ProfileResult, series: [UInt8]) {
        begin(.profile, series: series, time: result.time)
        integer(nil)
        integer(Int64(result.samples))
        for _ in 0..<7 { number(nil) }
        end(detail: result.detail.jsonBytes)
    }

    /// - Parameter samples: those that the forecast was made from.
    package mutating func write(_ result: ForecastResult, samples: Int, series: [UInt8]) {
        begin(.forecast, series: series, time: result.time)
        integer(result.horizon)
        integer(Int64(samples))
        for _ in 0..<7 { number(nil) }
        let detail: JSONValue = [
            "step": JSONValue(result.step), "reason": JSONValue(result.reason), "max": result.max?.json ?? .null,
            "min": result.min?.json ?? .null, "avg": result.avg?.json ?? .null, "path": .array(result.path.map(\.json)),
        ]
        end(detail: detail.jsonBytes)
    }
}
