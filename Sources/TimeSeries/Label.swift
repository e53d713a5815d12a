/// One name-value pair of a series' identity. Both are UTF-8 and hold no byte 0xFF (UTF-8 never does).
package struct Label: Hashable, Sendable, Comparable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }

    package static func < (a: Label, b: Label) -> Bool {
        // By bytes, as Prometheus sorts; `String <` compares unicode scalars in canonical order and differs from it.
        if a.name != b.name { return a.name.utf8.lexicographicallyPrecedes(b.name.utf8) }
        return a.value.utf8.lexicographicallyPrecedes(b.value.utf8)
    }
}

/// A series' full identity: labels sorted by the bytes of their names, each name once, no empty value
/// (a label with an empty value is the same as no label, as in Prometheus).
package struct LabelSet: Hashable, Sendable {
    /// The reserved label that holds the metric's name.
    package static let metricName = "__name__"

    package let labels: [Label]

    /// Sorts; drops empty values; of several labels with one name the last wins. O(n log n).
    package init(_ labels: [Label]) {
        var sorted = labels
        if !LabelSet.isCanonical(labels) {
            var byName: [String: String] = [:]
            for label in labels { byName[label.name] = label.value }
            sorted = byName.compactMap { $0.value.isEmpty ? nil : Label($0.key, $0.value) }.sorted()
        }
        self.labels = sorted
    }

    package init(name: String, _ labels: [Label] = []) {
        self.init([Label(LabelSet.metricName, name)] + labels)
    }

    private static func isCanonical(_ labels: [Label]) -> Bool {
        for (i, label) in labels.enumerated() {
            if label.value.isEmpty { return false }
            if i > 0, !labels[i - 1].name.utf8.lexicographicallyPrecedes(label.name.utf8) { return false }
        }
        return true
    }

    package subscript(_ name: String) -> String? { labels.first { $0.name == name }?.value }

    /// The metric's name, or "" if the set has none.
    package var name: String { self[LabelSet.metricName] ?? "" }

    /// The bytes that are hashed: for each label in order name, 0xFF, value, 0xFF.
    package var canonicalBytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(labels.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 2 })
        for label in labels {
            bytes.append(contentsOf: label.name.utf8)
            bytes.append(0xFF)
            bytes.append(contentsOf: label.value.utf8)
            bytes.append(0xFF)
        }
        return bytes
    }

    package var fingerprint: Fingerprint { Fingerprint(hashing: canonicalBytes) }
}

extension LabelSet: CustomStringConvertible {
    /// Prometheus notation: `name{a="b",c="d"}`; `{a="b"}` where there is no name.
    package var description: String {
        var text = name
        let rest = labels.filter { $0.name != LabelSet.metricName }
        if rest.isEmpty && !text.isEmpty { return text }
        text += "{"
        for (i, label) in rest.enumerated() {
            if i > 0 { text += "," }
            text += label.name
            text += "=\""
            text += LabelSet.escaped(label.value)
            text += "\""
        }
        return text + "}"
    }

    private static func escaped(_ value: String) -> String {
        guard value.utf8.contains(where: { $0 == 0x5C || $0 == 0x22 || $0 == 0x0A }) else { return value }
        var out = ""
        for c in value.unicodeScalars {
            switch c {
            case "\\": out += "\\\\"
            case "\"": out += "\\\""
            case "\n": out += "\\n"
            default: out.unicodeScalars.append(c)
            }
        }
        return out
    }
}
