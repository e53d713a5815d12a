/// Appends little-endian numbers, varints and texts: the primitives of the binary formats.
package struct ByteWriter: Sendable {
    package var bytes: [UInt8] = []

    package init() {}

    package mutating func u8(_ value: UInt8) { bytes.append(value) }

    package mutating func fixed<T: FixedWidthInteger>(_ value: T) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    package mutating func double(_ value: Double) { fixed(value.bitPattern) }

    /// LEB128, as protobuf's unsigned varint.
    package mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    package mutating func varint(_ value: Int) { varint(UInt64(max(0, value))) }

    /// Zigzag, then varint.
    package mutating func signed(_ value: Int64) {
        varint(UInt64(bitPattern: (value << 1) ^ (value >> 63)))
    }

    package mutating func text(_ value: String) {
        varint(value.utf8.count)
        bytes.append(contentsOf: value.utf8)
    }

    package mutating func doubles(_ values: [Double]) {
        #if _endian(little)
            values.withUnsafeBytes { bytes.append(contentsOf: $0) }
        #else
            for value in values { double(value) }
        #endif
    }
}

/// Why bytes are not what they should be, and where.
package struct DecodingFailure: Error, Sendable, Equatable, CustomStringConvertible {
    package var offset: Int
    package var message: String
    package var description: String { "\(message) at byte \(offset)" }

    package init(offset: Int, message: String) {
        self.offset = offset
        self.message = message
    }
}

/// Reads what `ByteWriter` wrote; every read is checked against the end.
package struct ByteReader {
    package let bytes: UnsafeRawBufferPointer
    package var at = 0

    package init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    package var remaining: Int { bytes.count - at }

    package func failure(_ message: String) -> DecodingFailure { DecodingFailure(offset: at, message: message) }

    package mutating func u8() throws(DecodingFailure) -> UInt8 {
        guard at < bytes.count else { throw failure("the record ends too early") }
        defer { at += 1 }
        return bytes[at]
    }

    package mutating func fixed<T: FixedWidthInteger>(_ type: T.Type) throws(DecodingFailure) -> T {
        let size = MemoryLayout<T>.size
        guard remaining >= size else { throw failure("the record ends too early") }
        defer { at += size }
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: T.self))
    }

    package mutating func double() throws(DecodingFailure) -> Double { Double(bitPattern: try fixed(UInt64.self)) }

    package mutating func varint() throws(DecodingFailure) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try u8()
            if shift == 63 && byte > 1 { throw failure("a varint is too long") }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
            if shift > 63 { throw failure("a varint is too long") }
        }
    }

    /// A count of things that each take at least `size` bytes of what remains: a wrong one is refused before it is believed.
    package mutating func count(ofAtLeast size: Int) throws(DecodingFailure) -> Int {
        let value = try varint()
        guard value <= UInt64(remaining / max(1, size)) else { throw failure("a count of \(value) does not fit the record") }
        return Int(value)
    }

    package mutating func signed() throws(DecodingFailure) -> Int64 {
        let value = try varint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    package mutating func text() throws(DecodingFailure) -> String {
        let count = try count(ofAtLeast: 1)
        let raw = UnsafeRawBufferPointer(rebasing: bytes[at..<(at + count)])
        guard let text = String(validating: raw, as: UTF8.self) else { throw failure("a text is not UTF-8") }
        at += count
        return text
    }

    package mutating func slice(_ count: Int) throws(DecodingFailure) -> UnsafeRawBufferPointer {
        guard count >= 0, remaining >= count else { throw failure("the record ends too early") }
        defer { at += count }
        return UnsafeRawBufferPointer(rebasing: bytes[at..<(at + count)])
    }

    package mutating func doubles(_ count: Int) throws(DecodingFailure) -> [Double] {
        let raw = try slice(count * 8)
        return [Double](unsafeUninitializedCapacity: count) { buffer, made in
            #if _endian(little)
                UnsafeMutableRawBufferPointer(buffer).copyMemory(from: raw)
            #else
                for i in 0..<count {
                    buffer[i] = Double(bitPattern: UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: i * 8, as: UInt64.self)))
                }
            #endif
            made = count
        }
    }
}
