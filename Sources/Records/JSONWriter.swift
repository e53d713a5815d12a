/// Appends JSON to bytes. Nothing that is not finite is ever written: it becomes null.
package struct JSONWriter: Sendable {
    package private(set) var bytes: [UInt8] = []
    /// Whether the next element of the innermost array or object needs a comma before it.
    private var needsComma = false

    package init() {}

    package mutating func write(_ value: JSONValue) {
        separate()
        switch value {
        case .null: append("null")
        case .bool(let b): append(b ? "true" : "false")
        case .int(let i): append("\(i)")
        case .double(let d): number(d)
        case .string(let s): quoted(s)
        case .array(let elements):
            beginArray(separated: true)
            for element in elements { write(element) }
            endArray()
        case .object(let members):
            beginObject(separated: true)
            for (key, member) in members {
                self.key(key)
                write(member)
            }
            endObject()
        }
        needsComma = true
    }

    package mutating func beginObject(separated: Bool = false) {
        if !separated { separate() }
        bytes.append(UInt8(ascii: "{"))
        needsComma = false
    }

    package mutating func endObject() {
        bytes.append(UInt8(ascii: "}"))
        needsComma = true
    }

    package mutating func beginArray(separated: Bool = false) {
        if !separated { separate() }
        bytes.append(UInt8(ascii: "["))
        needsComma = false
    }

    package mutating func endArray() {
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }

    package mutating func key(_ name: String) {
        separate()
        quoted(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    package mutating func member(_ name: String, _ value: String) {
        key(name)
        quoted(value)
        needsComma = true
    }

    package mutating func member(_ name: String, _ value: Int64) {
        key(name)
        append("\(value)")
        needsComma = true
    }

    package mutating func member(_ name: String, _ value: Int) { member(name, Int64(value)) }

    package mutating func member(_ name: String, _ value: Double?) {
        key(name)
        if let value { number(value) } else { append("null") }
        needsComma = true
    }

    package mutating func member(_ name: String, _ value: JSONValue) {
        key(name)
        write(value)
    }

    /// An element of an array.
    package mutating func element(_ value: Double?) {
        separate()
        if let value { number(value) } else { append("null") }
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = false
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func number(_ value: Double) {
        guard value.isFinite else { return append("null") }
        if value.magnitude < 9_007_199_254_740_992, value == value.rounded(.towardZero), !(value == 0 && value.sign == .minus) {
            append("\(Int64(value))")
        } else {
            append(value.description)
        }
    }

    private mutating func quoted(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0x0A: append("\\n")
            case 0x0D: append("\\r")
            case 0x09: append("\\t")
            case 0..<0x20:
                append("\\u00")
                let hex = Array("0123456789abcdef".utf8)
                bytes.append(hex[Int(byte >> 4)])
                bytes.append(hex[Int(byte & 15)])
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

extension JSONValue {
    /// The value as compact JSON.
    package var jsonBytes: [UInt8] {
        var writer = JSONWriter()
        writer.write(self)
        return writer.bytes
    }

    package var jsonText: String { String(decoding: jsonBytes, as: UTF8.self) }
}
