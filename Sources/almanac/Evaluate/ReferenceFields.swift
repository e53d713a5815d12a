import Analytics
import Records
import TimeSeries

/// The parts of `evaluate profile` that no profile holds: Burg's model, the summaries of the newest values, and with a period the
/// decompositions, each at a few indices.
struct ReferenceFields {
    let values: [Double]

    /// Of order 10.
    var burg: JSONValue {
        let answer = Analytics.burg(of: values, order: max(1, min(10, values.count - 2)))
        return answer.value.map { ["coefficients": numbers($0.coefficients), "variance": JSONValue($0.variance)] } ?? reason(answer.reason)
    }

    /// Of the last 240 and 720 values; the deviation has the divisor n - 1. Values that are not finite are left out.
    var windows: JSONValue {
        var members: [(key: String, value: JSONValue)] = []
        for length in [240, 720] where length <= values.count {
            var moments = Moments()
            for value in values.suffix(length) where value.isFinite { moments.add(value) }
            let isEmpty = moments.count == 0
            members.append(
                (
                    "\(length)",
                    [
                        "count": JSONValue(moments.count), "max": isEmpty ? .null : JSONValue(moments.max),
                        "min": isEmpty ? .null : JSONValue(moments.min), "mean": isEmpty ? .null : JSONValue(moments.mean),
                        "stddev": moments.stddev.map { JSONValue($0) } ?? .null,
                    ]
                ))
        }
        return .object(members)
    }

    /// The trend at the first, a middle and the last index, the season at the same, deviation of the residual, strengths.
    func stl(period: Int) -> JSONValue {
        let answer = Analytics.stl(values, period: period)
        guard let fit = answer.value else { return reason(answer.reason) }
        let last = values.count - 1
        let indices = [0, min(1000, values.count / 2), last]
        var residual = Moments()
        for value in fit.residual { residual.add(value) }
        let deviation = residual.count > 0 ? (residual.m2 / Double(residual.count)).squareRoot() : 0
        return [
            "trend": numbers(indices.map { fit.trend[$0] }), "seasonal": numbers(indices.map { fit.seasonal[0][$0] }),
            "residualDeviation": JSONValue(deviation), "seasonalStrength": JSONValue(fit.seasonalStrengths[0]),
            "trendStrength": JSONValue(fit.trendStrength),
        ]
    }

    /// The first five values of the cycle, the trend at the first, a middle and the last index that has one.
    func decompose(period: Int) -> JSONValue {
        let answer = seasonalDecompose(values, period: period)
        guard let fit = answer.value else { return reason(answer.reason) }
        let half = period / 2
        let indices = [half, min(1000, values.count / 2), values.count - 1 - half]
        return ["seasonal": numbers(Array(fit.seasonal[0].prefix(5))), "trend": numbers(indices.map { fit.trend[$0] })]
    }

    private func numbers(_ values: [Double]) -> JSONValue { .array(values.map { JSONValue($0) }) }
    private func reason(_ text: String?) -> JSONValue { ["reason": JSONValue(text)] }
}
