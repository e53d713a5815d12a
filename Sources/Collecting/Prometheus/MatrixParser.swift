import Glibc
import TimeSeries

/// Series with their samples as a server gave them, in columns.
struct MatrixColumns: Sendable, Equatable {
    /// The JSON text of each series' `metric`, one behind the other.
    private(set) var metricBytes: [UInt8] = []
    /// End of each series' text in `metricBytes`.
    private(set) var metricEnds: [Int] = []
    /// End of each series' samples in `times` and `values`.
    private(set) var sampleEnds: [Int] = []
    fileprivate(set) var times: [Milliseconds] = []
    fileprivate(set) var values: [Double] = []
    /// Native histograms, which have no single value.
    fileprivate(set) var histograms = 0

    var seriesCount: Int { sampleEnds.count }

    func metric(_ i: Int) -> ArraySlice<UInt8> { metricBytes[(i == 0 ? 0 : metricEnds[i - 1])..<metricEnds[i]] }
    func samples(_ i: Int) -> Range<Int> { (i == 0 ? 0 : sampleEnds[i - 1])..<sampleEnds[i] }

    fileprivate mutating func endSeries(metric: UnsafeRawBufferPointer) {
        metricBytes.append(contentsOf: metric)
        metricEnds.append(metricBytes.count)
        sampleEnds.append(values.count)
    }
}

/// What is wrong with an answer, and where.
struct MatrixError: Error, Sendable, Equatable, CustomStringConvertible {
    var offset: Int
    var message: String
    var description: String { "\(message) at byte \(offset) of the answer" }
}

/// Reads an answer of Prometheus' query API whose result is a matrix, in one pass over its bytes and without a String a sample:
/// `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{..},"values":[[seconds,"value"],..]},..]}}`.
/// Members may stand in any order; unknown ones are skipped. Times become exact milliseconds.
struct MatrixParser {
    private static let maximumDepth = 64
    private let bytes: UnsafeRawBufferPointer
    private let maxSamples: Int
    private var at = 0
    private var columns = MatrixColumns()
    private var hasResult = false

    /// Throws also when there are more than `maxSamples`: then `tooManySamples` is what it throws.
    static func parse(_ bytes: UnsafeRawBufferPointer, maxSamples: Int = .max) throws(MatrixError) -> MatrixColumns {
        var parser = MatrixParser(bytes: bytes, maxSamples: maxSamples)
        try parser.answer()
        return parser.columns
    }

    static func parse(_ bytes: [UInt8], maxSamples: Int = .max) throws(MatrixError) -> MatrixColumns {
        let result: Result<MatrixColumns, MatrixError> = bytes.withUnsafeBytes { raw in
            do throws(MatrixError) {
                return .success(try parse(raw, maxSamples: maxSamples))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    static let tooManySamples = "more samples than the limit for one piece"

    private init(bytes: UnsafeRawBufferPointer, maxSamples: Int) {
        self.bytes = bytes
        self.maxSamples = maxSamples
    }

    // MARK: The shape

    private mutating func answer() throws(MatrixError) {
        try object { parser, key throws(MatrixError) in
            switch key {
            case "status": try parser.expectText("success", "the status")
            case "data": try parser.data()
            default: try parser.skipValue()
            }
        }
        skipSpace()
        if at < bytes.count { throw error("more text after the answer") }
        if !hasResult { throw error("the answer has no result") }
    }

    private mutating func data() throws(MatrixError) {
        try object { parser, key throws(MatrixError) in
            switch key {
            case "resultType": try parser.expectText("matrix", "the result's type (is the selector an expression?)")
            case "result":
                parser.hasResult = true
                try parser.array { parser throws(MatrixError) in try parser.series() }
            default: try parser.skipValue()
            }
        }
    }

    private mutating func series() throws(MatrixError) {
        var metric: Range<Int>?
        try object { parser, key throws(MatrixError) in
            switch key {
            case "metric":
                parser.skipSpace()
                let start = parser.at
                try parser.skipValue()
                metric = start..<parser.at
            case "values": try parser.samples()
            case "histograms":
                parser.columns.histograms += 1
                try parser.skipValue()
            default: try parser.skipValue()
            }
        }
        guard let metric else { throw error("a series has no \"metric\"") }
        columns.endSeries(metric: UnsafeRawBufferPointer(rebasing: bytes[metric]))
    }

    private mutating func samples() throws(MatrixError) {
        try array { parser throws(MatrixError) in
            try parser.expect(UInt8(ascii: "["))
            let time = try parser.time()
            try parser.expect(UInt8(ascii: ","))
            let value = try parser.value()
            try parser.expect(UInt8(ascii: "]"))
            if parser.columns.values.count >= parser.maxSamples { throw parser.error(MatrixParser.tooManySamples) }
            parser.columns.times.append(time)
            parser.columns.values.append(value)
        }
    }

    // MARK: Numbers

    /// Seconds with up to three digits of fraction, to milliseconds without going through floating point.
    private mutating func time() throws(MatrixError) -> Milliseconds {
        skipSpace()
        let start = at
        let isNegative = take(UInt8(ascii: "-"))
        var result: Int64 = 0
        var digits = 0
        while let digit = digit() {
            result = result &* 10 &+ digit
            digits += 1
        }
        guard digits > 0, digits <= 15 else { throw MatrixError(offset: start, message: "expected a time in seconds") }
        var places = 0
        if take(UInt8(ascii: ".")) {
            while let digit = digit() {
                if places < 3 {
                    result = result * 10 + digit
                } else if places == 3 && digit >= 5 {
                    result += 1
                }
                places += 1
            }
        }
        if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") { return try timeWithExponent(from: start) }
        for _ in min(places, 3)..<3 { result *= 10 }
        return isNegative ? -result : result
    }

    private mutating func timeWithExponent(from start: Int) throws(MatrixError) -> Milliseconds {
        while at < bytes.count, bytes[at] != UInt8(ascii: ","), bytes[at] != UInt8(ascii: "]"), bytes[at] > 0x20 { at += 1 }
        guard let seconds = double(start..<at), seconds.magnitude < 1e15 else {
            throw MatrixError(offset: start, message: "expected a time in seconds")
        }
        return Milliseconds((seconds * 1_000).rounded())
    }

    /// A number in quotes, or `NaN`, `+Inf`, `-Inf` in quotes.
    private mutating func value() throws(MatrixError) -> Double {
        try expect(UInt8(ascii: "\""))
        let start = at
        while at < bytes.count, bytes[at] != UInt8(ascii: "\"") { at += 1 }
        guard at < bytes.count else { throw error("the answer ends within a value") }
        defer { at += 1 }
        if let quick = quickDecimal(start..<at) { return quick }
        guard let value = double(start..<at) else { throw MatrixError(offset: start, message: "expected a number") }
        return value
    }

    /// Decimals of up to 15 digits without exponent, which are exact as a whole number over a power of ten (Clinger 1990).
    private func quickDecimal(_ range: Range<Int>) -> Double? {
        var i = range.lowerBound
        let isNegative = i < range.upperBound && bytes[i] == UInt8(ascii: "-")
        if isNegative { i += 1 }
        guard i < range.upperBound, range.upperBound - i <= 16 else { return nil }
        var mantissa: Int64 = 0
        var digits = 0
        var places = -1
        while i < range.upperBound {
            let byte = bytes[i]
            if byte >= 0x30 && byte <= 0x39 {
                mantissa = mantissa * 10 + Int64(byte - 0x30)
                digits += 1
                if places >= 0 { places += 1 }
            } else if byte == UInt8(ascii: "."), places < 0, digits > 0 {
                places = 0
            } else {
                return nil
            }
            i += 1
        }
        guard digits > 0, digits <= 15, places != 0 else { return nil }
        let value = places > 0 ? Double(mantissa) / MatrixParser.powersOfTen[places] : Double(mantissa)
        return isNegative ? -value : value
    }

    private static let powersOfTen: [Double] = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15]

    private func double(_ range: Range<Int>) -> Double? {
        guard !range.isEmpty, range.count <= 400 else { return nil }
        let text = String(decoding: bytes[range], as: UTF8.self)
        switch text {
        case "NaN": return .nan
        case "+Inf", "Inf": return .infinity
        case "-Inf": return -.infinity
        default: break
        }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) || [0x2B, 0x2D, 0x2E, 0x45, 0x65].contains($0) }) else { return nil }
        return Double(text)
    }

    // MARK: JSON

    private func error(_ message: String) -> MatrixError { MatrixError(offset: at, message: message) }

    @inline(__always)
    private mutating func skipSpace() {
        while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x0A || bytes[at] == 0x0D || bytes[at] == 0x09 { at += 1 }
    }

    @inline(__always)
    private mutating func take(_ byte: UInt8) -> Bool {
        guard at < bytes.count, bytes[at] == byte else { return false }
        at += 1
        return true
    }

    @inline(__always)
    private mutating func digit() -> Int64? {
        guard at < bytes.count, bytes[at] >= 0x30, bytes[at] <= 0x39 else { return nil }
        defer { at += 1 }
        return Int64(bytes[at] - 0x30)
    }

    private mutating func expect(_ byte: UInt8) throws(MatrixError) {
        skipSpace()
        guard take(byte) else {
            throw error(at < bytes.count ? "expected '\(Character(Unicode.Scalar(byte)))'" : "the answer ends too early")
        }
    }

    private mutating func object(_ member: (inout MatrixParser, String) throws(MatrixError) -> Void) throws(MatrixError) {
        try expect(UInt8(ascii: "{"))
        skipSpace()
        if take(UInt8(ascii: "}")) { return }
        while true {
            let key = try text()
            try expect(UInt8(ascii: ":"))
            try member(&self, key)
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            return try expect(UInt8(ascii: "}"))
        }
    }

    private mutating func array(_ element: (inout MatrixParser) throws(MatrixError) -> Void) throws(MatrixError) {
        try expect(UInt8(ascii: "["))
        skipSpace()
        if take(UInt8(ascii: "]")) { return }
        while true {
            try element(&self)
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            return try expect(UInt8(ascii: "]"))
        }
    }

    /// A short text whose escapes do not matter: names of members and kinds.
    private mutating func text() throws(MatrixError) -> String {
        try expect(UInt8(ascii: "\""))
        let start = at
        try skipString()
        return String(decoding: bytes[start..<min(at - 1, start + 64)], as: UTF8.self)
    }

    private mutating func expectText(_ wanted: String, _ what: String) throws(MatrixError) {
        let found = try text()
        if found != wanted { throw error("\(what) is \"\(found)\", expected \"\(wanted)\"") }
    }

    /// From behind the opening quote to behind the closing one.
    private mutating func skipString() throws(MatrixError) {
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            if byte == UInt8(ascii: "\"") { return }
            if byte == UInt8(ascii: "\\") { at += 1 }
        }
        at = bytes.count
        throw error("the answer ends within a text")
    }

    /// One value of any kind. Only nesting and texts are checked; the labels of a metric are parsed in full when they are decoded.
    private mutating func skipValue() throws(MatrixError) {
        var depth = 0
        repeat {
            skipSpace()
            guard at < bytes.count else { throw error("the answer ends too early") }
            let byte = bytes[at]
            at += 1
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                if depth > MatrixParser.maximumDepth { throw error("nested too deep") }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth < 0 { throw error("expected a value") }
            case UInt8(ascii: "\""): try skipString()
            case UInt8(ascii: ","), UInt8(ascii: ":"):
                if depth == 0 { throw error("expected a value") }
            default:
                while at < bytes.count, !MatrixParser.endsWord(bytes[at]) { at += 1 }
            }
        } while depth > 0
    }

    private static func endsWord(_ byte: UInt8) -> Bool {
        byte <= 0x20 || [UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "}"), UInt8(ascii: "]"), UInt8(ascii: "\"")].contains(byte)
    }
}
