/// The names that Prometheus allows.
package enum SeriesNames {
    package static func isMetric(_ name: String) -> Bool { isName(name) { isWord($0) || $0 == UInt8(ascii: ":") } }

    /// Names that begin with `__` are reserved.
    package static func isLabel(_ name: String) -> Bool { isName(name, isWord) && !name.hasPrefix("__") }

    private static func isName(_ name: String, _ isAllowed: (UInt8) -> Bool) -> Bool {
        guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return name.utf8.allSatisfy(isAllowed)
    }

    private static func isWord(_ c: UInt8) -> Bool {
        (0x30...0x39).contains(c) || (0x41...0x5A).contains(c) || (0x61...0x7A).contains(c) || c == 0x5F
    }
}
