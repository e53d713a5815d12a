import TimeSeries

/// One value of the topic `chunks` beside the chunks: a part of a checkpoint. All parts of a name have one key, the name,
/// so that they come in order. docs/formats/chunks.md.
package enum CheckpointRecord {
    package static let version: UInt8 = 1
    private static let magic: UInt8 = 0xA4
    /// More parts than that are a damaged number.
    private static let maximumParts: UInt64 = 1 << 20

    /// Whether the bytes begin as such a value does.
    package static func isOne(_ bytes: [UInt8]) -> Bool { bytes.first == magic }

    package static func encode(_ part: CheckpointPart) -> [UInt8] {
        var writer = ByteWriter()
        writer.bytes.reserveCapacity(part.name.utf8.count + part.data.count + 40)
        writer.u8(magic)
        writer.u8(version)
        writer.text(part.name)
        writer.signed(part.time)
        writer.fixed(part.revision.rawValue)
        writer.varint(part.part)
        writer.varint(part.parts)
        writer.varint(part.data.count)
        writer.bytes.append(contentsOf: part.data)
        return writer.bytes
    }

    package static func decode(_ bytes: [UInt8]) throws(RecordError) -> CheckpointPart {
        do {
            return try bytes.withUnsafeBytes { (raw) throws(DecodingFailure) in try decode(raw) }
        } catch {
            throw RecordError("\(error)")
        }
    }

    private static func decode(_ raw: UnsafeRawBufferPointer) throws(DecodingFailure) -> CheckpointPart {
        var reader = ByteReader(raw)
        guard try reader.u8() == magic else { throw DecodingFailure(offset: 0, message: "not a record of a checkpoint") }
        let version = try reader.u8()
        guard version == CheckpointRecord.version else {
            throw DecodingFailure(offset: 1, message: "version \(version) of the checkpoints format is not known; update almanac")
        }
        let name = try reader.text()
        if name.isEmpty || name.utf8.count > TrafficRecord.maximumNameBytes || name.utf8.last == UInt8(ascii: " ") {
            throw reader.failure("a checkpoint's name is empty, too long or ends in a space")
        }
        let time = try reader.signed()
        let revision = Revision(rawValue: try reader.fixed(Int64.self))
        let part = try reader.varint()
        let parts = try reader.varint()
        guard part < parts, parts <= maximumParts else { throw reader.failure("part \(part) of \(parts) is none") }
        let size = try reader.count(ofAtLeast: 1)
        let data = Array(try reader.slice(size))
        if reader.remaining > 0 { throw reader.failure("more bytes after the checkpoint") }
        return CheckpointPart(name: name, time: time, revision: revision, part: Int(part), parts: Int(parts), data: data)
    }
}
