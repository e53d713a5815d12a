/// A table of a FlatBuffer, read where it lies. Every read is checked against the end, so hostile bytes throw and nothing else happens.
///
/// Source: https://flatbuffers.dev/internals/ (a table begins with the distance back to its vtable; the vtable has the place of each field).
struct FlatTable {
    let bytes: FlatBytes
    /// Where the table begins.
    let start: Int
    private let vtable: Int
    private let vtableSize: Int

    /// The root table of a buffer.
    init(root bytes: FlatBytes) throws(ArrowError) {
        try self.init(bytes, at: Int(try bytes.load(0, UInt32.self)))
    }

    init(_ bytes: FlatBytes, at start: Int) throws(ArrowError) {
        self.bytes = bytes
        self.start = start
        vtable = start - Int(try bytes.load(start, Int32.self))
        vtableSize = Int(try bytes.load(vtable, UInt16.self))
    }

    /// Where a field lies; nil where it has its default.
    private func place(_ field: Int) throws(ArrowError) -> Int? {
        let slot = 4 + 2 * field
        guard slot + 2 <= vtableSize else { return nil }
        let offset = Int(try bytes.load(vtable + slot, UInt16.self))
        return offset == 0 ? nil : start + offset
    }

    func value<T: FixedWidthInteger>(_ field: Int, default standard: T) throws(ArrowError) -> T {
        guard let place = try place(field) else { return standard }
        return try bytes.load(place, T.self)
    }

    func table(_ field: Int) throws(ArrowError) -> FlatTable? {
        guard let place = try place(field) else { return nil }
        return try FlatTable(bytes, at: place + Int(try bytes.load(place, UInt32.self)))
    }

    func text(_ field: Int) throws(ArrowError) -> String? {
        guard let vector = try vector(field, size: 1) else { return nil }
        return String(decoding: try bytes.slice(vector.start, vector.count), as: UTF8.self)
    }

    /// Where the elements of a vector begin, and how many there are.
    /// - Parameter size: bytes of one element.
    func vector(_ field: Int, size: Int) throws(ArrowError) -> (start: Int, count: Int)? {
        guard let place = try place(field) else { return nil }
        let start = place + Int(try bytes.load(place, UInt32.self))
        let count = Int(try bytes.load(start, UInt32.self))
        _ = try bytes.slice(start + 4, count * size)
        return (start + 4, count)
    }

    /// The tables that a vector points at.
    func tables(_ field: Int) throws(ArrowError) -> [FlatTable] {
        guard let vector = try vector(field, size: 4) else { return [] }
        var tables: [FlatTable] = []
        for i in 0..<vector.count {
            let place = vector.start + 4 * i
            tables.append(try FlatTable(bytes, at: place + Int(try bytes.load(place, UInt32.self))))
        }
        return tables
    }
}

/// Little-endian numbers out of bytes that may lie.
struct FlatBytes {
    let raw: UnsafeRawBufferPointer

    func load<T: FixedWidthInteger>(_ place: Int, _: T.Type) throws(ArrowError) -> T {
        guard place >= 0, place <= raw.count - MemoryLayout<T>.size else { throw ArrowError("a place lies outside of the message") }
        return T(littleEndian: raw.loadUnaligned(fromByteOffset: place, as: T.self))
    }

    func slice(_ start: Int, _ count: Int) throws(ArrowError) -> UnsafeRawBufferPointer {
        guard start >= 0, count >= 0, start <= raw.count, count <= raw.count - start else {
            throw ArrowError("a vector reaches beyond the message")
        }
        return UnsafeRawBufferPointer(rebasing: raw[start..<(start + count)])
    }
}
