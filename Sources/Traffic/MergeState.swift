import Records
import TimeSeries

/// The state as bytes. They are this version's own: what cannot be read is built anew from the topic.
extension TrafficMerge {
    private static let stateVersion: UInt8 = 1

    package func checkpoint() -> [UInt8] {
        var writer = ByteWriter()
        writer.u8(TrafficMerge.stateVersion)
        writer.signed(consumed)
        writer.signed(seriesThrough)
        writer.signed(lastTrim)
        writer.varint(UInt64(options.pane))
        writer.varint(sources.count)
        for source in sources {
            writer.signed(source.revision.rawValue)
            writer.signed(source.newest ?? .min)
            writer.signed(source.through ?? .min)
            writer.u8(source.isIdle ? 1 : 0)
        }
        var texts: [MergeKey: Int] = [:]
        var keys: [MergeKey] = []
        func number(_ key: MergeKey) -> Int {
            if let known = texts[key] { return known }
            texts[key] = keys.count
            keys.append(key)
            return keys.count - 1
        }
        var body = ByteWriter()
        body.varint(totals.count)
        for (key, parts) in totals {
            body.varint(number(key.key))
            body.signed(key.day.map(Int64.init) ?? .min)
            body.u8(dirtyTotals.contains(key) ? 1 : 0)
            body.varint(parts.parts.count)
            for part in parts.parts {
                body.varint(Int(part.source))
                part.value.encode(to: &body)
            }
        }
        body.varint(panes.count)
        for (index, cells) in panes {
            body.signed(index)
            body.varint(cells.count)
            for (key, parts) in cells {
                body.varint(number(key))
                body.varint(parts.parts.count)
                for part in parts.parts {
                    body.varint(Int(part.source))
                    part.value.encode(to: &body)
                }
            }
        }
        body.varint(kinds.count)
        for kind in kinds {
            body.varint(UInt64(kind.window.length))
            body.varint(UInt64(kind.window.slide))
            body.signed(kind.given)
            body.varint(kind.ends.count)
            for (index, cells) in kind.ends {
                body.signed(index)
                body.varint(cells.count)
                for (key, parts) in cells {
                    body.varint(number(key))
                    body.varint(parts.parts.count)
                    for part in parts.parts {
                        body.varint(Int(part.source))
                        body.varint(UInt64(part.value))
                    }
                }
            }
            body.varint(kind.dirty.count)
            for (index, routes) in kind.dirty {
                body.signed(index)
                body.varint(routes.count)
                for route in routes { body.text(route) }
            }
        }
        writer.varint(keys.count)
        for key in keys {
            writer.text(key.route)
            writer.text(key.type)
        }
        writer.bytes.append(contentsOf: body.bytes)
        return writer.bytes
    }

    package init(options: TrafficOptions, sources: Int, epoch: Int64, checkpoint: [UInt8]) throws(DecodingFailure) {
        self.init(options: options, sources: sources, epoch: epoch)
        try checkpoint.withUnsafeBufferPointer { (elements) throws(DecodingFailure) in
            var reader = ByteReader(UnsafeRawBufferPointer(elements))
            try decode(&reader)
        }
    }

    private mutating func decode(_ reader: inout ByteReader) throws(DecodingFailure) {
        guard try reader.u8() == TrafficMerge.stateVersion else { throw reader.failure("a state of another version") }
        consumed = try reader.signed()
        seriesThrough = try reader.time() ?? .min
        lastTrim = try reader.time() ?? .min
        let pane = try reader.number()
        let count = try reader.count(ofAtLeast: 4)
        for s in 0..<count {
            if s == sources.count { sources.append(MergeSource()) }
            sources[s].revision = Revision(rawValue: try reader.signed())
            sources[s].newest = try reader.time()
            sources[s].through = try reader.time()
            sources[s].isIdle = try reader.u8() != 0
        }
        var keys: [MergeKey] = []
        for _ in 0..<(try reader.count(ofAtLeast: 2)) { keys.append(MergeKey(route: try reader.text(), type: try reader.text())) }
        try decodeTotals(&reader, keys)
        try decodePanes(&reader, keys)
        try decodeKinds(&reader, keys)
        if pane != options.pane {
            panes = [:]
            kinds = options.windows.map { Kind(window: $0) }
        }
        if reader.remaining > 0 { throw reader.failure("more bytes after the state") }
    }

    private static func key(_ reader: inout ByteReader, _ keys: [MergeKey]) throws(DecodingFailure) -> MergeKey {
        let i = Int(try reader.small())
        guard i < keys.count else { throw reader.failure("a key is not known") }
        return keys[i]
    }

    private mutating func decodeTotals(_ reader: inout ByteReader, _ keys: [MergeKey]) throws(DecodingFailure) {
        for _ in 0..<(try reader.count(ofAtLeast: 4)) {
            let name = try TrafficMerge.key(&reader, keys)
            let day = try reader.signed()
            let key = TotalKey(key: name, day: day == .min ? nil : Int32(truncatingIfNeeded: day))
            if try reader.u8() != 0 { dirtyTotals.insert(key) }
            var parts = BySource<KeyCounts>()
            for _ in 0..<(try reader.count(ofAtLeast: 4)) { _ = parts.set(try reader.small(), try KeyCounts(decoding: &reader)) }
            totals[key] = parts
        }
    }

    private mutating func decodePanes(_ reader: inout ByteReader, _ keys: [MergeKey]) throws(DecodingFailure) {
        for _ in 0..<(try reader.count(ofAtLeast: 2)) {
            let index = try reader.index()
            for _ in 0..<(try reader.count(ofAtLeast: 2)) {
                let key = try TrafficMerge.key(&reader, keys)
                var parts = BySource<PaneCell>()
                for _ in 0..<(try reader.count(ofAtLeast: 6)) {
                    let source = try reader.small()
                    var cell = try PaneCell(key: 0, decoding: &reader)
                    cell.isDirty = false
                    _ = parts.set(source, cell)
                }
                panes[index, default: [:]][key] = parts
            }
        }
    }

    private mutating func decodeKinds(_ reader: inout ByteReader, _ keys: [MergeKey]) throws(DecodingFailure) {
        for _ in 0..<(try reader.count(ofAtLeast: 5)) {
            var kind = Kind(window: TrafficOptions.Window(length: try reader.number(), slide: try reader.number()))
            kind.given = try reader.time() ?? .min
            for _ in 0..<(try reader.count(ofAtLeast: 2)) {
                let index = try reader.index()
                for _ in 0..<(try reader.count(ofAtLeast: 2)) {
                    let key = try TrafficMerge.key(&reader, keys)
                    var parts = BySource<Int64>()
                    for _ in 0..<(try reader.count(ofAtLeast: 2)) { _ = parts.set(try reader.small(), try reader.number()) }
                    kind.ends[index, default: [:]][key] = parts
                }
            }
            for _ in 0..<(try reader.count(ofAtLeast: 2)) {
                let index = try reader.index()
                var routes: Set<String> = []
                for _ in 0..<(try reader.count(ofAtLeast: 1)) { routes.insert(try reader.text()) }
                kind.dirty[index] = routes
            }
            if let k = kinds.firstIndex(where: { $0.window == kind.window }) { kinds[k] = kind }
        }
    }
}
