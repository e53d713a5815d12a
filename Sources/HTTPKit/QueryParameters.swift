import Hummingbird

/// The decoded query of a request: names may come several times, the order is kept.
package struct QueryParameters: Sendable {
    package private(set) var pairs: [(name: String, value: String)] = []
    /// Left of the `?` of what was asked for, and what is right of it, as they came.
    package let raw: String

    /// Throws a 400 problem for a broken percent-encoding.
    package init(_ query: String?) throws(Problem) {
        raw = query ?? ""
        for part in raw.split(separator: "&") {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = PercentCoding.decode(sides[0], plusIsSpace: true) else {
                throw Problem(.badRequest, title: "Bad parameter", detail: "the name of a parameter has a broken percent-encoding")
            }
            guard let value = PercentCoding.decode(sides.count > 1 ? sides[1] : "", plusIsSpace: true) else {
                throw Problem.badParameter(name, "its value has a broken percent-encoding")
            }
            pairs.append((name, value))
        }
    }

    package func values(_ name: String) -> [String] { pairs.filter { $0.name == name }.map(\.value) }

    /// The one value, nil if absent. Throws a 400 problem if it comes more than once.
    package func single(_ name: String) throws(Problem) -> String? {
        let all = values(name)
        if all.count > 1 { throw Problem.badParameter(name, "given \(all.count) times; give it once") }
        return all.first
    }

    /// An integer within a range, or the default if it is absent.
    package func integer(_ name: String, in range: ClosedRange<Int>, default fallback: Int) throws(Problem) -> Int {
        guard let text = try single(name) else { return fallback }
        guard let value = Int(text), range.contains(value) else {
            throw Problem.badParameter(name, "'\(text)' is not an integer from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// Throws a 400 problem that names a parameter which is not among `known`.
    package func refuseUnknown(_ known: [String]) throws(Problem) {
        for (name, _) in pairs where !known.contains(name) {
            let what = known.isEmpty ? "unknown; this path takes none" : "unknown; this path takes \(known.joined(separator: ", "))"
            throw Problem.badParameter(name, what)
        }
    }
}
