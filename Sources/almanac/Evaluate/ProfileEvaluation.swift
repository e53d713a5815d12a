import Analytics
import Records

/// One line of `evaluate profile`: what others need to check the numbers.
enum ProfileEvaluation {
    /// - Parameter period: in samples; with one, STL and the classical decomposition of it are given too.
    static func json(_ file: ValueFile, period: Int? = nil) -> JSONValue {
        let profile = Analytics.profile(of: file.values, acfLags: 40, pacfLags: 20)
        let more = ReferenceFields(values: file.values)
        let own: JSONValue = [
            "file": .string(file.name), "n": JSONValue(profile.count), "acf": numbers(profile.acf.value?.values),
            "ljungBox": profile.ljungBox.value.map { ["q": JSONValue($0.statistic), "pValue": JSONValue($0.pValue)] } ?? .null,
            "pacf": numbers(profile.pacf.value?.values),
            "adf": dickeyFuller(profile.adf), "adfTrend": dickeyFuller(profile.adfTrend),
            "kpss": kpss(profile.kpss), "kpssTrend": kpss(profile.kpssTrend),
            "verdict": JSONValue(profile.verdict.value?.rawValue),
            "seasonality": .array(profile.seasonality.map { ["period": JSONValue($0.period), "strength": JSONValue($0.strength)] }),
            "reason": JSONValue(profile.reason), "burg": more.burg, "windows": more.windows,
        ]
        guard let period else { return own }
        return .object((own.objectValue ?? []) + [("stl", more.stl(period: period)), ("decompose", more.decompose(period: period))])
    }

    private static func numbers(_ values: [Double]?) -> JSONValue { values.map { .array($0.map { JSONValue($0) }) } ?? .null }

    private static func dickeyFuller(_ test: Answer<AugmentedDickeyFuller>) -> JSONValue {
        guard let value = test.value else { return ["reason": JSONValue(test.reason)] }
        return [
            "statistic": JSONValue(value.statistic), "pValue": JSONValue(value.pValue), "lags": JSONValue(value.lags),
            "observations": JSONValue(value.observations),
        ]
    }

    private static func kpss(_ test: Answer<KPSS>) -> JSONValue {
        guard let value = test.value else { return ["reason": JSONValue(test.reason)] }
        return ["statistic": JSONValue(value.statistic), "pValue": JSONValue(value.pValue), "lags": JSONValue(value.lags)]
    }
}
