/// A parsed pattern.
indirect enum RegexTree: Sendable {
    case empty
    case scalar(CharacterRanges)
    case check(LinearRegex.Assertion)
    case sequence([RegexTree])
    case alternatives([RegexTree])
    /// `most` nil: any number.
    case repetition(RegexTree, least: Int, most: Int?)
}

/// Recursive descent over the syntax of RE2 (https://github.com/google/re2/wiki/Syntax).
struct RegexParser {
    private static let maximumDepth = 100
    private static let maximumLength = 10_000
    private static let maximumRepetition = 1000

    private struct Flags {
        var ignoresCase = false
        var isMultiline = false
        var dotMatchesLineFeed = true
    }

    private let text: [Unicode.Scalar]
    private var at = 0
    private var depth = 0
    private var flags = Flags()

    init(_ pattern: String) { text = RegexParser.unquoted(Array(pattern.unicodeScalars)) }

    /// Writes out `\Q...\E`, within which all is literal, with single escapes.
    private static func unquoted(_ pattern: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var out: [Unicode.Scalar] = []
        var isQuoting = false
        var at = 0
        while at < pattern.count {
            let next: Unicode.Scalar? = pattern[at] == "\\" && at + 1 < pattern.count ? pattern[at + 1] : nil
            if isQuoting ? next == "E" : next == "Q" {
                isQuoting.toggle()
                at += 2
            } else if isQuoting {
                if pattern[at].value < 0x80, !CharacterRanges.isWord(pattern[at]) { out.append("\\") }
                out.append(pattern[at])
                at += 1
            } else {
                out.append(pattern[at])
                if let next { out.append(next) }
                at += next == nil ? 1 : 2
            }
        }
        return out
    }

    mutating func pattern() throws(RegexError) -> RegexTree {
        if text.count > RegexParser.maximumLength { throw error("the pattern is longer than \(RegexParser.maximumLength) characters") }
        let tree = try alternatives()
        if at < text.count { throw error("a ')' without its '('") }
        return tree
    }

    private func error(_ message: String) -> RegexError { RegexError(offset: at, message: message) }

    private var next: Unicode.Scalar? { at < text.count ? text[at] : nil }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        if next != scalar { return false }
        at += 1
        return true
    }

    private func looking(at ahead: String) -> Bool {
        let wanted = Array(ahead.unicodeScalars)
        return at + wanted.count <= text.count && Array(text[at..<(at + wanted.count)]) == wanted
    }

    private mutating func alternatives() throws(RegexError) -> RegexTree {
        depth += 1
        defer { depth -= 1 }
        if depth > RegexParser.maximumDepth { throw error("nested deeper than \(RegexParser.maximumDepth)") }
        var parts = [try sequence()]
        while take("|") { parts.append(try sequence()) }
        return parts.count == 1 ? parts[0] : .alternatives(parts)
    }

    private mutating func sequence() throws(RegexError) -> RegexTree {
        var parts: [RegexTree] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            let part = try atom()
            parts.append(try repeated(part))
        }
        return parts.count == 1 ? parts[0] : .sequence(parts)
    }

    private mutating func repeated(_ part: RegexTree) throws(RegexError) -> RegexTree {
        guard let (least, most) = try quantifier() else { return part }
        // Lazy or greedy is the same for a match of the whole text.
        _ = take("?")
        if try quantifier() != nil { throw error("a repetition of a repetition; put it in parentheses") }
        return .repetition(part, least: least, most: most)
    }

    private mutating func quantifier() throws(RegexError) -> (Int, Int?)? {
        if take("*") { return (0, nil) }
        if take("+") { return (1, nil) }
        if take("?") { return (0, 1) }
        guard next == "{" else { return nil }
        let start = at
        at += 1
        guard let least = number() else {
            at = start
            return nil
        }
        var most: Int? = least
        if take(",") { most = next == "}" ? nil : number() ?? -1 }
        guard take("}"), most != -1 else {
            at = start
            return nil
        }
        guard least <= RegexParser.maximumRepetition, (most ?? least) <= RegexParser.maximumRepetition, (most ?? least) >= least else {
            throw error("a bad repetition count (at most \(RegexParser.maximumRepetition), the lower one first)")
        }
        return (least, most)
    }

    private mutating func number() -> Int? {
        var value: Int?
        while let scalar = next, ("0"..."9").contains(scalar) {
            value = min((value ?? 0) * 10 + Int(scalar.value - 0x30), 1_000_000)
            at += 1
        }
        return value
    }

    private func literal(_ scalar: Unicode.Scalar) -> RegexTree {
        .scalar(CharacterRanges(ranges: [scalar.value...scalar.value], ignoresCase: flags.ignoresCase))
    }

    private mutating func atom() throws(RegexError) -> RegexTree {
        guard let scalar = next else { return .empty }
        at += 1
        switch scalar {
        case "(": return try group()
        case "[": return .scalar(try brackets())
        case ".": return .scalar(flags.dotMatchesLineFeed ? .any : CharacterRanges(ranges: [0x0A...0x0A], isNegated: true))
        case "^": return .check(flags.isMultiline ? .lineStart : .textStart)
        case "$": return .check(flags.isMultiline ? .lineEnd : .textEnd)
        case "*", "+", "?":
            at -= 1
            throw error("nothing to repeat before '\(scalar)'")
        case "\\": return try escape()
        default:
            // A brace that is no repetition stands for itself.
            return literal(scalar)
        }
    }

    private mutating func group() throws(RegexError) -> RegexTree {
        let outer = flags
        var tree = RegexTree.empty
        if take("?") {
            if looking(at: "P<") || (looking(at: "<") && !looking(at: "<=") && !looking(at: "<!")) {
                while let scalar = next, scalar != ">" { at += 1 }
                guard take(">") else { throw error("the group's name has no end") }
            } else if try flagsChange() {
                return .empty
            }
        }
        tree = try alternatives()
        guard take(")") else { throw error("a '(' without its ')'") }
        flags = outer
        return tree
    }

    /// Reads `i)`, `i-s:` and the like; true where the flags hold for the rest of the enclosing group.
    private mutating func flagsChange() throws(RegexError) -> Bool {
        var value = true
        while let scalar = next {
            at += 1
            switch scalar {
            case "i": flags.ignoresCase = value
            case "m": flags.isMultiline = value
            case "s": flags.dotMatchesLineFeed = value
            case "U": break
            case "-" where value: value = false
            case ":": return false
            case ")": return true
            default:
                at -= 1
                throw error("'(?\(scalar)' is not supported (look-around never is)")
            }
        }
        throw error("a '(' without its ')'")
    }

    private mutating func escape() throws(RegexError) -> RegexTree {
        guard let scalar = next else { throw error("a '\\' at the end") }
        switch scalar {
        case "b":
            at += 1
            return .check(.wordBoundary)
        case "B":
            at += 1
            return .check(.notWordBoundary)
        case "A":
            at += 1
            return .check(.textStart)
        case "z":
            at += 1
            return .check(.textEnd)
        default: break
        }
        if let ranges = shorthand(scalar) {
            at += 1
            return .scalar(CharacterRanges(ranges: ranges))
        }
        return literal(try escapedScalar())
    }

    private func shorthand(_ scalar: Unicode.Scalar) -> [ClosedRange<UInt32>]? {
        switch scalar {
        case "d": CharacterRanges.digit.ranges
        case "D": CharacterRanges.digit.complement
        case "w": CharacterRanges.word.ranges
        case "W": CharacterRanges.word.complement
        case "s": CharacterRanges.space.ranges
        case "S": CharacterRanges.space.complement
        default: nil
        }
    }

    /// What stands behind a backslash and means one character.
    private mutating func escapedScalar() throws(RegexError) -> Unicode.Scalar {
        guard let scalar = next else { throw error("a '\\' at the end") }
        at += 1
        switch scalar {
        case "t": return "\t"
        case "n": return "\n"
        case "r": return "\r"
        case "f": return "\u{0C}"
        case "v": return "\u{0B}"
        case "a": return "\u{07}"
        case "x": return try hexadecimal()
        default:
            let isWord = CharacterRanges.isWord(scalar) && scalar != "_"
            if isWord || scalar.value >= 0x80 {
                at -= 1
                throw error("'\\\(scalar)' is not supported")
            }
            return scalar
        }
    }

    private mutating func hexadecimal() throws(RegexError) -> Unicode.Scalar {
        var digits = ""
        if take("{") {
            while let scalar = next, scalar != "}", digits.count < 8 {
                digits.unicodeScalars.append(scalar)
                at += 1
            }
            guard take("}") else { throw error("'\\x{' without its '}'") }
        } else {
            while let scalar = next, digits.count < 2 {
                digits.unicodeScalars.append(scalar)
                at += 1
            }
            if digits.count < 2 { throw error("'\\x' wants two hexadecimal digits") }
        }
        guard let value = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(value) else { throw error("'\\x' names no character") }
        return scalar
    }

    /// Behind the '[' of a character class.
    private mutating func brackets() throws(RegexError) -> CharacterRanges {
        var set = CharacterRanges(ignoresCase: flags.ignoresCase)
        set.isNegated = take("^")
        var isFirst = true
        while let scalar = next, scalar != "]" || isFirst {
            isFirst = false
            if looking(at: "[:") {
                set.ranges += try namedClass()
            } else if scalar == "\\", at + 1 < text.count, let ranges = shorthand(text[at + 1]) {
                at += 2
                set.ranges += ranges
            } else {
                set.ranges.append(try bracketRange())
            }
        }
        guard take("]") else { throw error("a '[' without its ']'") }
        return set
    }

    private mutating func bracketRange() throws(RegexError) -> ClosedRange<UInt32> {
        let low = try bracketScalar()
        guard next == "-", at + 1 < text.count, text[at + 1] != "]" else { return low.value...low.value }
        at += 1
        let high = try bracketScalar()
        guard low.value <= high.value else { throw error("a range that ends before it begins") }
        return low.value...high.value
    }

    private mutating func bracketScalar() throws(RegexError) -> Unicode.Scalar {
        guard let scalar = next else { throw error("a '[' without its ']'") }
        at += 1
        return scalar == "\\" ? try escapedScalar() : scalar
    }

    /// `[:alpha:]` and its negation `[:^alpha:]`.
    private mutating func namedClass() throws(RegexError) -> [ClosedRange<UInt32>] {
        at += 2
        let isNegated = take("^")
        var name = ""
        while let scalar = next, scalar != ":" {
            name.unicodeScalars.append(scalar)
            at += 1
        }
        guard looking(at: ":]"), let ranges = RegexParser.namedClasses[name] else { throw error("unknown class '[:\(name):]'") }
        at += 2
        return isNegated ? CharacterRanges(ranges: ranges).complement : ranges
    }

    private static let namedClasses: [String: [ClosedRange<UInt32>]] = [
        "alnum": [0x30...0x39, 0x41...0x5A, 0x61...0x7A], "alpha": [0x41...0x5A, 0x61...0x7A], "ascii": [0...0x7F],
        "blank": [0x09...0x09, 0x20...0x20], "cntrl": [0...0x1F, 0x7F...0x7F], "digit": [0x30...0x39], "graph": [0x21...0x7E],
        "lower": [0x61...0x7A], "print": [0x20...0x7E], "punct": [0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E],
        "space": [0x09...0x0D, 0x20...0x20], "upper": [0x41...0x5A], "word": CharacterRanges.word.ranges,
        "xdigit": [0x30...0x39, 0x41...0x46, 0x61...0x66],
    ]
}
