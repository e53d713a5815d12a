/// Decodes the text of one series, `name{a="b"}`, as a `ParsedPage` row points at it, in either format. Label values have their
/// escapes resolved (`\\`, `\"`, `\n`; any other backslash stays) and stand in the order written; an empty value is kept. An
/// error's line and column count from the start of `bytes`. O(bytes).
package func parseSeries(
    _ bytes: UnsafeRawBufferPointer
) throws(ExpositionError) -> (name: String, labels: [(name: String, value: String)]) {
    do throws(Fault) {
        var text = SeriesText(bytes)
        return try text.decoded()
    } catch {
        throw error.located(in: bytes)
    }
}

package func parseSeries(
    _ bytes: some Collection<UInt8>
) throws(ExpositionError) -> (name: String, labels: [(name: String, value: String)]) {
    typealias Decoded = (name: String, labels: [(name: String, value: String)])
    func decode(_ raw: UnsafeRawBufferPointer) -> Result<Decoded, ExpositionError> {
        do throws(ExpositionError) {
            let decoded = try parseSeries(raw)
            return .success(decoded)
        } catch {
            return .failure(error)
        }
    }
    let result =
        bytes.withContiguousStorageIfAvailable { decode(UnsafeRawBufferPointer($0)) } ?? Array(bytes).withUnsafeBytes { decode($0) }
    return try result.get()
}

private struct SeriesText {
    private var cursor: ByteCursor

    init(_ bytes: UnsafeRawBufferPointer) { cursor = ByteCursor(bytes) }

    mutating func decoded() throws(Fault) -> (name: String, labels: [(name: String, value: String)]) {
        var name: Span?
        if cursor.skipName(colon: true) { name = Span(start: 0, end: cursor.at) }
        cursor.skipBlanks()
        var tokens: [LabelToken] = []
        if cursor.skip(Ascii.openBrace) {
            let quotedName = try cursor.labelSet(strict: false, named: name != nil, into: &tokens)
            name = name ?? quotedName
        }
        guard let name else { throw Fault(offset: 0, message: "the series has no metric name") }
        guard cursor.isAtEnd else { throw cursor.fault(expected: "the end of the series") }
        let labels = tokens.map { (name: cursor.decoded($0.name), value: cursor.decoded($0.value)) }
        try checkNames(labels.map(\.name), tokens)
        return (cursor.decoded(name), labels)
    }

    private func checkNames(_ names: [String], _ tokens: [LabelToken]) throws(Fault) {
        if let empty = names.firstIndex(of: "") { throw Fault(offset: tokens[empty].name.start, message: "empty label name") }
        // The metric's name is the label `__name__`.
        guard let twice = firstRepeated(["__name__"] + names) else { return }
        let place = tokens[twice - 1].name.start
        throw Fault(offset: place, message: "the series has two labels named '\(names[twice - 1])' (the metric's name is '__name__')")
    }

    /// The index of the first name that stands before it already.
    private func firstRepeated(_ names: [String]) -> Int? {
        if names.count <= 16 { return names.indices.first { names[..<$0].contains(names[$0]) } }
        var seen: Set<String> = []
        return names.firstIndex { !seen.insert($0).inserted }
    }
}

extension ByteCursor {
    /// The text of a span with its escapes resolved. The span has been checked to be UTF-8.
    func decoded(_ span: Span) -> String {
        let raw = UnsafeBufferPointer(start: base + span.start, count: span.count)
        guard span.escaped else { return String(decoding: raw, as: UTF8.self) }
        return String(decoding: unescaped(span), as: UTF8.self)
    }

    func unescaped(_ span: Span) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(span.count)
        var i = span.start
        while i < span.end {
            guard base[i] == Ascii.backslash, i + 1 < span.end else {
                text.append(base[i])
                i += 1
                continue
            }
            switch base[i + 1] {
            case Ascii.backslash, Ascii.quote: text.append(base[i + 1])
            case 0x6E: text.append(Ascii.newline)
            default:
                text.append(Ascii.backslash)
                text.append(base[i + 1])
            }
            i += 2
        }
        return text
    }
}
