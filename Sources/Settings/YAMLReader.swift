import Yams

/// Turns YAML text into a `RawNode` tree.
///
/// Yams refuses a mapping with a repeated key and names only one of them; so that all mistakes of a file are found, the repeated key
/// is masked by a letter of the private use area (same length, so no place shifts) and the text is read again.
struct YAMLReader {
    /// Bounds on what a configuration may be; beyond them it is a mistake (or an attack by aliases).
    static let maximumBytes = 1 << 20
    private static let maximumNodes = 200_000
    private static let maximumRepeats = 500
    private static let maskBase: UInt32 = 0xE000

    private let place: @Sendable (_ line: Int, _ column: Int) -> Place
    private var text: String
    private var maskedKeys: [String: String] = [:]
    private var nodes = 0

    /// `place` makes the place of a line and column.
    private init(_ text: String, place: @escaping @Sendable (Int, Int) -> Place) {
        self.text = text
        self.place = place
    }

    /// The document's root; nil for an empty one. Throws the one mistake that makes the text unreadable.
    static func read(_ text: String, place: @escaping @Sendable (_ line: Int, _ column: Int) -> Place) throws(Mistake) -> RawNode? {
        guard text.utf8.count <= maximumBytes else {
            throw Mistake(place: place(0, 0), key: "", message: "is larger than 1 MiB; that is no configuration of almanac")
        }
        var reader = YAMLReader(text, place: place)
        guard let node = try reader.compose() else { return nil }
        return try reader.convert(node)
    }

    private mutating func compose() throws(Mistake) -> Node? {
        while true {
            do {
                return try Yams.compose(yaml: text, .default, .default, .utf8)
            } catch YamlError.duplicatedKeysInMapping(let names, let context) {
                guard mask(names: names, mark: context.mark) else {
                    let name = names.first ?? ""
                    throw Mistake(place: place(context.mark.line, context.mark.column), key: name, message: "is given more than once")
                }
            } catch {
                throw syntaxMistake(error)
            }
        }
    }

    /// Replaces the first letter of the key that stands at `mark`. False if what stands there is not simply one of the names.
    private mutating func mask(names: [String], mark: Mark) -> Bool {
        guard maskedKeys.count < YAMLReader.maximumRepeats, let letter = Unicode.Scalar(YAMLReader.maskBase + UInt32(maskedKeys.count))
        else { return false }
        var scalars = Array(text.unicodeScalars)
        var line = 1
        guard
            var at = scalars.indices.first(where: { i in
                if line == mark.line { return true }
                if YAMLReader.isLineBreak(scalars, i) { line += 1 }
                return false
            })
        else { return false }
        at += mark.column - 1
        guard at < scalars.count else { return false }
        if scalars[at] == "\"" || scalars[at] == "'" { at += 1 }
        guard let name = names.first(where: { YAMLReader.stands($0, in: scalars, at: at) }) else { return false }
        scalars[at] = letter
        text = String(String.UnicodeScalarView(scalars))
        maskedKeys[String(Character(letter)) + String(String.UnicodeScalarView(name.unicodeScalars.dropFirst()))] = name
        return true
    }

    private static func isLineBreak(_ scalars: [Unicode.Scalar], _ i: Int) -> Bool {
        switch scalars[i].value {
        case 0x0A, 0x85, 0x2028, 0x2029: return true
        case 0x0D: return i + 1 >= scalars.count || scalars[i + 1] != "\n"
        default: return false
        }
    }

    private static func stands(_ name: String, in scalars: [Unicode.Scalar], at: Int) -> Bool {
        let letters = Array(name.unicodeScalars)
        return !letters.isEmpty && at + letters.count <= scalars.count && Array(scalars[at..<(at + letters.count)]) == letters
    }

    private func syntaxMistake(_ error: any Error) -> Mistake {
        guard let error = error as? YamlError else {
            return Mistake(place: place(1, 1), key: "", message: "cannot be read as YAML: \(error)")
        }
        switch error {
        case .composer(_, let problem, let mark, _):
            return Mistake(place: place(mark.line, mark.column), key: "", message: "is not YAML as almanac reads it: \(problem)")
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _):
            let detail = context.map { " (\($0.text) that began at line \($0.mark.line), column \($0.mark.column))" } ?? ""
            return Mistake(
                place: place(mark.line, mark.column), key: "", message: "is not YAML: \(problem)\(detail)\(hint(problem, at: mark))")
        case .reader(let problem, _, _, _):
            let (line, column) = firstControlCharacter
            return Mistake(place: place(line, column), key: "", message: "is not YAML: \(problem)")
        default:
            return Mistake(place: place(1, 1), key: "", message: "cannot be read as YAML: \(error)")
        }
    }

    /// What the two most common slips need; libyaml's words for them help nobody.
    private func hint(_ problem: String, at mark: Mark) -> String {
        if problem.hasPrefix("mapping values are not allowed") {
            return "; put quotes round a text that holds \": \", or begin a section on a new line with more indentation"
        }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.indices.contains(mark.line - 1) else { return "" }
        let indentation = lines[mark.line - 1].prefix { $0 == " " || $0 == "\t" }
        return indentation.contains("\t") ? "; indent with spaces, YAML allows no tabs" : ""
    }

    private var firstControlCharacter: (Int, Int) {
        var line = 1
        var column = 1
        for scalar in text.unicodeScalars {
            if scalar == "\n" {
                line += 1
                column = 1
                continue
            }
            if scalar.value < 0x20 && scalar != "\t" && scalar != "\r" || scalar.value == 0x7F { return (line, column) }
            column += 1
        }
        return (1, 1)
    }

    private mutating func convert(_ node: Node) throws(Mistake) -> RawNode {
        nodes += 1
        let at = place(node.mark?.line ?? 0, node.mark?.column ?? 0)
        guard nodes <= YAMLReader.maximumNodes else {
            throw Mistake(place: at, key: "", message: "aliases make the file larger than \(YAMLReader.maximumNodes) values")
        }
        switch node {
        case .scalar(let scalar):
            let isPlain = scalar.style == .plain || scalar.style == .any
            let isNull = isPlain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
            return RawNode(value: isNull ? .none : .scalar(scalar.string), place: at)
        case .sequence(let sequence):
            var elements: [RawNode] = []
            for element in sequence { elements.append(try convert(element)) }
            return RawNode(value: .list(elements), place: at)
        case .mapping(let mapping): return RawNode(value: .map(try pairs(of: mapping)), place: at)
        case .alias: throw Mistake(place: at, key: "", message: "an alias points nowhere")
        }
    }

    private mutating func pairs(of mapping: Node.Mapping) throws(Mistake) -> [RawPair] {
        var pairs: [RawPair] = []
        var maskedPlaces: [String: Place] = [:]
        for (key, value) in mapping {
            let at = place(key.mark?.line ?? 0, key.mark?.column ?? 0)
            guard case .scalar(let scalar) = key else { throw Mistake(place: at, key: "", message: "a key must be a plain text") }
            if let name = maskedKeys[scalar.string] {
                pairs.append(RawPair(key: name, place: at, value: try convert(value), repeats: maskedPlaces[name]))
                if maskedPlaces[name] == nil { maskedPlaces[name] = at }
                continue
            }
            pairs.append(RawPair(key: scalar.string, place: at, value: try convert(value), repeats: maskedPlaces[scalar.string]))
        }
        return pairs
    }
}
