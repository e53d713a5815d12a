import Analytics
import Records
import TimeSeries

extension SeriesProfile {
    /// The profile as docs/formats/prometheusdata.md gives it; periods in seconds, `step` in milliseconds.
    ///
    /// - Parameter cycles: those of the samples and longer ones together; nil for those of the samples alone.
    package func json(step: Milliseconds, filled: Int, cycles: [TimedCycle]? = nil) -> JSONValue {
        let cycles = cycles ?? timedCycles(step: step, start: nil)
        return [
            "samples": JSONValue(count), "stepMs": JSONValue(step), "interpolated": JSONValue(filled),
            "autocorrelation": autocorrelationJSON,
            "ljungBox": ljungBox.json {
                ["statistic": JSONValue($0.statistic), "pValue": JSONValue($0.pValue), "lags": JSONValue($0.lags)]
            },
            "partialAutocorrelation": pacf.json {
                ["values": .numbers($0.values), "bound": JSONValue($0.bound), "significantLags": .integers($0.significantLags)]
            },
            "stationarity": [
                "verdict": JSONValue(verdict.value?.rawValue), "reason": JSONValue(verdict.reason),
                "adf": adf.json(\.json), "adfTrend": adfTrend.json(\.json), "kpss": kpss.json(\.json), "kpssTrend": kpssTrend.json(\.json),
            ],
            "seasonality": .array(cycles.map(\.json)),
            "reason": JSONValue(reason),
        ]
    }

    /// The cycles of the samples; `start` is the time of the first one.
    package func timedCycles(step: Milliseconds, start: Milliseconds?) -> [TimedCycle] {
        seasonality.map { TimedCycle(cycle: $0, step: step, start: start) }
    }

    private var autocorrelationJSON: JSONValue {
        acf.json {
            ["values": .numbers($0.values), "bounds": .numbers($0.bounds), "significantLags": .integers(significantLags)]
        }
    }
}

extension JSONValue {
    fileprivate static func numbers(_ values: [Double]) -> JSONValue { .array(values.map { JSONValue($0) }) }
    fileprivate static func integers(_ values: [Int]) -> JSONValue { .array(values.map { .int(Int64($0)) }) }
}

extension Answer {
    /// The value's JSON, or `{"reason": ...}`.
    fileprivate func json(_ body: (Value) -> JSONValue) -> JSONValue {
        value.map(body) ?? ["reason": JSONValue(reason ?? "unknown")]
    }
}

extension TimedCycle {
    fileprivate var json: JSONValue {
        [
            "periodSeconds": JSONValue(period / 1000), "strength": JSONValue(cycle.strength), "stepMs": JSONValue(step),
            "start": start.map { JSONValue($0) } ?? .null, "component": .numbers(cycle.component),
        ]
    }
}

extension AugmentedDickeyFuller {
    fileprivate var json: JSONValue {
        [
            "statistic": JSONValue(statistic), "pValue": JSONValue(pValue), "lags": JSONValue(lags),
            "observations": JSONValue(observations),
            "criticalValues": [
                "1%": JSONValue(criticalValues.onePercent), "5%": JSONValue(criticalValues.fivePercent),
                "10%": JSONValue(criticalValues.tenPercent),
            ],
        ]
    }
}

extension KPSS {
    fileprivate var json: JSONValue {
        ["statistic": JSONValue(statistic), "pValue": JSONValue(pValue), "lags": JSONValue(lags)]
    }
}
