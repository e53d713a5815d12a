import Foundation
import TestSupport

/// One series of the golden file with the values it was computed from.
struct GoldenSeries: CustomStringConvertible, Sendable {
    struct ADF: Decodable, Sendable {
        let stat: Double
        let p: Double
        let lag: Int
        let nobs: Int?
        let crit: [String: Double]?
        let icbest: Double?
    }

    struct KPSS: Decodable, Sendable {
        let stat: Double
        let p: Double
        let lags: Int
    }

    struct Entry: Decodable, Sendable {
        let name: String
        let y: [Double]?
        let adf_c_aic: ADF
        let adf_ct_aic: ADF
        let kpss_c: KPSS
        let kpss_ct: KPSS
        let acf40: [Double]
        let ljungbox_q40: Double
        let ljungbox_p40: Double
        let pacf_ldb20: [Double]
        let burg10: [Double]
        let burg10_s2: Double
    }

    let expected: Entry
    let values: [Double]
    var name: String { expected.name }
    var description: String { name }

    static let all: [GoldenSeries] = load()

    static func values(_ name: String) -> [Double] { all.first { $0.name == name }?.values ?? [] }

    private static func load() -> [GoldenSeries] {
        guard let folder = Bundle.module.url(forResource: "Golden", withExtension: nil),
            let data = try? Data(contentsOf: folder.appendingPathComponent("statsmodels.json")),
            let entries = try? JSONDecoder().decode([Entry].self, from: data)
        else { return [] }
        return entries.map { entry in
            GoldenSeries(expected: entry, values: entry.y ?? read(folder.appendingPathComponent(entry.name + ".csv")))
        }
    }

    private static func read(_ url: URL) -> [Double] {
        guard let text = try? String(contentsOf: url, encoding: .utf8) else { return [] }
        return text.split(separator: "\n").dropFirst().compactMap { Double($0) }
    }
}

/// |a - b| relative to the larger magnitude.
func relativeError(_ a: Double?, _ b: Double) -> Double {
    guard let a else { return .infinity }
    return a == b ? 0 : abs(a - b) / max(abs(a), abs(b))
}

func finite(_ values: [Double]) -> Bool { values.allSatisfy { $0.isFinite } }

extension SplitMix64 {
    /// Box-Muller.
    mutating func normal() -> Double {
        let u = Double.random(in: Double.leastNonzeroMagnitude..<1, using: &self)
        let v = Double.random(in: 0..<1, using: &self)
        return (-2 * log(u)).squareRoot() * cos(2 * .pi * v)
    }

    mutating func noise(_ count: Int) -> [Double] { (0..<count).map { _ in normal() } }

    /// x[t] = a x[t - 1] + noise
    mutating func autoregression(_ a: Double, count: Int) -> [Double] {
        var x = 0.0
        return (0..<count).map { _ in
            x = a * x + normal()
            return x
        }
    }
}
