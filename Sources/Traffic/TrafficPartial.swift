import Records
import TimeSeries

/// One record of the topic of partials: counts of one route in one source partition, or how far that partition has come.
/// docs/formats/trafficpartials.md.
struct TrafficPartial: Sendable {
    static let magic: UInt8 = 0xA6
    static let version: UInt8 = 1

    enum Item: Sendable {
        /// Since the start without a day.
        case total(type: Int, day: Int32?, KeyCounts)
        case pane(type: Int, index: Int64, PaneCell)
        case end(type: Int, window: TrafficOptions.Window, index: Int64, vehicles: Int64)
    }

    struct Progress: Sendable, Equatable {
        /// Windows that end at or before this were given; nil before the first event.
        var through: Milliseconds?
        var isIdle: Bool
    }

    var source: Int32
    var epoch: Int64
    var offset: Int64
    /// Time of the newest event of the source partition.
    var newest: Milliseconds?
    /// nil in a record of counts.
    var progress: Progress?
    /// Length of its panes.
    var pane: Milliseconds = 1
    var route = ""
    var types: [String] = []
    var items: [Item] = []

    var revision: Revision { Revision(epoch: epoch, offset: offset) }

    static func begin(_ writer: inout ByteWriter, kind: UInt8, _ partition: TrafficPartition) {
        writer.u8(magic)
        writer.u8(version)
        writer.u8(kind)
        writer.varint(Int(partition.source))
        writer.varint(UInt64(max(0, partition.epoch)))
        writer.varint(UInt64(max(0, partition.consumed)))
        writer.signed(partition.newest)
    }

    init(decoding bytes: UnsafeRawBufferPointer) throws(DecodingFailure) {
        var reader = ByteReader(bytes)
        guard try reader.u8() == TrafficPartial.magic else { throw DecodingFailure(offset: 0, message: "not a record of partial counts") }
        let version = try reader.u8()
        guard version == TrafficPartial.version else {
            throw DecodingFailure(offset: 1, message: "version \(version) of the partial counts is not known; update almanac")
        }
        let kind = try reader.u8()
        source = try reader.small()
        epoch = try reader.number()
        offset = try reader.number()
        newest = try reader.time()
        switch kind {
        case 1: try decodeItems(&reader)
        case 2:
            let through = try reader.time()
            progress = Progress(through: through, isIdle: try reader.u8() != 0)
        default: throw DecodingFailure(offset: 2, message: "kind \(kind) of partial counts is not known")
        }
        if reader.remaining > 0 { throw reader.failure("more bytes after the record") }
    }

    private mutating func decodeItems(_ reader: inout ByteReader) throws(DecodingFailure) {
        pane = try reader.number()
        guard pane > 0 else { throw reader.failure("panes without length") }
        route = try reader.text()
        for _ in 0..<(try reader.count(ofAtLeast: 1)) { types.append(try reader.text()) }
        while reader.remaining > 0 {
            let tag = try reader.u8()
            let type = Int(try reader.small())
            guard type < types.count else { throw reader.failure("an item names no type") }
            switch tag {
            case 1: items.append(.total(type: type, day: nil, try KeyCounts(decoding: &reader)))
            case 2:
                let day = try reader.signed()
                guard let day = Int32(exactly: day) else { throw reader.failure("a day is out of range") }
                items.append(.total(type: type, day: day, try KeyCounts(decoding: &reader)))
            case 3:
                let index = try reader.index()
                items.append(.pane(type: type, index: index, try PaneCell(key: 0, decoding: &reader)))
            case 4:
                let window = TrafficOptions.Window(length: try reader.number(), slide: try reader.number())
                let index = try reader.index()
                items.append(.end(type: type, window: window, index: index, vehicles: try reader.number()))
            default: throw reader.failure("item \(tag) is not known")
            }
        }
    }
}

extension ByteReader {
    /// A time within some hundred thousand years; `.min` stands for none.
    mutating func time() throws(DecodingFailure) -> Milliseconds? {
        let value = try signed()
        if value == .min { return nil }
        guard value.magnitude < 1 << 53 else { throw failure("a time is out of range") }
        return value
    }

    mutating func index() throws(DecodingFailure) -> Int64 {
        let value = try signed()
        guard value.magnitude < 1 << 53 else { throw failure("an index is out of range") }
        return value
    }
}

extension KeyCounts {
    init(decoding reader: inout ByteReader) throws(DecodingFailure) {
        vehicles = try reader.signed()
        events = try reader.signed()
        arrivals = try reader.signed()
        guard max(vehicles.magnitude, events.magnitude, arrivals.magnitude) < 1 << 53 else {
            throw reader.failure("a count is out of range")
        }
    }

    func encode(to writer: inout ByteWriter) {
        writer.signed(vehicles)
        writer.signed(events)
        writer.signed(arrivals)
    }
}

/// Partial counts by route, on their way out.
struct PartialWriter: Sendable {
    fileprivate struct Open: Sendable {
        var types: [String] = []
        var body = ByteWriter()
    }

    static let limit = 112 * 1024
    private var open: [Int32: Open] = [:]
    private var full: [(route: Int32, types: [String], body: [UInt8])] = []

    var isEmpty: Bool { open.isEmpty && full.isEmpty }

    mutating func add(_ tag: UInt8, route: Int32, type: String, _ write: (inout ByteWriter) -> Void) {
        if let record = open[route], record.body.bytes.count > PartialWriter.limit - 8_192 || record.types.count > 256 {
            full.append((route, record.types, record.body.bytes))
            open[route] = nil
        }
        open[route, default: Open()].add(tag, type, write)
    }

    /// In the order in which they replace each other.
    var all: [(route: Int32, types: [String], body: [UInt8])] {
        full + open.sorted { $0.key < $1.key }.map { (route: $0.key, types: $0.value.types, body: $0.value.body.bytes) }
    }

    mutating func append(route: Int32, types: [String], body: [UInt8]) { full.append((route, types, body)) }

    mutating func take(_ partition: TrafficPartition) -> [(route: String, bytes: [UInt8])] {
        let records = all.map { record in
            var writer = ByteWriter()
            let route = partition.keys.routes[Int(record.route)]
            TrafficPartial.begin(&writer, kind: 1, partition)
            writer.varint(UInt64(partition.windows.pane))
            writer.text(route)
            writer.varint(record.types.count)
            for type in record.types { writer.text(type) }
            writer.bytes.append(contentsOf: record.body)
            return (route: route, bytes: writer.bytes)
        }
        self = PartialWriter()
        return records
    }
}

extension PartialWriter.Open {
    fileprivate mutating func add(_ tag: UInt8, _ type: String, _ write: (inout ByteWriter) -> Void) {
        var index = types.firstIndex(of: type)
        if index == nil {
            types.append(type)
            index = types.count - 1
        }
        body.u8(tag)
        body.varint(index ?? 0)
        write(&body)
    }
}
