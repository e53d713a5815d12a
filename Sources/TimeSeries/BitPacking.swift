/// Fixed-width packing of unsigned integers, least significant bits first.
enum BitPacking {
    static func byteCount(_ count: Int, width: Int) -> Int { (count * width + 7) / 8 }

    static func pack(_ values: [UInt64], width: Int, into bytes: inout [UInt8]) {
        if width == 0 { return }
        var buffer: UInt64 = 0
        var filled = 0
        let mask: UInt64 = width == 64 ? .max : (1 << UInt64(width)) - 1
        for value in values {
            let low = value & mask
            buffer |= low << UInt64(filled)
            let space = 64 - filled
            if width >= space {
                for i in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: buffer >> UInt64(8 * i))) }
                buffer = space == 64 ? 0 : low >> UInt64(space)
                filled = width - space
            } else {
                filled += width
            }
        }
        var rest = filled
        while rest > 0 {
            bytes.append(UInt8(truncatingIfNeeded: buffer))
            buffer >>= 8
            rest -= 8
        }
    }

    /// Reads value `index` of a packed run; `raw` reaches at least 8 bytes past the run or the slow path is taken.
    @inline(__always)
    static func value(_ raw: UnsafeRawBufferPointer, base: Int, index: Int, width: Int, mask: UInt64) -> UInt64 {
        let bit = index * width
        let at = base + bit >> 3
        let shift = UInt64(bit & 7)
        if at + 8 <= raw.count {
            let word = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: at, as: UInt64.self)) >> shift
            if width + Int(shift) <= 64 { return word & mask }
            let high = at + 8 < raw.count ? UInt64(raw[at + 8]) : 0
            return (word | high << (64 - shift)) & mask
        }
        var word: UInt64 = 0
        for i in 0..<8 where at + i < raw.count { word |= UInt64(raw[at + i]) << UInt64(8 * i) }
        return (word >> shift) & mask
    }
}

/// CRC-32C (Castagnoli, polynomial 0x1EDC6F41 reflected), one table. For the short blocks that chunks are.
enum CRC32C {
    private static let table: [UInt32] = (0..<256).map { index in
        var crc = UInt32(index)
        for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0x82F6_3B78 : crc >> 1 }
        return crc
    }

    static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        table.withUnsafeBufferPointer { table in
            var crc: UInt32 = 0xFFFF_FFFF
            for byte in bytes { crc = table[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] ^ (crc >> 8) }
            return ~crc
        }
    }
}
