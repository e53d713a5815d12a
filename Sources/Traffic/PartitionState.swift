import Records
import TimeSeries

/// The state as bytes. They are this version's own: what cannot be read is built anew from the topic.
extension TrafficPartition {
    private static let stateVersion: UInt8 = 1

    package func checkpoint() -> [UInt8] {
        var writer = ByteWriter()
        writer.u8(TrafficPartition.stateVersion)
        for time in [consumed, newest, through, lastSweep, stays.lastScan] { writer.signed(time) }
        writer.u8(stays.isEmpty ? 1 : 0)
        let points = options.points.prefix(TrafficOptions.maximumPoints).map(\.identity)
        let rules = options.rules.prefix(TrafficOptions.maximumRules).map(\.identity)
        for list in [points, rules] {
            writer.varint(list.count)
            for text in list { writer.text(text) }
        }
        writer.varint(states.count)
        for (k, state) in states.enumerated() {
            writer.text(keys.route(Int32(k)))
            writer.text(keys.type(Int32(k)))
            state.total.encode(to: &writer)
            writer.signed(Int64(state.day))
            state.today.encode(to: &writer)
        }
        writer.varint(olderDays.count)
        for (day, counts) in olderDays {
            writer.varint(Int(day.key))
            writer.signed(Int64(day.day))
            counts.encode(to: &writer)
        }
        let numbers = encodeVehicles(&writer)
        encodeStays(&writer, numbers)
        windows.encode(to: &writer)
        encodePending(&writer)
        return writer.bytes
    }

    /// Gives back which number each vehicle has in the bytes.
    private func encodeVehicles(_ writer: inout ByteWriter) -> [Int32] {
        var numbers = [Int32](repeating: -1, count: vehicles.vehicles.count)
        writer.varint(vehicles.count)
        writer.bytes.reserveCapacity(vehicles.count * 56)
        var next: Int32 = 0
        for (v, vehicle) in vehicles.vehicles.enumerated() where vehicle.isUsed {
            numbers[v] = next
            next += 1
            writer.fixed(vehicle.high)
            writer.fixed(vehicle.low)
            writer.u8(vehicle.isWatched ? 1 : 0)
            var slot = vehicle.slots
            var chain: [VehicleSlot] = []
            while slot >= 0 {
                chain.append(vehicles.slots[Int(slot)])
                slot = vehicles.slots[Int(slot)].next
            }
            writer.varint(chain.count)
            for slot in chain.reversed() {
                writer.varint(Int(slot.key))
                writer.signed(slot.last)
                writer.signed(Int64(slot.lastDay))
                writer.varint(UInt64(slot.days))
            }
            var last = newest
            let range = vehicles.range(v)
            writer.varint(range.count)
            for event in vehicles.events[range] {
                writer.signed(event.time - last)
                last = event.time
                writer.varint(Int(event.key))
                writer.varint(vehicles.points(event))
                guard event.place >= 0 else { continue }
                writer.double(vehicles.places[Int(event.place)].latitude)
                writer.double(vehicles.places[Int(event.place)].longitude)
            }
        }
        return numbers
    }

    private func encodeStays(_ writer: inout ByteWriter, _ numbers: [Int32]) {
        writer.varint(stays.base.count)
        for (id, stay) in stays.base {
            writer.varint(Int(numbers[Int(id >> 6)]))
            stay.encode(to: &writer)
        }
        writer.varint(stays.given.count)
        for (v, list) in stays.given {
            writer.varint(Int(numbers[Int(v)]))
            writer.varint(list.count)
            for stay in list { stay.encode(to: &writer) }
        }
        let dirty = stays.dirty.filter { vehicles.vehicles[Int($0)].isDirty }
        writer.varint(dirty.count)
        for v in dirty { writer.varint(Int(numbers[Int(v)])) }
        writer.varint(alarms.alarms.count)
        for (id, alarm) in alarms.alarms {
            writer.varint(Int(numbers[Int(id >> 6)]))
            writer.u8(UInt8(id & 63))
            writer.signed(alarm.since)
            writer.signed(alarm.last)
            writer.varint(Int(alarm.key))
            writer.double(alarm.value)
            writer.double(alarm.limit)
            writer.u8(alarm.isGiven ? 1 : 0)
        }
    }

    // MARK: Reading

    package init(options: TrafficOptions, source: Int32, epoch: Int64, checkpoint: [UInt8]) throws(DecodingFailure) {
        self.init(options: options, source: source, epoch: epoch)
        try checkpoint.withUnsafeBufferPointer { (elements) throws(DecodingFailure) in
            var reader = ByteReader(UnsafeRawBufferPointer(elements))
            try decode(&reader)
        }
    }

    private mutating func decode(_ reader: inout ByteReader) throws(DecodingFailure) {
        guard try reader.u8() == TrafficPartition.stateVersion else { throw reader.failure("a state of another version") }
        consumed = try reader.signed()
        newest = try reader.time() ?? .min
        through = try reader.time() ?? .min
        lastSweep = try reader.time() ?? .min
        stays.lastScan = try reader.time() ?? .min
        stays.isEmpty = try reader.u8() != 0
        let points = try TrafficPartition.texts(&reader)
        let rules = try TrafficPartition.texts(&reader)
        guard points.count <= 64, rules.count <= 64 else { throw reader.failure("more points or rules than there can be") }
        for k in 0..<(try reader.count(ofAtLeast: 8)) {
            let key = keys.index(route: try reader.text(), type: try reader.text())
            guard key == Int32(k) else { throw reader.failure("a route with its type is there twice") }
            var state = KeyState(zone: 0, points: 0, rules: 0)
            state.total = try KeyCounts(decoding: &reader)
            state.day = try reader.day()
            state.today = try KeyCounts(decoding: &reader)
            state.isDirty = true
            states.append(state)
        }
        for _ in 0..<(try reader.count(ofAtLeast: 5)) {
            let day = KeyDay(key: try key(&reader), day: try reader.day())
            olderDays[day] = try KeyCounts(decoding: &reader)
            dirtyDays.insert(day)
        }
        let count = try decodeVehicles(&reader)
        try decodeStays(&reader, count, points.count, rules.count)
        renumber(points: points, rules: rules)
        let keyCount = keys.count
        adopt(try WindowCounts(decoding: &reader, lateness: options.allowedLateness, keys: keyCount))
        windows.markAll()
        try decodePending(&reader)
        if reader.remaining > 0 { throw reader.failure("more bytes after the state") }
    }

    private static func texts(_ reader: inout ByteReader) throws(DecodingFailure) -> [String] {
        var texts: [String] = []
        for _ in 0..<(try reader.count(ofAtLeast: 1)) { texts.append(try reader.text()) }
        return texts
    }

    private func key(_ reader: inout ByteReader) throws(DecodingFailure) -> Int32 {
        let key = try reader.small()
        guard key < Int32(states.count) else { throw reader.failure("a key is not known") }
        return key
    }

    private mutating func decodeVehicles(_ reader: inout ByteReader) throws(DecodingFailure) -> Int {
        let count = try reader.count(ofAtLeast: 19)
        for _ in 0..<count {
            let v = vehicles.add(try reader.fixed(UInt64.self), try reader.fixed(UInt64.self))
            vehicles.vehicles[v].isWatched = try reader.u8() != 0
            for _ in 0..<(try reader.count(ofAtLeast: 4)) {
                let slot = vehicles.addSlot(v, try key(&reader))
                vehicles.slots[slot].last = try reader.time() ?? .min
                vehicles.slots[slot].lastDay = try reader.day()
                vehicles.slots[slot].days = UInt32(truncatingIfNeeded: try reader.varint())
            }
            var last = newest
            for _ in 0..<(try reader.count(ofAtLeast: 3)) {
                last &+= try reader.signed()
                guard last.magnitude < 1 << 53, last > vehicles.vehicles[v].newest else { throw reader.failure("a time is out of order") }
                let key = try key(&reader)
                let points = try reader.varint()
                var place: Int32 = -1
                if points != 0 {
                    place = vehicles.add(place: Place(points: points, latitude: try reader.double(), longitude: try reader.double()))
                }
                vehicles.insert(v, RecentEvent(time: last, key: key, place: place), isNewest: true)
                vehicles.vehicles[v].newest = last
                vehicles.vehicles[v].lastKey = key
            }
        }
        return count
    }

    private mutating func decodeStays(
        _ reader: inout ByteReader, _ count: Int, _ points: Int, _ rules: Int
    ) throws(DecodingFailure) {
        func vehicle() throws(DecodingFailure) -> Int {
            let v = Int(try reader.small())
            guard v < count else { throw reader.failure("a vehicle is not known") }
            return v
        }
        for _ in 0..<(try reader.count(ofAtLeast: 8)) {
            let v = try vehicle()
            stays.setBase(v, try Stay(decoding: &reader, points: points, keys: states.count))
        }
        for _ in 0..<(try reader.count(ofAtLeast: 2)) {
            let v = try vehicle()
            var list: [Stay] = []
            for _ in 0..<(try reader.count(ofAtLeast: 8)) { list.append(try Stay(decoding: &reader, points: points, keys: states.count)) }
            stays.given[Int32(v)] = list
        }
        for _ in 0..<(try reader.count(ofAtLeast: 1)) {
            let v = try vehicle()
            vehicles.vehicles[v].isDirty = true
            stays.dirty.append(Int32(v))
        }
        for _ in 0..<(try reader.count(ofAtLeast: 22)) {
            let v = try vehicle()
            let rule = Int(try reader.u8())
            guard rule < rules else { throw reader.failure("a rule is not known") }
            let since = try reader.index()
            let last = try reader.index()
            alarms.alarms[AlarmTable.key(v, rule)] = Alarm(
                since: since, last: last, key: try key(&reader), value: try reader.double(), limit: try reader.double(),
                isGiven: try reader.u8() != 0)
        }
    }
}

extension ByteReader {
    mutating func day() throws(DecodingFailure) -> Int32 {
        guard let day = Int32(exactly: try signed()) else { throw failure("a day is out of range") }
        return day
    }
}

extension Stay {
    func encode(to writer: inout ByteWriter) {
        writer.varint(Int(point))
        writer.varint(Int(key))
        writer.signed(entered)
        writer.signed(seen - entered)
        writer.signed(left ?? .min)
        writer.signed(time)
        writer.double(latitude)
        writer.double(longitude)
    }

    init(decoding reader: inout ByteReader, points: Int, keys: Int) throws(DecodingFailure) {
        point = try reader.small()
        key = try reader.small()
        guard point < points, key < keys else { throw reader.failure("a point or a key is not known") }
        entered = try reader.index()
        seen = try reader.index() + entered
        left = try reader.time()
        time = try reader.index()
        latitude = try reader.double()
        longitude = try reader.double()
    }
}

extension WindowCounts {
    func encode(to writer: inout ByteWriter) {
        writer.varint(UInt64(pane))
        let open = panes.rows.filter { !$0.cells.isEmpty }
        writer.varint(open.count)
        for row in open {
            writer.signed(row.index)
            writer.varint(row.cells.count)
            for cell in row.cells {
                writer.varint(Int(cell.key))
                cell.encode(to: &writer)
            }
        }
        writer.varint(kinds.count)
        for kind in kinds {
            writer.varint(UInt64(kind.window.length))
            writer.varint(UInt64(kind.window.slide))
            writer.signed(kind.from)
            let open = kind.ends.rows.filter { !$0.cells.isEmpty }
            writer.varint(open.count)
            for row in open {
                writer.signed(row.index)
                writer.varint(row.cells.count)
                for cell in row.cells {
                    writer.varint(Int(cell.key))
                    writer.varint(Int(cell.vehicles))
                }
            }
        }
    }

    init(decoding reader: inout ByteReader, lateness: Milliseconds, keys: Int) throws(DecodingFailure) {
        func key() throws(DecodingFailure) -> Int32 {
            let key = try reader.small()
            guard key < Int32(keys) else { throw reader.failure("a key is not known") }
            return key
        }
        var options = TrafficOptions()
        options.windows = []
        let pane = try reader.number()
        guard pane > 0 else { throw reader.failure("panes without length") }
        var paneRows: [CellRow<PaneCell>] = []
        for _ in 0..<(try reader.count(ofAtLeast: 2)) {
            var row = CellRow<PaneCell>()
            row.begin(try reader.index())
            for _ in 0..<(try reader.count(ofAtLeast: 6)) {
                let key = try key()
                let cell = try PaneCell(key: key, decoding: &reader)
                let place = row.place(key) { PaneCell(key: $0) }
                row.cells[place] = cell
            }
            paneRows.append(row)
        }
        var kinds: [Kind] = []
        for _ in 0..<(try reader.count(ofAtLeast: 4)) {
            let window = TrafficOptions.Window(length: try reader.number(), slide: try reader.number())
            guard window.slide > 0, window.length >= window.slide else { throw reader.failure("a window without length") }
            var kind = Kind(window: window, from: try reader.time() ?? .min, ends: CellRing(span: 0))
            kind.ends.rows = []
            for _ in 0..<(try reader.count(ofAtLeast: 2)) {
                var row = CellRow<EndCell>()
                row.begin(try reader.index())
                for _ in 0..<(try reader.count(ofAtLeast: 2)) {
                    let key = try key()
                    let place = row.place(key) { EndCell(key: $0) }
                    row.cells[place].vehicles = try reader.small()
                }
                kind.ends.rows.append(row)
            }
            kinds.append(kind)
        }
        self.init(pane: pane, lateness: lateness, rows: paneRows, kinds: kinds)
    }

    /// Rows as they were read, for another to adopt.
    private init(pane: Milliseconds, lateness: Milliseconds, rows: [CellRow<PaneCell>], kinds: [Kind]) {
        self.pane = pane
        self.lateness = lateness
        panes = CellRing(span: 0)
        panes.rows = rows
        self.kinds = kinds
    }
}
