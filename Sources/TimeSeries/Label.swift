/// A text that equals another only if their bytes are the same, as fingerprints and matchers have it. `String ==` also takes texts for equal that are
/// composed differently (U+00E9, or e and U+0301).
package struct ExactText: Hashable, Sendable {
    package let text: String

    package init(_ text: String) { self.text = text }

    package static func == (a: ExactText, b: ExactText) -> Bool { areSame(a.text, b.text) }

    /// Whether two texts have the same bytes. O(n).
    package static func areSame(_ a: String, _ b: String) -> Bool { a == b && a.utf8.elementsEqual(b.utf8) }
}

/// One name-value pair of a series' identity, equal to another if both are byte by byte. Both are UTF-8 and hold no byte 0xFF (UTF-8 never does).
package struct Label: Hashable, Sendable, Comparable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }

    package static func == (a: Label, b: Label) -> Bool { ExactText.areSame(a.name, b.name) && ExactText.areSame(a.value, b.value) }

    package static func < (a: Label, b: Label) -> Bool {
        // By bytes, as Prometheus sorts; `String <` compares unicode scalars in canonical order and differs from it.
        if !ExactText.areSame(a.name, b.name) { return a.name.utf8.lexicographicallyPrecedes(b.name.utf8) }
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
            var byName: [ExactText: String] = [:]
            for label in labels { byName[ExactText(label.name)] = label.value }
            sorted = byName.compactMap { $0.value.isEmpty ? nil : Label($0.key.text, $0.value) }.sorted()
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

    package subscript(_ name: String) -> String? { labels.first { ExactText.areSame($0.name, name) }?.value }

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
    /// Prometheus notation: `name{a="b",c="d"}`; `{a="b"}` where there is no name. Names that Prometheus could not write bare stand in quotes:
    /// `{"odd name","odd label"="x"}`.
    package var description: String {
        let isBare = LabelSet.isBare(name.utf8, colons: true)
        var text = isBare ? name : ""
        let rest = labels.filter { $0.name != LabelSet.metricName }
        if rest.isEmpty && isBare { return text }
        text += "{"
        var parts = isBare || name.isEmpty ? [] : ["\"\(LabelSet.escaped(name))\""]
        for label in rest {
            let own = LabelSet.isBare(label.name.utf8, colons: false) ? label.name : "\"\(LabelSet.escaped(label.name))\""
            parts.append("\(own)=\"\(LabelSet.escaped(label.value))\"")
        }
        return text + parts.joined(separator: ",") + "}"
    }

    /// What stands without quotes.
    private static func isBare(_ name: String.UTF8View, colons: Bool) -> Bool {
        guard let first = name.first, !(0x30...0x39).contains(first) else { return false }
        return name.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F: true
            case 0x3A: colons
            default: false
            }
        }
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
