/// The two checksums of version 5.
///
/// CRC24 over the segment's header: polynomial 0x1974F0B, initial value 0x875060 (chosen by P. Koopman for short messages). CRC32 over the
/// payload: zlib's, begun with the bytes FA 2D 55 CA, so that a run of zeros does not check.
enum Checksums {
    static func crc24(_ header: UInt32) -> UInt32 {
        var crc: UInt32 = 0x875060
        var rest = header
        for _ in 0..<3 {
            crc ^= (rest & 0xFF) << 16
            rest >>= 8
            for _ in 0..<8 {
                crc <<= 1
                if crc & 0x100_0000 != 0 { crc ^= 0x197_4F0B }
            }
        }
        return crc & 0xFF_FFFF
    }

    /// Eight tables, so that eight bytes are taken at once (M. Kounavis and F. Berry, 2005: "slicing by eight").
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for i in 0..<256 {
            var crc = UInt32(i)
            for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0xEDB8_8320 : crc >> 1 }
            tables[i] = crc
        }
        for i in 256..<(8 * 256) { tables[i] = (tables[i - 256] >> 8) ^ tables[Int(tables[i - 256] & 0xFF)] }
        return tables
    }()

    private static let seed: UInt32 = {
        let start: [UInt8] = [0xFA, 0x2D, 0x55, 0xCA]
        return start.withUnsafeBytes { ~continued(~0, $0) }
    }()

    static func crc32(_ bytes: UnsafeRawBufferPointer) -> UInt32 { ~continued(~seed, bytes) }

    private static func continued(_ start: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        tables.withUnsafeBufferPointer { table in
            var crc = start
            var i = 0
            while i + 8 <= bytes.count {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self)) ^ UInt64(crc)
                // Two halves, which the processor looks up side by side.
                let low =
                    table[1792 + Int(word & 0xFF)] ^ table[1536 + Int(word >> 8 & 0xFF)]
                    ^ table[1280 + Int(word >> 16 & 0xFF)] ^ table[1024 + Int(word >> 24 & 0xFF)]
                let high =
                    table[768 + Int(word >> 32 & 0xFF)] ^ table[512 + Int(word >> 40 & 0xFF)]
                    ^ table[256 + Int(word >> 48 & 0xFF)] ^ table[Int(word >> 56)]
                crc = low ^ high
                i += 8
            }
            while i < bytes.count {
                crc = (crc >> 8) ^ table[Int((crc ^ UInt32(bytes[i])) & 0xFF)]
                i += 1
            }
            return crc
        }
    }
}
