import TimeSeries

/// Label matchers, checked and compiled once. All must hold. Regular expressions match the whole value, as in Prometheus.
package struct SeriesMatcher: Sendable {
    private enum Test: Sendable {
        case equal(String, negated: Bool)
        case regex(LinearRegex, negated: Bool)
    }

    private let tests: [(label: String, test: Test)]
    /// The metric name that every match has, where the matchers say so: a store looks it up in its index.
    package let requiredName: String?
    /// Instructions of all its regular expressions: what a character of a value costs at most.
    package var size: Int {
        tests.reduce(0) { sum, test in if case .regex(let regex, _) = test.test { sum + regex.size } else { sum } }
    }

    /// Throws `StorageError` (`usage`) for a regular expression that cannot be read.
    package init(_ matchers: [LabelMatcher]) throws(StorageError) {
        var tests: [(label: String, test: Test)] = []
        var name: String?
        for matcher in matchers {
            switch matcher.operation {
            case .equal:
                tests.append((matcher.name, .equal(matcher.value, negated: false)))
                if matcher.name == LabelSet.metricName, !matcher.value.isEmpty { name = matcher.value }
            case .notEqual: tests.append((matcher.name, .equal(matcher.value, negated: true)))
            case .matches: tests.append((matcher.name, .regex(try SeriesMatcher.compile(matcher), negated: false)))
            case .notMatches: tests.append((matcher.name, .regex(try SeriesMatcher.compile(matcher), negated: true)))
            }
        }
        self.tests = tests
        requiredName = name
    }

    private static func compile(_ matcher: LabelMatcher) throws(StorageError) -> LinearRegex {
        do {
            return try LinearRegex(matcher.value)
        } catch {
            throw StorageError(
                .usage,
                "the regular expression of the matcher \(matcher.name)\(matcher.operation.rawValue)"
                    + "\"\(matcher.value)\" cannot be read: \(error)")
        }
    }

    /// O(labels x matchers); a regular expression takes at most its size times the length of the value.
    package func matches(_ labels: LabelSet) -> Bool {
        for (label, test) in tests {
            let value = labels[label] ?? ""
            switch test {
            // Bytes are compared: `String ==` takes differently composed characters for equal.
            case .equal(let wanted, let negated): if value.utf8.elementsEqual(wanted.utf8) == negated { return false }
            case .regex(let regex, let negated): if regex.matches(value) == negated { return false }
            }
        }
        return true
    }
}
