import NIOCore

/// What carries the frames of version 5 after the STARTUP exchange, uncompressed:
///
///      0                             3                             6                  6 + n                 10 + n
///     +-----------------------------+-----------------------------+--------------------+----------------------+
///     | length n: 17 bits, whole: 1 | CRC24 of the three bytes    | payload: n bytes   | CRC32 of the payload |
///     +-----------------------------+-----------------------------+--------------------+----------------------+
///
/// All numbers little endian. A *whole* segment holds whole frames; a frame that is longer than a segment goes over several that are not.
enum Segment {
    static let maximumPayload = 128 * 1024 - 1
    static let headerSize = 6
    static let trailerSize = 4
    private static let wholeBit: UInt32 = 1 << 17

    /// Puts frames into segments: as many whole ones into each as have room. `frames` holds frames end to end.
    static func wrap(_ frames: ByteBuffer, into out: inout ByteBuffer) {
        var rest = frames
        out.reserveCapacity(
            minimumWritableBytes: frames.readableBytes + (frames.readableBytes / maximumPayload + 2) * 2 * (headerSize + trailerSize))
        while rest.readableBytes > 0 {
            let whole = wholeFrames(rest)
            if whole > 0, let payload = rest.readSlice(length: whole) {
                write(payload, isWhole: true, into: &out)
                continue
            }
            guard var frame = rest.readSlice(length: nextFrame(rest, at: rest.readerIndex)) else { return }
            while frame.readableBytes > 0 {
                guard let part = frame.readSlice(length: min(maximumPayload, frame.readableBytes)) else { return }
                write(part, isWhole: false, into: &out)
            }
        }
    }

    private static func nextFrame(_ frames: ByteBuffer, at index: Int) -> Int {
        let length = frames.getInteger(at: index + 5, as: UInt32.self).map { Int($0) + FrameHeader.size } ?? 0
        return min(max(length, 1), frames.writerIndex - index)
    }

    /// Bytes of the whole frames at the front that fit into one segment; 0 when the first is too long.
    private static func wholeFrames(_ frames: ByteBuffer) -> Int {
        if frames.readableBytes <= maximumPayload { return frames.readableBytes }
        var end = frames.readerIndex
        while end < frames.writerIndex {
            let length = nextFrame(frames, at: end)
            if end + length - frames.readerIndex > maximumPayload { break }
            end += length
        }
        return end - frames.readerIndex
    }

    static func write(_ payload: ByteBuffer, isWhole: Bool, into out: inout ByteBuffer) {
        let header = UInt32(payload.readableBytes) | (isWhole ? wholeBit : 0)
        let check = Checksums.crc24(header)
        out.writeInteger(UInt64(header) | UInt64(check) << 24, endianness: .little, as: UInt64.self)
        out.moveWriterIndex(to: out.writerIndex - 2)
        out.writeImmutableBuffer(payload)
        out.writeInteger(payload.withUnsafeReadableBytes { Checksums.crc32($0) }, endianness: .little)
    }

    /// The next segment's payload, nil while bytes are missing; throws for a wrong checksum.
    static func read(_ bytes: inout ByteBuffer) throws(MalformedMessage) -> (payload: ByteBuffer, isWhole: Bool)? {
        let start = bytes.readerIndex
        guard let low = bytes.getInteger(at: start, endianness: .little, as: UInt32.self),
            let high = bytes.getInteger(at: start + 4, endianness: .little, as: UInt16.self)
        else { return nil }
        let header = low & 0xFF_FFFF
        guard Checksums.crc24(header) == low >> 24 | UInt32(high) << 8 else {
            throw MalformedMessage("a segment header's checksum is wrong")
        }
        let length = Int(header & UInt32(maximumPayload))
        guard let payload = bytes.getSlice(at: start + headerSize, length: length),
            let check = bytes.getInteger(at: start + headerSize + length, endianness: .little, as: UInt32.self)
        else { return nil }
        guard payload.withUnsafeReadableBytes({ Checksums.crc32($0) }) == check else {
            throw MalformedMessage("a segment's checksum is wrong")
        }
        bytes.moveReaderIndex(to: start + headerSize + length + trailerSize)
        return (payload, header & wholeBit != 0)
    }
}
