/// The value of one sample. Whole and decimal numbers are written digit by digit, so counters beyond 2^53 stay exact.
enum MetricValue: Equatable, Sendable {
    case integer(UInt64)
    case signed(Int64)
    /// `units` / 10^`digits`: clock ticks, milli- and microseconds in seconds without rounding.
    case decimal(_ units: UInt64, digits: Int)
    case real(Double)
}

enum MetricKind: String, Sendable {
    case counter, gauge, untyped
}

/// The labels of a series, escaped once and used for every family the device appears in.
struct LabelText: Sendable {
    fileprivate let bytes: [UInt8]

    static let none = LabelText()

    init(_ labels: (name: String, value: String)...) {
        var bytes: [UInt8] = []
        for (name, value) in labels {
            bytes.append(bytes.isEmpty ? UInt8(ascii: "{") : UInt8(ascii: ","))
            bytes += name.utf8
            bytes += [UInt8(ascii: "="), UInt8(ascii: "\"")]
            for byte in value.utf8 {
                switch byte {
                case UInt8(ascii: "\\"), UInt8(ascii: "\""): bytes += [UInt8(ascii: "\\"), byte]
                case UInt8(ascii: "\n"): bytes += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
                default: bytes.append(byte)
                }
            }
            bytes.append(UInt8(ascii: "\""))
        }
        if !bytes.isEmpty { bytes.append(UInt8(ascii: "}")) }
        self.bytes = bytes
    }
}

/// Appends families and samples in the Prometheus text format, version 0.0.4.
/// The caller writes each family once and all its samples right after it, as the format demands.
struct PageWriter {
    private(set) var bytes: [UInt8] = []

    init() { bytes.reserveCapacity(32 << 10) }

    /// Starts a family. `help` holds neither a backslash nor a line break.
    mutating func family(_ name: String, _ kind: MetricKind, _ help: String) {
        append("# HELP ")
        append(name)
        append(" ")
        append(help)
        append("\n# TYPE ")
        append(name)
        append(" ")
        append(kind.rawValue)
        append("\n")
    }

    mutating func sample(_ name: String, _ labels: LabelText, _ value: MetricValue) {
        append(name)
        bytes += labels.bytes
        append(" ")
        append(value)
        append("\n")
    }

    /// A family with one series without labels.
    mutating func single(_ name: String, _ kind: MetricKind, _ help: String, _ value: MetricValue) {
        family(name, kind, help)
        sample(name, .none, value)
    }

    /// Takes back everything after the first `count` bytes: a collector that failed half-way leaves nothing behind.
    mutating func truncate(to count: Int) { bytes.removeLast(bytes.count - count) }

    private mutating func append(_ text: String) { bytes += text.utf8 }

    private mutating func append(_ value: MetricValue) {
        switch value {
        case .integer(let number): appendDigits(number)
        case .signed(let number):
            if number < 0 { append("-") }
            appendDigits(number.magnitude)
        case .decimal(let units, let digits):
            var scale: UInt64 = 1
            for _ in 0..<digits { scale *= 10 }
            appendDigits(units / scale)
            guard units % scale != 0 else { return }
            append(".")
            appendDigits(units % scale, width: digits)
        case .real(let number): append(number.isNaN ? "NaN" : number.isInfinite ? (number > 0 ? "+Inf" : "-Inf") : number.description)
        }
    }

    private mutating func appendDigits(_ number: UInt64, width: Int = 1) {
        let start = bytes.count
        var rest = number
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0 || bytes.count - start < width
        bytes[start...].reverse()
    }
}
