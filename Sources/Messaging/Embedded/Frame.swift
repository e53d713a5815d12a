import TimeSeries

/// How one record stands in a segment file; docs/formats/log.md has the picture. All numbers are little-endian.
enum Frame {
    /// The bytes F5 "alm"; F5 occurs in no UTF-8 text.
    static let magic: UInt32 = 0x6d6c_61f5
    static let headerBytes = 28

    private static let shardKey: UInt8 = 0
    private static let textKey: UInt8 = 1

    /// Bytes that the record takes in the file. O(headers).
    static func bytes(of record: ProducerRecord) -> Int {
        var total = headerBytes + 3 + record.value.count
        switch record.key {
        case .shard: total += 2
        case .text(let text): total += 4 + text.utf8.count
        }
        for header in record.headers { total += 6 + header.name.utf8.count + header.value.count }
        return total
    }

    /// Why a record cannot stand in a frame, or nil.
    static func fault(of record: ProducerRecord) -> String? {
        if record.headers.count > Int(UInt16.max) { return "it has \(record.headers.count) headers, at most 65535 are allowed" }
        for header in record.headers where header.name.utf8.count > Int(UInt16.max) {
            return "a header name has \(header.name.utf8.count) bytes, at most 65535 are allowed"
        }
        return nil
    }

    static func appendBody(of record: ProducerRecord, to bytes: inout [UInt8]) {
        switch record.key {
        case .shard(let shard):
            bytes.append(shardKey)
            bytes.appendLittleEndian(UInt16(truncatingIfNeeded: record.headers.count))
            bytes.appendLittleEndian(shard.index)
        case .text(let text):
            bytes.append(textKey)
            bytes.appendLittleEndian(UInt16(truncatingIfNeeded: record.headers.count))
            bytes.appendLittleEndian(UInt32(truncatingIfNeeded: text.utf8.count))
            bytes.append(contentsOf: text.utf8)
        }
        for header in record.headers {
            bytes.appendLittleEndian(UInt16(truncatingIfNeeded: header.name.utf8.count))
            bytes.append(contentsOf: header.name.utf8)
            bytes.appendLittleEndian(UInt32(truncatingIfNeeded: header.value.count))
            bytes.append(contentsOf: header.value)
        }
        bytes.append(contentsOf: record.value)
    }

    /// The record in a body whose checksum was right; nil if its parts do not add up all the same.
    static func record(in body: UnsafeRawBufferPointer, header: FrameHeader, place: TopicPartition) -> ConsumerRecord? {
        var input = ByteCursor(body)
        guard let kind = input.integer(UInt8.self), let headerCount = input.integer(UInt16.self) else { return nil }
        let key: RecordKey
        switch kind {
        case shardKey:
            guard let shard = input.integer(UInt16.self) else { return nil }
            key = .shard(Shard(shard))
        case textKey:
            guard let count = input.integer(UInt32.self), let text = input.bytes(Int(count)) else { return nil }
            key = .text(String(decoding: text, as: UTF8.self))
        default: return nil
        }
        var headers: [RecordHeader] = []
        for _ in 0..<headerCount {
            guard let nameCount = input.integer(UInt16.self), let name = input.bytes(Int(nameCount)),
                let valueCount = input.integer(UInt32.self), let value = input.bytes(Int(valueCount))
            else { return nil }
            headers.append(RecordHeader(String(decoding: name, as: UTF8.self), [UInt8](value)))
        }
        guard let value = input.bytes(input.left) else { return nil }
        return ConsumerRecord(
            topic: place.topic, partition: place.partition, offset: header.offset, appendTime: header.time, key: key,
            value: [UInt8](value), headers: headers)
    }

    /// The frame's checksum: over the body first, so that producers compute that part in parallel, then over what only the
    /// writer knows: offset, append time, and the body's length.
    static func checksum(body: UInt32, offset: Offset, time: Milliseconds, length: UInt32) -> UInt32 {
        withUnsafeBytes(of: (offset.littleEndian, time.littleEndian, length.littleEndian)) { CRC32C.update(body, $0) }
    }
}

/// The fixed part of a frame.
struct FrameHeader: Sendable {
    var bodyBytes: Int
    var checksum: UInt32
    var offset: Offset
    var time: Milliseconds

    var totalBytes: Int { Frame.headerBytes + bodyBytes }
}

extension FrameHeader {
    /// nil where the magic number does not stand at the start or bytes are missing.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Frame.headerBytes, UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)) == Frame.magic else {
            return nil
        }
        bodyBytes = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
        checksum = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        offset = Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: 12, as: Int64.self))
        time = Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: 20, as: Int64.self))
    }

    func matches(body: UnsafeRawBufferPointer) -> Bool {
        let sum = Frame.checksum(
            body: CRC32C.update(0, body), offset: offset, time: time, length: UInt32(truncatingIfNeeded: bodyBytes))
        return sum == checksum
    }
}

/// Frames of one partition, encoded by the producer; the writer seals them with offsets and time.
struct FrameBatch: Sendable {
    private(set) var bytes: [UInt8] = []
    /// Where each frame begins.
    private(set) var starts: [Int] = []

    var count: Int { starts.count }

    mutating func reserve(bytes count: Int) { bytes.reserveCapacity(count) }

    /// O(bytes).
    mutating func append(_ record: ProducerRecord) {
        let start = bytes.count
        starts.append(start)
        bytes.append(contentsOf: repeatElement(0, count: Frame.headerBytes))
        Frame.appendBody(of: record, to: &bytes)
        bytes.withUnsafeMutableBytes { raw in
            let body = UnsafeRawBufferPointer(rebasing: raw[(start + Frame.headerBytes)...])
            raw.storeBytes(of: Frame.magic.littleEndian, toByteOffset: start, as: UInt32.self)
            raw.storeBytes(of: UInt32(truncatingIfNeeded: body.count).littleEndian, toByteOffset: start + 4, as: UInt32.self)
            raw.storeBytes(of: CRC32C.update(0, body).littleEndian, toByteOffset: start + 8, as: UInt32.self)
        }
    }

    /// Gives the frames their offsets and time and completes the checksums. Once only. O(frames).
    mutating func seal(firstOffset: Offset, time: Milliseconds) {
        var offset = firstOffset
        bytes.withUnsafeMutableBytes { raw in
            for start in starts {
                let length = UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: start + 4, as: UInt32.self))
                let body = UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: start + 8, as: UInt32.self))
                let sum = Frame.checksum(body: body, offset: offset, time: time, length: length)
                raw.storeBytes(of: sum.littleEndian, toByteOffset: start + 8, as: UInt32.self)
                raw.storeBytes(of: offset.littleEndian, toByteOffset: start + 12, as: Int64.self)
                raw.storeBytes(of: time.littleEndian, toByteOffset: start + 20, as: Int64.self)
                offset += 1
            }
        }
    }
}

/// Reads forward through bytes; nil where they end too early.
struct ByteCursor {
    private let bytes: UnsafeRawBufferPointer
    private var at = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var left: Int { bytes.count - at }

    mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) -> T? {
        guard left >= MemoryLayout<T>.size else { return nil }
        defer { at += MemoryLayout<T>.size }
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: T.self))
    }

    mutating func bytes(_ count: Int) -> UnsafeRawBufferPointer? {
        guard count >= 0, count <= left else { return nil }
        defer { at += count }
        return UnsafeRawBufferPointer(rebasing: bytes[at..<(at + count)])
    }
}

extension [UInt8] {
    mutating func appendLittleEndian(_ value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }
}
