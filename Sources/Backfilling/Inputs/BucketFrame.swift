import Glibc
import Records
import TimeSeries

/// Rows of one bucket from one stretch of a file: the series they name and columns.
struct BucketFrame: Sendable {
    var series: [ResolvedSeries] = []
    /// Index into `series`, of each row.
    var ids: [Int32] = []
    var times: [Milliseconds] = []
    var values: [Double] = []

    /// 0xB4, then little-endian: number of series; each its type, the length of its text, the text; number of rows; the columns.
    func encode(into out: inout [UInt8]) {
        func put(_ value: UInt32) { withUnsafeBytes(of: value.littleEndian) { out.append(contentsOf: $0) } }
        out.append(0xB4)
        put(UInt32(series.count))
        for one in series {
            out.append(one.key.type.rawValue)
            put(UInt32(one.text.count))
            out += one.text
        }
        put(UInt32(ids.count))
        ids.withUnsafeBytes { out.append(contentsOf: $0) }
        times.withUnsafeBytes { out.append(contentsOf: $0) }
        values.withUnsafeBytes { out.append(contentsOf: $0) }
    }
}

/// A frame as it is read back: texts of series instead of the series, which are made once for a bucket.
struct DecodedFrame {
    var types: [MetricType] = []
    var texts: [[UInt8]] = []
    var ids: [Int32] = []
    var times: [Milliseconds] = []
    var values: [Double] = []

    init(_ frame: BucketFrame) {
        types = frame.series.map(\.key.type)
        texts = frame.series.map(\.text)
        ids = frame.ids
        times = frame.times
        values = frame.values
    }

    /// Reads the frame at `at` and moves it behind. nil where the bytes are no frame.
    init?(_ raw: UnsafeRawBufferPointer, at: inout Int) {
        func u32() -> Int? {
            guard at + 4 <= raw.count else { return nil }
            defer { at += 4 }
            return Int(UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
        }
        guard at < raw.count, raw[at] == 0xB4 else { return nil }
        at += 1
        guard let count = u32(), count <= raw.count - at else { return nil }
        for _ in 0..<count {
            guard at < raw.count, let type = MetricType(rawValue: raw[at]) else { return nil }
            at += 1
            guard let length = u32(), length <= raw.count - at else { return nil }
            types.append(type)
            texts.append([UInt8](raw[at..<(at + length)]))
            at += length
        }
        guard let rows = u32(), rows <= (raw.count - at) / 20 else { return nil }
        ids = DecodedFrame.column(raw, &at, rows, 0)
        times = DecodedFrame.column(raw, &at, rows, 0)
        values = DecodedFrame.column(raw, &at, rows, 0)
        guard ids.allSatisfy({ $0 >= 0 && Int($0) < count }) else { return nil }
    }

    private static func column<T: BitwiseCopyable>(_ raw: UnsafeRawBufferPointer, _ at: inout Int, _ count: Int, _ zero: T) -> [T] {
        let bytes = count * MemoryLayout<T>.stride
        defer { at += bytes }
        return [T](unsafeUninitializedCapacity: count) { buffer, initialized in
            UnsafeMutableRawBufferPointer(buffer).copyMemory(from: UnsafeRawBufferPointer(rebasing: raw[at..<(at + bytes)]))
            initialized = count
        }
    }
}
