import NIOCore

/// The values of a statement's bind markers, already in their wire form: appending allocates nothing but the growing bytes.
package struct BoundValues: Sendable, ExpressibleByArrayLiteral {
    private(set) var bytes: [UInt8] = []
    package private(set) var count = 0

    /// - Parameter capacity: bytes to make room for.
    package init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    package init(_ values: [CQLValue]) {
        self.init()
        for value in values { append(value) }
    }

    package init(arrayLiteral values: CQLValue...) { self.init(values) }

    /// Bytes of all values.
    package var size: Int { bytes.count }

    package mutating func append(_ value: CQLValue) {
        var buffer = ByteBuffer()
        value.write(into: &buffer)
        bytes.append(contentsOf: buffer.readableBytesView)
        count += 1
    }

    @inline(__always)
    private mutating func write<T: FixedWidthInteger>(_ value: T) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    @inline(__always)
    private mutating func append<T: FixedWidthInteger>(fixed value: T) {
        write(Int32(MemoryLayout<T>.size))
        write(value)
        count += 1
    }

    /// `bigint`, `timestamp`, `counter`, `time`.
    package mutating func append(_ value: Int64) { append(fixed: value) }
    /// `int`
    package mutating func append(_ value: Int32) { append(fixed: value) }
    /// `double`
    package mutating func append(_ value: Double) { append(fixed: value.bitPattern) }

    /// A value made of values: a tuple, or a frozen type of the user's.
    package mutating func append(fields: BoundValues) { append(fields.bytes) }

    package mutating func append(_ value: Bool) { append(.boolean(value)) }
    package mutating func append(_ value: CQLUUID) { append(.uuid(value)) }

    /// `text`, `ascii`
    package mutating func append(_ value: String) {
        var text = value
        text.withUTF8 { utf8 in
            write(Int32(truncatingIfNeeded: utf8.count))
            bytes.append(contentsOf: utf8)
        }
        count += 1
    }

    /// `blob`
    package mutating func append(_ value: [UInt8]) {
        write(Int32(truncatingIfNeeded: value.count))
        bytes.append(contentsOf: value)
        count += 1
    }

    package mutating func appendNull() {
        write(Int32(-1))
        count += 1
    }

    /// What is stored stays as it is.
    package mutating func appendUnset() {
        write(Int32(-2))
        count += 1
    }

    package mutating func append(_ value: Int64?) { if let value { append(value) } else { appendNull() } }
    package mutating func append(_ value: Double?) { if let value { append(value) } else { appendNull() } }
    package mutating func append(_ value: String?) { if let value { append(value) } else { appendNull() } }

    /// The bytes that the partition's token is made of: the value itself for a key of one column, else each with its length before and a
    /// zero behind. Nil where one is null or missing.
    func routingKey(_ indexes: [UInt16]) -> [UInt8]? {
        guard !indexes.isEmpty else { return nil }
        var key: [UInt8] = []
        for index in indexes {
            guard let part = value(Int(index)) else { return nil }
            if indexes.count == 1 { return Array(part) }
            guard part.count <= 65_535 else { return nil }
            key.append(UInt8(part.count >> 8))
            key.append(UInt8(part.count & 0xFF))
            key.append(contentsOf: part)
            key.append(0)
        }
        return key
    }

    /// The bytes of one value; nil for null.
    private func value(_ index: Int) -> ArraySlice<UInt8>? {
        guard index < count else { return nil }
        var at = 0
        for _ in 0..<index { at += 4 + max(0, length(at)) }
        let size = length(at)
        return size < 0 ? nil : bytes[(at + 4)..<(at + 4 + size)]
    }

    private func length(_ at: Int) -> Int {
        Int(Int32(bitPattern: bytes[at..<(at + 4)].reduce(0) { $0 << 8 | UInt32($1) }))
    }
}
