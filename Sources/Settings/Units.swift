import TimeSeries

/// Durations as Prometheus writes them: `15s`, `5m`, `1h30m`, `500ms`, `15d`; units from large to small, each once.
package enum DurationText {
    private static let units: [(name: String, milliseconds: Milliseconds)] = [
        ("y", 365 * 86_400_000), ("w", 7 * 86_400_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    /// Milliseconds, or nil for anything that is no duration (also one beyond Int64). A bare `0` is one.
    package static func parse(_ text: String) -> Milliseconds? {
        if text == "0" { return 0 }
        var rest = text[...]
        var total: Milliseconds = 0
        var lastUnit = -1
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(name.count)
            guard let count = Int64(digits), let unit = units.firstIndex(where: { $0.name == name }), unit > lastUnit else { return nil }
            let (product, overflow) = count.multipliedReportingOverflow(by: units[unit].milliseconds)
            let (sum, overflow2) = total.addingReportingOverflow(product)
            if overflow || overflow2 { return nil }
            total = sum
            lastUnit = unit
        }
        return lastUnit >= 0 ? total : nil
    }

    /// The shortest way to write it; `parse` gives the same number back. Weeks and years are written as days, as people read them.
    package static func format(_ value: Milliseconds) -> String {
        if value == 0 { return "0s" }
        if value < 0 { return "-" + format(value == .min ? .max : -value) }
        var rest = value
        var text = ""
        for unit in units.dropFirst(2) where rest >= unit.milliseconds {
            text += "\(rest / unit.milliseconds)\(unit.name)"
            rest %= unit.milliseconds
        }
        return text
    }
}

/// Sizes in bytes: `1048576`, `64MB` (powers of 1000), `1GiB` (powers of 1024), also with a fraction (`1.5GiB`).
package enum SizeText {
    private static let units: [(name: String, bytes: Int64)] = [
        ("b", 1), ("kb", 1000), ("mb", 1_000_000), ("gb", 1_000_000_000), ("tb", 1_000_000_000_000),
        ("kib", 1 << 10), ("mib", 1 << 20), ("gib", 1 << 30), ("tib", 1 << 40),
    ]

    package static func parse(_ text: String) -> Int64? {
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        var unit = text.dropFirst(number.count).lowercased()
        if unit.hasPrefix(" ") { unit.removeFirst() }
        guard let scale = unit.isEmpty ? 1 : units.first(where: { $0.name == unit })?.bytes else { return nil }
        if let whole = Int64(number) {
            let (bytes, overflow) = whole.multipliedReportingOverflow(by: scale)
            return overflow ? nil : bytes
        }
        guard scale > 1, number.first != ".", number.last != ".", let value = Double(number) else { return nil }
        return Int64(exactly: (value * Double(scale)).rounded())
    }

    /// The largest unit that divides it, binary before decimal.
    package static func format(_ bytes: Int64) -> String {
        if bytes == 0 { return "0" }
        for (name, scale) in [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] as [(String, Int64)]
        where bytes % scale == 0 { return "\(bytes / scale)\(name)" }
        for (name, scale) in [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)] as [(String, Int64)]
        where bytes % scale == 0 { return "\(bytes / scale)\(name)" }
        return "\(bytes)"
    }
}
