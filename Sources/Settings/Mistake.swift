/// Where a value was written.
package enum Place: Sendable, Equatable, CustomStringConvertible {
    /// Line and column count from 1, columns in Unicode scalars.
    case file(name: String, line: Int, column: Int)
    case environment(String)
    case flag(String)

    package var description: String {
        switch self {
        case .file(let name, let line, let column): return line > 0 ? "\(name):\(line):\(column)" : name
        case .environment(let name): return "environment variable \(name)"
        case .flag(let name): return "flag \(name)"
        }
    }
}

/// One thing that is wrong, where, and what would be right.
package struct Mistake: Error, Sendable, Equatable, CustomStringConvertible {
    package var place: Place
    /// The full path of the key, `collect.scrape[2].interval`; empty where the file as a whole is meant.
    package var key: String
    package var message: String

    package init(place: Place, key: String, message: String) {
        self.place = place
        self.key = key
        self.message = message
    }

    /// `almanac.yaml:7:15: collect.scrape[2].interval: ...`
    package var description: String {
        key.isEmpty ? "\(place): \(message)" : "\(place): \(key): \(message)"
    }
}

extension Mistake {
    /// In the order of the file, then flags and environment.
    static func precedes(_ a: Mistake, _ b: Mistake) -> Bool { a.sortKey < b.sortKey }

    private var sortKey: (Int, Int, Int, String) {
        switch place {
        case .file(_, let line, let column): return (0, line, column, key)
        case .flag(let name): return (1, 0, 0, name)
        case .environment(let name): return (2, 0, 0, name)
        }
    }
}
