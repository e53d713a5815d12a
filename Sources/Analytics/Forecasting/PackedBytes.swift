/// Appends numbers, little endian.
struct PackedWriter {
    private(set) var bytes: [UInt8] = []

    mutating func put(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func put(_ values: [Float]) {
        for value in values { put(value.bitPattern) }
    }

    mutating func put(_ value: [UInt8]) { bytes += value }
}

/// Reads what `PackedWriter` wrote; every read is checked against the end.
struct PackedReader {
    private let bytes: UnsafeRawBufferPointer
    private var place = 0

    /// - Parameter bytes: valid for as long as the reader is used.
    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { place == bytes.count }

    mutating func take<T: FixedWidthInteger>(_ type: T.Type) -> T? {
        guard let start = advance(T.bitWidth / 8) else { return nil }
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: T.self))
    }

    mutating func takeFloats(_ count: Int) -> [Float]? {
        guard 0...bytes.count ~= count, let start = advance(4 * count) else { return nil }
        return (0..<count).map { k in
            Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: start + 4 * k, as: UInt32.self)))
        }
    }

    mutating func takeBytes(_ count: Int) -> [UInt8]? {
        advance(count).map { Array(bytes[$0..<($0 + count)]) }
    }

    /// The place before the next `count` bytes, which are passed over.
    private mutating func advance(_ count: Int) -> Int? {
        guard 0...(bytes.count - place) ~= count else { return nil }
        defer { place += count }
        return place
    }
}

/// A number >= 0 in 16 bits: a `Float` without its sign and with the first 8 of the 23 bits of its fraction, rounded up by at most 0.4 %:
/// a bound still includes what lay on it.
struct ShortFloat: Equatable {
    let bits: UInt16

    init(bits: UInt16) { self.bits = bits }

    /// Of the magnitude, at most 3.4e38; infinite where the value is no finite number.
    init(_ value: Float) { bits = value.isFinite ? UInt16(min((value.magnitude.bitPattern + 0x7FFF) >> 15, 0xFEFF)) : 0xFF00 }

    /// Not finite where the bits are none of a finite number.
    var value: Float { Float(bitPattern: UInt32(bits) << 15) }
}
