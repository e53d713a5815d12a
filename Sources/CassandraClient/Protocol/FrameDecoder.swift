import NIOCore

/// Bytes of one connection in, frames out; frames are parts of the bytes received, not copies. What a peer can make it hold is bounded by
/// the largest frame allowed and one segment.
struct FrameDecoder {
    /// Whether frames come in segments.
    private(set) var isSegmented = false
    private let limit: Int
    private var received = ByteBuffer()
    /// Frames taken out of segments, when segmented.
    private var unwrapped = ByteBuffer()
    private var header: FrameHeader?

    init(maximumFrame limit: Int) { self.limit = min(limit, FrameHeader.maximumBody) }

    /// From the next byte on frames come in segments.
    mutating func beginSegments() { isSegmented = true }

    mutating func append(_ bytes: ByteBuffer) { FrameDecoder.join(&received, bytes) }

    /// Without copying where nothing is left over.
    private static func join(_ buffer: inout ByteBuffer, _ more: ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = more
            return
        }
        // A copy of the little that is left, because frames handed out may still look at the storage.
        if buffer.readerIndex > 0 {
            var joined = ByteBuffer()
            joined.reserveCapacity(max(buffer.readableBytes + more.readableBytes, 4096))
            joined.writeImmutableBuffer(buffer)
            buffer = joined
        }
        buffer.writeImmutableBuffer(more)
    }

    /// The next frame, nil while bytes are missing.
    mutating func next() throws(MalformedMessage) -> (header: FrameHeader, body: ByteBuffer)? {
        if !isSegmented { return try FrameDecoder.frame(&received, &header, limit) }
        while true {
            if let frame = try FrameDecoder.frame(&unwrapped, &header, limit) { return frame }
            guard let (payload, isWhole) = try Segment.read(&received) else { return nil }
            if isWhole, header != nil || unwrapped.readableBytes > 0 {
                throw MalformedMessage("a frame's continuation was expected and another segment came")
            }
            FrameDecoder.join(&unwrapped, payload)
        }
    }

    /// - Parameter pending: a header whose body has not come yet.
    private static func frame(
        _ bytes: inout ByteBuffer, _ pending: inout FrameHeader?, _ limit: Int
    ) throws(MalformedMessage) -> (header: FrameHeader, body: ByteBuffer)? {
        if pending == nil {
            pending = try FrameHeader.read(&bytes, limit: limit)
            if let pending { bytes.makeRoom(pending.length) }
        }
        guard let header = pending, let body = bytes.readSlice(length: header.length) else { return nil }
        pending = nil
        return (header, body)
    }
}

extension ByteBuffer {
    /// Before a long body, so that it does not grow step by step. What is claimed is believed up to a megabyte.
    fileprivate mutating func makeRoom(_ length: Int) {
        if length > 64 * 1024, readableBytes < length {
            var roomy = ByteBuffer()
            roomy.reserveCapacity(min(length, 1 << 20) + FrameHeader.size)
            roomy.writeImmutableBuffer(self)
            self = roomy
        }
    }
}
