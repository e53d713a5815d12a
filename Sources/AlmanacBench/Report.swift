import Dispatch
import Glibc

/// Lines of a benchmark: what, how much, and the figure that was promised.
struct Report {
    private var lines: [(name: String, value: Double, unit: String, promise: String)] = []

    mutating func add(_ name: String, _ value: Double, _ unit: String, limit: Double? = nil, isCeiling: Bool = true) {
        var promise = ""
        if let limit {
            let isMet = isCeiling ? value <= limit : value >= limit
            promise = "\(isCeiling ? "at most" : "at least") \(rounded(limit)): \(isMet ? "met" : "MISSED")"
        }
        lines.append((name, value, unit, promise))
        print("  \(name): \(rounded(value)) \(unit)\(promise.isEmpty ? "" : "  (\(promise))")")
    }
}

func rounded(_ value: Double) -> String {
    if value.magnitude >= 1000 { return "\(Int(value))" }
    let scale = value.magnitude >= 10 ? 100.0 : 1000.0
    return "\((value * scale).rounded() / scale)"
}

/// Median seconds of `runs` runs after one to warm up.
func measure(runs: Int, _ body: () throws -> Void) rethrows -> Double {
    try body()
    var seconds: [Double] = []
    for _ in 0..<runs {
        let started = DispatchTime.now().uptimeNanoseconds
        try body()
        seconds.append(Double(DispatchTime.now().uptimeNanoseconds - started) / 1e9)
    }
    seconds.sort()
    return seconds[seconds.count / 2]
}
