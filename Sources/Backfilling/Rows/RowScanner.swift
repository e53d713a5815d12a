import TimeSeries

/// Rows as columns: dense numbers of their keys, times, values.
struct RowColumns: Sendable {
    var ids: [Int32] = []
    var times: [Milliseconds] = []
    var values: [Double] = []

    mutating func removeAll() {
        ids.removeAll(keepingCapacity: true)
        times.removeAll(keepingCapacity: true)
        values.removeAll(keepingCapacity: true)
    }
}

/// A row that cannot be read.
struct BadRow: Sendable {
    /// Where its line begins, in the bytes scanned.
    var offset: Int
    var message: String
}

/// Parses whole lines into columns: one pass over the bytes, no String and no allocation a row. Rows without a value give nothing.
struct RowScanner {
    let layout: RowLayout
    private(set) var table = KeyTable()
    private var lastID = -1
    /// By key: the one that stood in the next row the last time.
    private var followers: [Int] = []
    private var joined: [UInt8] = []
    private let isKeyWhole: Bool

    /// Longest line taken, bytes.
    static let longestLine = 1 << 20

    init(_ layout: RowLayout) {
        self.layout = layout
        // Neighbouring fields are one stretch of bytes.
        isKeyWhole = zip(layout.keys, layout.keys.dropFirst()).allSatisfy { $0 + 1 == $1 }
    }

    /// - Parameters:
    ///   - bytes: whole lines; the last may lack its line end.
    ///   - bad: told of each bad row; false ends the scan.
    /// - Returns: lines scanned.
    @discardableResult
    mutating func scan(_ bytes: UnsafeBufferPointer<UInt8>, into out: inout RowColumns, bad: (BadRow) -> Bool) -> Int {
        guard let base = bytes.baseAddress else { return 0 }
        let width = layout.width
        return withUnsafeTemporaryAllocation(of: Int.self, capacity: width + 1) { starts in
            var at = 0
            var lines = 0
            while at < bytes.count {
                lines += 1
                let start = at
                var fields = 0
                var isQuoteOpen = false
                let end = split(base, start, bytes.count, starts, &fields, &isQuoteOpen)
                at = end + 1
                var last = end
                if last > start, base[last - 1] == 0x0D { last -= 1 }
                if last == start { continue }
                starts[min(fields, width)] = last + 1
                if isQuoteOpen {
                    if !bad(BadRow(offset: start, message: "a quote is not closed on its line")) { return lines }
                    continue
                }
                guard fields == width else {
                    if !bad(BadRow(offset: start, message: "has \(fields) field\(fields == 1 ? "" : "s"), not \(width)")) { return lines }
                    continue
                }
                if let message = take(base, starts, into: &out), !bad(BadRow(offset: start, message: message)) { return lines }
            }
            return lines
        }
    }

    /// Notes where fields begin; returns the place of the line's end.
    @inline(__always)
    private func split(
        _ base: UnsafePointer<UInt8>, _ start: Int, _ count: Int, _ starts: UnsafeMutableBufferPointer<Int>, _ fields: inout Int,
        _ isQuoteOpen: inout Bool
    ) -> Int {
        let delimiter = layout.delimiter
        let isQuoting = layout.form == .csv
        var i = start
        var fieldStart = start
        starts[0] = start
        fields = 1
        while i < count {
            let byte = base[i]
            if byte == delimiter {
                i &+= 1
                fieldStart = i
                if fields < layout.width { starts[fields] = i }
                fields &+= 1
            } else if byte == 0x0A {
                return i
            } else if byte == UInt8(ascii: "\""), isQuoting, i == fieldStart {
                i = skipQuoted(base, i + 1, count, &isQuoteOpen)
            } else {
                i &+= 1
            }
        }
        return i
    }

    /// From behind the opening quote to behind the closing one, or to the line's end.
    @inline(never)
    private func skipQuoted(_ base: UnsafePointer<UInt8>, _ start: Int, _ count: Int, _ isOpen: inout Bool) -> Int {
        var i = start
        while i < count, base[i] != 0x0A {
            if base[i] == UInt8(ascii: "\"") {
                if i + 1 < count, base[i + 1] == UInt8(ascii: "\"") { i += 1 } else { return i + 1 }
            }
            i += 1
        }
        isOpen = true
        return i
    }

    /// The message of a bad row.
    @inline(__always)
    private mutating func take(_ base: UnsafePointer<UInt8>, _ starts: UnsafeMutableBufferPointer<Int>, into out: inout RowColumns)
        -> String?
    {
        var time: Milliseconds = 0
        if let field = layout.time {
            let (start, end) = bounds(base, starts, field)
            let read = layout.form == .transform ? FieldBytes.milliseconds(base, start, end) : FieldBytes.time(base, start, end)
            guard let read else {
                return RowScanner.wrong(
                    base, start, end,
                    layout.form == .transform ? "a time in milliseconds" : "a time (ISO 8601, or seconds or milliseconds since 1970)")
            }
            time = read
        }
        let (start, end) = bounds(base, starts, layout.value)
        let number: Double
        switch FieldBytes.value(base, start, end) {
        case .number(let value): number = value
        case .missing:
            // Without times a missing value still takes its place in the order.
            if layout.time != nil { return nil }
            number = .nan
        case .wrong: return RowScanner.wrong(base, start, end, "a number")
        }
        out.ids.append(key(base, starts))
        out.times.append(time)
        out.values.append(number)
        return nil
    }

    /// A field without its quotes; doubled quotes stay, as no number has any.
    @inline(__always)
    private func bounds(_ base: UnsafePointer<UInt8>, _ starts: UnsafeMutableBufferPointer<Int>, _ field: Int) -> (Int, Int) {
        let (start, end) = (starts[field], starts[field + 1] - 1)
        if end - start >= 2, base[start] == UInt8(ascii: "\""), layout.form == .csv { return (start + 1, end - 1) }
        return (start, end)
    }

    @inline(__always)
    private mutating func key(_ base: UnsafePointer<UInt8>, _ starts: UnsafeMutableBufferPointer<Int>) -> Int32 {
        guard let first = layout.keys.first, let last = layout.keys.last else { return 0 }
        if isKeyWhole {
            return intern(UnsafeBufferPointer(start: base + starts[first], count: starts[last + 1] - 1 - starts[first]))
        }
        joined.removeAll(keepingCapacity: true)
        for field in layout.keys {
            if field != first { joined.append(layout.delimiter) }
            joined.append(contentsOf: UnsafeBufferPointer(start: base + starts[field], count: starts[field + 1] - 1 - starts[field]))
        }
        var key: [UInt8] = []
        swap(&key, &joined)
        defer { swap(&key, &joined) }
        return key.withUnsafeBufferPointer { intern($0) }
    }

    @inline(__always)
    private mutating func intern(_ key: UnsafeBufferPointer<UInt8>) -> Int32 {
        // Rows of one series stand together, or the series of a scrape follow each other in the same order every time: what came after this key the
        // last time comes again.
        if lastID >= 0, followers[lastID] >= 0, table.equals(followers[lastID], key) {
            lastID = followers[lastID]
            return Int32(truncatingIfNeeded: lastID)
        }
        let (id, isNew) = table.intern(key)
        if isNew { followers.append(-1) }
        if lastID >= 0 { followers[lastID] = id }
        lastID = id
        return Int32(truncatingIfNeeded: id)
    }

    @inline(never)
    private static func wrong(_ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int, _ what: String) -> String {
        let text = String(decoding: UnsafeBufferPointer(start: base + start, count: min(end - start, 40)), as: UTF8.self)
        return "'\(text)' is not \(what)"
    }
}
