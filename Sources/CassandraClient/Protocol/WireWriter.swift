import NIOCore

/// The protocol's primitive types onto the end of a buffer.
extension ByteBuffer {
    /// Throws `usage` for what a [string] cannot hold.
    mutating func writeCQLString(_ text: String) throws(CassandraError) {
        let count = text.utf8.count
        guard count <= 65_535 else { throw CassandraError(.usage, "a text of \(count) bytes where the protocol has room for 65535") }
        writeInteger(UInt16(count))
        writeString(text)
    }

    mutating func writeCQLLongString(_ text: String) {
        writeInteger(Int32(truncatingIfNeeded: text.utf8.count))
        writeString(text)
    }

    mutating func writeCQLShortBytes(_ bytes: [UInt8]) throws(CassandraError) {
        guard bytes.count <= 65_535 else { throw CassandraError(.usage, "an identifier of \(bytes.count) bytes") }
        writeInteger(UInt16(bytes.count))
        writeBytes(bytes)
    }

    mutating func writeCQLBytes(_ bytes: [UInt8]) {
        writeInteger(Int32(truncatingIfNeeded: bytes.count))
        writeBytes(bytes)
    }
}
