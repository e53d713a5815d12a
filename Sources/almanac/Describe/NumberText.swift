import Glibc
import Settings
import TimeSeries

/// Numbers for people.
enum NumberText {
    /// Up to `digits` significant digits, as C's %g; `-` for nil and what is not finite.
    static func format(_ value: Double?, digits: Int32 = 5) -> String {
        guard let value, value.isFinite else { return "-" }
        var buffer = [CChar](repeating: 0, count: 40)
        let written = withVaList([digits, value]) { vsnprintf(&buffer, buffer.count, "%.*g", $0) }
        guard written > 0 else { return "-" }
        return String(decoding: buffer.prefix(Int(written)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// With `decimals` digits after the point.
    static func fixed(_ value: Double, _ decimals: Int32) -> String {
        guard value.isFinite else { return "-" }
        var buffer = [CChar](repeating: 0, count: 400)
        let written = withVaList([decimals, value]) { vsnprintf(&buffer, buffer.count, "%.*f", $0) }
        guard written > 0 else { return "-" }
        return String(decoding: buffer.prefix(Int(written)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

enum Count {
    /// 12,345
    static func digits(_ count: Int) -> String {
        let text = "\(count.magnitude)"
        var out = count < 0 ? "-" : ""
        for (i, digit) in text.enumerated() {
            if i > 0, (text.utf8.count - i) % 3 == 0 { out += "," }
            out.append(digit)
        }
        return out
    }

    static func text(_ count: Int, _ one: String, _ many: String) -> String { "\(digits(count)) \(count == 1 ? one : many)" }
}

enum DurationLabel {
    static func text(_ duration: Milliseconds) -> String { DurationText.format(duration) }
}

extension String {
    func padded(left width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
    func padded(right width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
