/// A regular expression in the syntax of RE2 that matches a whole text or not, in time linear in the text.
///
/// Backtracking engines take exponential time on patterns such as `(a+)+b`; a matcher comes from whoever may query, so the
/// automaton is simulated instead: K. Thompson, "Regular expression search algorithm", CACM 11(6), 1968, in the form of
/// R. Cox, "Regular expression matching: the virtual machine approach" (2009).
///
/// As in Prometheus `.` also matches a line feed. Not supported, with a clear error: `\p` classes and octal escapes; and, as in
/// RE2 itself, back references and look-around.
package struct LinearRegex: Sendable {
    enum Assertion: Sendable {
        case textStart, textEnd, lineStart, lineEnd, wordBoundary, notWordBoundary
    }

    enum Instruction: Sendable {
        case scalar(CharacterRanges)
        case jump(Int)
        case fork(Int, Int)
        case check(Assertion)
        case accept
    }

    /// Instructions of the largest program: bounds the time per character.
    static let maximumProgram = 10_000

    private let program: [Instruction]
    /// Instructions: what a character costs at most.
    package var size: Int { program.count }

    /// Throws `RegexError` that names the place. O(size of the program).
    package init(_ pattern: String) throws(RegexError) {
        var parser = RegexParser(pattern)
        let tree = try parser.pattern()
        var compiler = RegexCompiler()
        try compiler.emit(tree)
        try compiler.add(.accept)
        program = compiler.program
    }

    /// Whether the pattern matches all of `text`. O(program x length), memory O(program).
    package func matches(_ text: String) -> Bool {
        var current = ThreadSet(capacity: program.count)
        var next = ThreadSet(capacity: program.count)
        var scalars = text.unicodeScalars.makeIterator()
        var at = scalars.next()
        current.follow(0, program, before: nil, after: at)
        while let scalar = at {
            if current.list.isEmpty { return false }
            let after = scalars.next()
            next.removeAll()
            for thread in current.list {
                if case .scalar(let ranges) = program[thread], ranges.contains(scalar) {
                    next.follow(thread + 1, program, before: scalar, after: after)
                }
            }
            swap(&current, &next)
            at = after
        }
        return current.accepts
    }
}

/// Why a pattern cannot be read.
package struct RegexError: Error, Sendable, CustomStringConvertible {
    /// Characters before the mistake.
    package var offset: Int
    package var message: String
    package var description: String { "\(message) at character \(offset + 1)" }
}

/// The states the automaton is in: each instruction at most once.
private struct ThreadSet {
    private(set) var list: [Int] = []
    private var isIn: [Bool]
    /// Those that are in: fewer than there are instructions, mostly.
    private var members: [Int] = []
    private var stack: [Int] = []
    private(set) var accepts = false

    init(capacity: Int) { isIn = Array(repeating: false, count: capacity) }

    mutating func removeAll() {
        for i in members { isIn[i] = false }
        members.removeAll(keepingCapacity: true)
        list.removeAll(keepingCapacity: true)
        accepts = false
    }

    /// Adds `start` and all that is reached from it without reading a character.
    mutating func follow(_ start: Int, _ program: [LinearRegex.Instruction], before: Unicode.Scalar?, after: Unicode.Scalar?) {
        stack.append(start)
        while let at = stack.popLast() {
            if isIn[at] { continue }
            isIn[at] = true
            members.append(at)
            switch program[at] {
            case .scalar: list.append(at)
            case .jump(let target): stack.append(target)
            case .fork(let a, let b):
                stack.append(b)
                stack.append(a)
            case .check(let assertion): if holds(assertion, before, after) { stack.append(at + 1) }
            case .accept: if after == nil { accepts = true }
            }
        }
    }

    private func holds(_ assertion: LinearRegex.Assertion, _ before: Unicode.Scalar?, _ after: Unicode.Scalar?) -> Bool {
        switch assertion {
        case .textStart: before == nil
        case .textEnd: after == nil
        case .lineStart: before == nil || before == "\n"
        case .lineEnd: after == nil || after == "\n"
        case .wordBoundary: CharacterRanges.isWord(before) != CharacterRanges.isWord(after)
        case .notWordBoundary: CharacterRanges.isWord(before) == CharacterRanges.isWord(after)
        }
    }
}

/// A set of characters.
struct CharacterRanges: Sendable {
    var ranges: [ClosedRange<UInt32>] = []
    var isNegated = false
    var ignoresCase = false

    static let any = CharacterRanges(ranges: [0...0x10FFFF])
    static let digit = CharacterRanges(ranges: [0x30...0x39])
    static let word = CharacterRanges(ranges: [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    static let space = CharacterRanges(ranges: [0x09...0x0A, 0x0C...0x0D, 0x20...0x20])

    static func isWord(_ scalar: Unicode.Scalar?) -> Bool {
        guard let scalar else { return false }
        return word.contains(scalar)
    }

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        if has(scalar.value) { return !isNegated }
        if ignoresCase {
            let folded = [scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping]
            for text in folded where text.unicodeScalars.count == 1 {
                if let other = text.unicodeScalars.first, has(other.value) { return !isNegated }
            }
        }
        return isNegated
    }

    private func has(_ value: UInt32) -> Bool {
        for range in ranges where range.contains(value) { return true }
        return false
    }

    /// What is not in the set, as ranges; for `\D` within brackets.
    var complement: [ClosedRange<UInt32>] {
        var gaps: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if range.lowerBound > next { gaps.append(next...(range.lowerBound - 1)) }
            next = max(next, range.upperBound + 1)
        }
        if next <= 0x10FFFF { gaps.append(next...0x10FFFF) }
        return gaps
    }
}

/// Turns a tree into a program.
struct RegexCompiler {
    private(set) var program: [LinearRegex.Instruction] = []

    mutating func add(_ instruction: LinearRegex.Instruction) throws(RegexError) {
        guard program.count < LinearRegex.maximumProgram else {
            throw RegexError(offset: 0, message: "the pattern is too large when its repetitions are written out")
        }
        program.append(instruction)
    }

    mutating func emit(_ tree: RegexTree) throws(RegexError) {
        switch tree {
        case .empty: break
        case .scalar(let ranges): try add(.scalar(ranges))
        case .check(let assertion): try add(.check(assertion))
        case .sequence(let parts): for part in parts { try emit(part) }
        case .alternatives(let parts): try emitAlternatives(parts)
        case .repetition(let part, let least, let most):
            for _ in 0..<least {
                let size = program.count
                try emit(part)
                // Nothing repeated is nothing: `(){1000}` nested must not be counted out.
                if program.count == size { break }
            }
            if let most {
                try emitOptional(part, times: most - least)
            } else {
                try emitLoop(part)
            }
        }
    }

    private mutating func emitAlternatives(_ parts: [RegexTree]) throws(RegexError) {
        var exits: [Int] = []
        for (i, part) in parts.enumerated() {
            if i == parts.count - 1 {
                try emit(part)
            } else {
                let fork = program.count
                try add(.fork(0, 0))
                try emit(part)
                exits.append(program.count)
                try add(.jump(0))
                program[fork] = .fork(fork + 1, program.count)
            }
        }
        for exit in exits { program[exit] = .jump(program.count) }
    }

    private mutating func emitLoop(_ part: RegexTree) throws(RegexError) {
        let fork = program.count
        try add(.fork(0, 0))
        try emit(part)
        try add(.jump(fork))
        program[fork] = .fork(fork + 1, program.count)
    }

    private mutating func emitOptional(_ part: RegexTree, times: Int) throws(RegexError) {
        var forks: [Int] = []
        for _ in 0..<max(0, times) {
            forks.append(program.count)
            try add(.fork(0, 0))
            try emit(part)
        }
        for fork in forks { program[fork] = .fork(fork + 1, program.count) }
    }
}
