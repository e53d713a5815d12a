/// Finds a label name that stands twice in one set. Keeps its memory.
struct LabelNameCheck: Sendable {
    /// The hashes of the names of the set checked last, in its order.
    private(set) var hashes: [UInt64] = []
    private var sorted: [UInt64] = []
    private let seed = UInt64.random(in: .min ... .max)

    /// O(n) comparisons of hashes per label up to 16 labels, O(n log n) in all beyond.
    mutating func check(_ labels: [LabelToken], from first: Int = 0, _ cursor: ByteCursor) throws(Fault) {
        hashes.removeAll(keepingCapacity: true)
        let isSmall = labels.count &- first <= 16
        for i in first..<labels.count {
            let name = labels[i].name
            let hash = cursor.hash(name, seed: seed)
            if isSmall && hashes.contains(hash) || cursor.isMetricNameLabel(name) { throw repeated(name) }
            hashes.append(hash)
        }
        if !isSmall { try checkMany(labels[first...]) }
    }

    private mutating func checkMany(_ labels: ArraySlice<LabelToken>) throws(Fault) {
        sorted.removeAll(keepingCapacity: true)
        sorted.append(contentsOf: hashes)
        sorted.sort()
        for i in 1..<sorted.count where sorted[i] == sorted[i - 1] {
            if let twice = hashes.lastIndex(of: sorted[i]) { throw repeated(labels[labels.startIndex + twice].name) }
        }
    }

    private func repeated(_ name: Span) -> Fault {
        Fault(offset: name.start, message: "this label name stands twice in the set (the metric's name is '__name__')")
    }
}

extension ByteCursor {
    /// A hash of a span's text with its escapes resolved.
    @inline(__always)
    func hash(_ span: Span, seed: UInt64) -> UInt64 {
        span.escaped ? hashEscaped(span, seed: seed) : hash(from: span.start, to: span.end, seed: seed)
    }

    /// Text with escapes holds a backslash, quote or newline when resolved, which text without them cannot: the two never have to
    /// give equal hashes.
    @inline(never)
    private func hashEscaped(_ span: Span, seed: UInt64) -> UInt64 {
        unescaped(span).withUnsafeBytes { ByteCursor($0).hash(from: 0, to: $0.count, seed: ~seed) }
    }

    /// Whether this is the reserved name of the label that holds the metric's name, which every series has already.
    @inline(__always)
    func isMetricNameLabel(_ name: Span) -> Bool {
        name.count == 8 && matches("__name__", at: name.start, end: name.end)
    }
}
