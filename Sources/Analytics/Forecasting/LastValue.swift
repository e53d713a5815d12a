/// Nothing changes: the best forecast of a random walk, and the yardstick of all others.
package struct LastValue: ForecastCandidate {
    package let kind = CandidateKind.lastValue
    package let parameters: [Float] = []
    package let reach = 1

    package init() {}

    package func forecast(_ values: [Double], origins: ForecastOrigins, horizon: Int, into paths: inout [Double]) {
        for i in 0..<origins.count {
            let value = values[origins[i] - 1]
            for s in 0..<horizon { paths[i * horizon + s] = value }
        }
    }
}
