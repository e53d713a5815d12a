import TimeSeries

/// How one kind of value is written: from text and back to text, and what is allowed, in words.
struct ValueForm<Value: Sendable>: Sendable {
    /// The word in the reference: "duration".
    var name: String
    /// What follows "write": `a duration such as 15s, 5m or 1h30m`.
    var allowed: String
    /// nil: not of this form. Throws a text for what is of the form but not allowed.
    var parse: @Sendable (String) throws(FormError) -> Value?
    var format: @Sendable (Value) -> String
    /// Printed as the mask, and never quoted in a message.
    var isSecret = false
}

struct FormError: Error {
    var message: String

    init(_ message: String) { self.message = message }
}

extension ValueForm where Value == String {
    static var text: Self {
        ValueForm(name: "text", allowed: "a text", parse: { $0.isEmpty ? nil : $0 }, format: { $0 })
    }

    static var path: Self {
        ValueForm(
            name: "path", allowed: "the path of a file or directory",
            parse: { text throws(FormError) in
                if text.utf8.contains(0) { throw FormError("a path holds no zero byte") }
                return text.isEmpty ? nil : text
            }, format: { $0 })
    }

    static var regex: Self {
        ValueForm(
            name: "regex", allowed: "a regular expression (RE2) over the whole name, such as node_cpu_.*",
            parse: { text throws(FormError) in
                do {
                    _ = try LinearRegex(text)
                } catch {
                    throw FormError("\"\(text)\" is not a regular expression: \(error)")
                }
                return text.isEmpty ? nil : text
            }, format: { $0 })
    }

    static var url: Self {
        ValueForm(
            name: "URL", allowed: "a URL such as http://127.0.0.1:9100/metrics",
            parse: { text throws(FormError) in
                if let problem = URLText.problem(text) { throw FormError(problem) }
                return text
            }, format: { $0 })
    }

    static var target: Self {
        ValueForm(
            name: "host:port", allowed: "host:port such as 127.0.0.1:9100",
            parse: { text throws(FormError) in
                if text.contains("/") {
                    throw FormError("\"\(text)\" is not host:port; give a whole URL as `url`, or scheme and path apart")
                }
                guard let address = ListenAddress(text), address.port > 0, !text.hasPrefix(":") else { return nil }
                return text
            }, format: { $0 })
    }

    static var host: Self {
        ValueForm(
            name: "host", allowed: "a host name or address without port, such as almanac.example.org",
            parse: { text throws(FormError) in
                text.isEmpty || text.contains(where: { $0 == "/" || $0.isWhitespace }) ? nil : text
            }, format: { $0 })
    }

    static var urlPath: Self {
        ValueForm(
            name: "path", allowed: "a path that begins with /, such as /metrics",
            parse: { text throws(FormError) in
                text.hasPrefix("/") && !text.contains(where: { $0.isWhitespace }) ? text : nil
            }, format: { $0 })
    }

    static var topic: Self {
        ValueForm(
            name: "topic", allowed: "a topic name of at most 200 letters, digits, '.', '_' and '-'",
            parse: { text throws(FormError) in
                let isAllowed = text.utf8.allSatisfy { isWordByte($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
                return isAllowed && (1...200).contains(text.utf8.count) && text != "." && text != ".." ? text : nil
            }, format: { $0 })
    }

    static var metricName: Self {
        ValueForm(
            name: "metric name", allowed: "a metric name of letters, digits, '_' and ':' that begins with no digit",
            parse: { text throws(FormError) in
                guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return nil }
                return text.utf8.allSatisfy { isWordByte($0) || $0 == UInt8(ascii: ":") } ? text : nil
            }, format: { $0 })
    }

    static var labelName: Self {
        ValueForm(
            name: "label name", allowed: "a label name of letters, digits and '_' that begins with no digit",
            parse: { text throws(FormError) in
                guard let first = text.utf8.first, !(0x30...0x39).contains(first), text.utf8.allSatisfy(isWordByte) else { return nil }
                if text.hasPrefix("__") { throw FormError("\"\(text)\" begins with __, which is reserved") }
                return text
            }, format: { $0 })
    }

    static var labelValue: Self { ValueForm(name: "text", allowed: "a text", parse: { $0 }, format: { $0 }) }
}

private func isWordByte(_ c: UInt8) -> Bool {
    (0x30...0x39).contains(c) || (0x41...0x5A).contains(c) || (0x61...0x7A).contains(c) || c == 0x5F
}

extension ValueForm where Value == Secret {
    static var secret: Self {
        ValueForm(
            name: "secret", allowed: "a text",
            parse: { text throws(FormError) in text.isEmpty ? nil : Secret(text) },
            format: { $0.description }, isSecret: true)
    }
}

extension ValueForm where Value == Bool {
    static var bool: Self {
        ValueForm(
            name: "bool", allowed: "true or false",
            parse: { text throws(FormError) in
                switch text.lowercased() {
                case "true", "yes", "on", "1": return true
                case "false", "no", "off", "0": return false
                default: return nil
                }
            }, format: { "\($0)" })
    }
}

extension ValueForm where Value == Int {
    static func integer(_ range: ClosedRange<Int>) -> Self {
        ValueForm(
            name: "integer", allowed: "a whole number from \(range.lowerBound) to \(range.upperBound)",
            parse: { text throws(FormError) in Int(text).flatMap { range.contains($0) ? $0 : nil } },
            format: { "\($0)" })
    }
}

extension ValueForm where Value == Int64 {
    /// A duration in milliseconds.
    static func duration(_ range: ClosedRange<Milliseconds>) -> Self {
        let low = DurationText.format(range.lowerBound)
        let high = DurationText.format(range.upperBound)
        return ValueForm(
            name: "duration", allowed: "a duration such as 500ms, 15s, 5m or 1h30m",
            parse: { text throws(FormError) in
                guard let value = DurationText.parse(text) else { return nil }
                if value < range.lowerBound { throw FormError("\(text) is too short; at least \(low)") }
                if value > range.upperBound { throw FormError("\(text) is too long; at most \(high)") }
                return value
            }, format: { DurationText.format($0) })
    }

    /// A size in bytes.
    static func size(_ range: ClosedRange<Int64>) -> Self {
        let low = SizeText.format(range.lowerBound)
        let high = SizeText.format(range.upperBound)
        return ValueForm(
            name: "size", allowed: "a size such as 512KiB, 64MB or 1GiB",
            parse: { text throws(FormError) in
                guard let value = SizeText.parse(text) else { return nil }
                if value < range.lowerBound { throw FormError("\(text) is too small; at least \(low)") }
                if value > range.upperBound { throw FormError("\(text) is too large; at most \(high)") }
                return value
            }, format: { SizeText.format($0) })
    }
}

extension ValueForm where Value == ListenAddress {
    static var listenAddress: Self {
        ValueForm(
            name: "address:port", allowed: "address:port such as 127.0.0.1:5002, [::1]:5002 or :5002 for all interfaces",
            parse: { text throws(FormError) in ListenAddress(text) },
            format: { $0.description })
    }
}

extension ValueForm where Value: CaseIterable & RawRepresentable, Value.RawValue == String {
    static var choice: Self {
        let names = Value.allCases.map(\.rawValue).joined(separator: ", ")
        return ValueForm(
            name: names, allowed: "one of \(names)",
            parse: { text throws(FormError) in Value.allCases.first { $0.rawValue.lowercased() == text.lowercased() } },
            format: { $0.rawValue })
    }
}

/// What is checked of a URL before anything is fetched from it.
enum URLText {
    /// nil for a good `http` or `https` URL.
    static func problem(_ text: String) -> String? {
        let scheme: String
        if text.hasPrefix("http://") {
            scheme = "http://"
        } else if text.hasPrefix("https://") {
            scheme = "https://"
        } else {
            return "\"\(text)\" is not a URL; it begins with http:// or https://"
        }
        if text.unicodeScalars.contains(where: { $0.value <= 0x20 || $0.value >= 0x7F }) {
            return "a URL holds no spaces and only ASCII; encode others as %20 and so on"
        }
        let authority = text.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        if authority.contains("@") { return "a URL holds no user and password; give them as `username` and `password_file`" }
        let hasPort = authority.hasPrefix("[") ? authority.contains("]:") : authority.contains(":")
        guard !authority.isEmpty, ListenAddress(hasPort ? String(authority) : "\(authority):80") != nil, !authority.hasPrefix(":") else {
            return "\"\(text)\" names no host, or a port that is none"
        }
        return nil
    }
}
