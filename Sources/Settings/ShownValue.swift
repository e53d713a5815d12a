/// A value as it is printed.
indirect enum ShownValue: Sendable {
    case scalar(String)
    case list([ShownValue])
    case map([(String, ShownValue)])

    private var isEmpty: Bool {
        switch self {
        case .scalar: return false
        case .list(let elements): return elements.isEmpty
        case .map(let pairs): return pairs.isEmpty
        }
    }

    /// Block YAML; reading it gives the same values back (but secrets, which show as a mask).
    func yaml(indentation: Int = 0) -> String {
        let space = String(repeating: " ", count: indentation)
        switch self {
        case .scalar(let text): return ShownValue.quoted(text)
        case .list(let elements):
            if elements.isEmpty { return "[]" }
            if elements.allSatisfy(\.isScalar) { return "[\(elements.map { $0.yaml() }.joined(separator: ", "))]" }
            return elements.map { element in
                let body = element.yaml(indentation: indentation + 2)
                return space + "- " + body.drop { $0 == " " }
            }.joined(separator: "\n")
        case .map(let pairs):
            if pairs.isEmpty { return "{}" }
            return pairs.map { key, value in
                let body = value.yaml(indentation: indentation + 2)
                let isInline = value.isScalar || value.isEmpty || !body.hasPrefix(" ")
                return "\(space)\(ShownValue.quoted(key)):\(isInline ? " " : "\n")\(body)"
            }.joined(separator: "\n")
        }
    }

    private var isScalar: Bool { if case .scalar = self { true } else { false } }

    /// Plain where that is safe in every place, else in double quotes.
    private static func quoted(_ text: String) -> String {
        let isSafe =
            !text.isEmpty && text != "~" && text.lowercased() != "null" && text.last != ":"
            && text.utf8.allSatisfy { c in
                (0x30...0x39).contains(c) || (0x41...0x5A).contains(c) || (0x61...0x7A).contains(c) || "_./:-<>%+".utf8.contains(c)
            } && !"-:>%".contains(text.first ?? "-")
        if isSafe { return text }
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\t": out += "\\t"
            default:
                if scalar.value < 0x20 || scalar.value == 0x7F || scalar.value == 0xFEFF {
                    let hex = String(scalar.value, radix: 16)
                    out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
                } else {
                    out.unicodeScalars.append(scalar)
                }
            }
        }
        return out + "\""
    }
}
