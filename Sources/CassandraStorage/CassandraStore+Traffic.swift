import CassandraClient
import Records
import Storage
import TimeSeries

extension CassandraStore {
    private typealias Tables = CassandraTables

    /// The buckets of a kind, the newest first.
    private func buckets(_ kind: String, from: Int64, to: Int64, _ connected: Connected) async throws -> [Int64] {
        let select = try await connected.statements.select(Tables.trafficBuckets, "AND bucket >= ? AND bucket <= ?")
        return try await rows(connected, select, [.text(kind), .bigint(from), .bigint(to)]) { try $0.int64(0) }
    }

    package func trafficTotals(_ query: TrafficQuery) async throws -> [TrafficTotal] {
        if query.limit <= 0 { return [] }
        return try await errors.translating {
            let connected = try await connected()
            var days = [DayNumber.sinceStart]
            if query.day != .sinceStart {
                days = try await buckets(BucketKind.totals, from: 0, to: .max, connected).map { DayNumber.text($0) }
                days = days.filter { query.day.contains($0) }
            }
            let select = try await connected.statements.select(Tables.trafficTotals, query.route == nil ? "" : "AND route = ?")
            var found: [TrafficTotal] = []
            for day in days where found.count < query.limit {
                var values: BoundValues = [.text(day)]
                if let route = query.route { values.append(route) }
                found += try await rows(connected, select, values) { row in
                    guard let route = try row.text(0), let type = try row.text(1), var fact = row.fields(2) else { return nil }
                    if let wanted = query.vehicleType, wanted != type { return nil }
                    let revision = try fact.revision()
                    return TrafficTotal(
                        time: try fact.int64() ?? 0, revision: revision, route: route, vehicleType: type,
                        day: day == DayNumber.sinceStart ? nil : day, vehicles: Int(try fact.int64() ?? 0),
                        events: Int(try fact.int64() ?? 0), arrivals: Int(try fact.int64() ?? 0))
                }
            }
            return Array(found.prefix(query.limit))
        }
    }

    // MARK: Windows

    private static func window(_ row: inout RowReader) throws -> TrafficWindow? {
        guard let time = try row.int64(0), let window = try row.int64(1), let route = try row.text(2), let type = try row.text(3),
            var fact = row.fields(4)
        else { return nil }
        let revision = try fact.revision()
        return TrafficWindow(
            time: time, window: window, revision: revision, route: route, vehicleType: type, vehicles: Int(try fact.int64() ?? 0),
            events: Int(try fact.int64() ?? 0), speedAvg: try fact.double(), speedP10: try fact.double(),
            lowFuel: Int(try fact.int64() ?? 0))
    }

    package func trafficWindows(
        window: Milliseconds?, route: String?, from: Milliseconds, to: Milliseconds, limit: Int
    ) async throws -> [TrafficWindow] {
        if limit <= 0 || from >= to { return [] }
        return try await errors.translating {
            let connected = try await connected()
            let hours = try await buckets(
                BucketKind.windows, from: Int64(Stamps.hour(from)), to: Int64(Stamps.hour(to)), connected)
            let select = try await connected.statements.select(Tables.trafficWindows, "AND time_ms > ? AND time_ms <= ?")
            return try await walk(hours.map { Int32(clamping: $0) }, limit: limit) { hour in
                try await self.rows(connected, select, [.int(hour), .bigint(from), .bigint(to)]) { row in
                    guard let found = try CassandraStore.window(&row) else { return nil }
                    return (window ?? found.window) == found.window && (route ?? found.route) == found.route ? found : nil
                }
            }
        }
    }

    package func latestTrafficWindows() async throws -> [TrafficWindow] {
        try await errors.translating {
            let connected = try await connected()
            let lengths = try await connected.statements.select(Tables.trafficWindowsNewest)
            let newest: [(window: Milliseconds, time: Milliseconds)] = try await rows(connected, lengths, [.text(BucketKind.newest)]) {
                row in
                guard let window = try row.int64(0), var fact = row.fields(1) else { return nil }
                _ = try fact.revision()
                return (window, try fact.int64() ?? 0)
            }
            let select = try await connected.statements.select(Tables.trafficWindows, "AND time_ms = ? AND window_ms = ?")
            return try await concurrently(newest.map { [$0.window, $0.time] }) { pair in
                let values: BoundValues = [.int(Stamps.hour(pair[1])), .bigint(pair[1]), .bigint(pair[0])]
                return try await self.rows(connected, select, values, CassandraStore.window)
            }.flatMap { $0 }
        }
    }

    // MARK: Visits and alerts

    package func visits(
        point: String?, vehicle: String?, from: Milliseconds, to: Milliseconds, limit: Int, insideOnly: Bool
    ) async throws -> [PointVisit] {
        if limit <= 0 || from >= to { return [] }
        return try await errors.translating {
            let connected = try await connected()
            let days = try await buckets(BucketKind.visits, from: .min, to: Int64(Stamps.day(to)), connected)
            let select = try await connected.statements.select(Tables.visits, "AND entered_ms <= ?")
            return try await walk(days.map { Int32(clamping: $0) }, limit: limit) { day in
                try await self.rows(connected, select, [.int(day), .bigint(to)]) { row in
                    guard let visit = try CassandraStore.visit(row), !visit.isWithdrawn else { return nil }
                    guard (point ?? visit.point) == visit.point, (vehicle ?? visit.vehicle) == visit.vehicle else { return nil }
                    return visit.left.map { $0 > from && !insideOnly } ?? true ? visit : nil
                }
            }
        }
    }

    private static func visit(_ row: RowReader) throws -> PointVisit? {
        guard let entered = try row.int64(0), let point = try row.text(1), let vehicle = try row.text(2), var fact = row.fields(3) else {
            return nil
        }
        let revision = try fact.revision()
        let time = try fact.int64() ?? 0
        let type = try fact.text() ?? ""
        let route = try fact.text() ?? ""
        return PointVisit(
            time: time, revision: revision, point: point, vehicle: vehicle, vehicleType: type, route: route, entered: entered,
            seen: try fact.int64() ?? entered, left: try fact.int64(), latitude: try fact.double() ?? .nan,
            longitude: try fact.double() ?? .nan, distance: try fact.double() ?? .nan, isWithdrawn: try fact.int32() == 1)
    }

    package func alerts(rule: String?, subject: String?, from: Milliseconds, to: Milliseconds, limit: Int) async throws -> [TrafficAlert] {
        if limit <= 0 || from >= to { return [] }
        return try await errors.translating {
            let connected = try await connected()
            let days = try await buckets(BucketKind.alerts, from: .min, to: Int64(Stamps.day(to)), connected)
            let select = try await connected.statements.select(Tables.alerts, "AND onset_ms <= ?")
            return try await walk(days.map { Int32(clamping: $0) }, limit: limit) { day in
                try await self.rows(connected, select, [.int(day), .bigint(to)]) { row in
                    guard let alert = try CassandraStore.alert(row), (rule ?? alert.rule) == alert.rule,
                        (subject ?? alert.subject) == alert.subject
                    else { return nil }
                    return alert.end.map { $0 > from } ?? true ? alert : nil
                }
            }
        }
    }

    private static func alert(_ row: RowReader) throws -> TrafficAlert? {
        guard let onset = try row.int64(0), let rule = try row.text(1), let subject = try row.text(2), var fact = row.fields(3) else {
            return nil
        }
        let revision = try fact.revision()
        let time = try fact.int64() ?? 0
        let type = try fact.text() ?? ""
        let route = try fact.text() ?? ""
        return TrafficAlert(
            time: time, revision: revision, rule: rule, subject: subject, vehicleType: type, route: route, onset: onset,
            end: try fact.int64(), value: try fact.double(), limit: try fact.double(), message: try fact.text() ?? "")
    }

    // MARK: Checkpoints

    /// 6 MB.
    private static let partsOfPage: Int32 = 32

    package func checkpoint(named name: String) async throws -> Checkpoint? {
        try await errors.translating {
            let connected = try await connected()
            guard let revision = try await completeCheckpoint(name, connected) else { return nil }
            let select = try await connected.statements.select(Tables.checkpoints, "AND revision = ?")
            var checkpoint = Checkpoint(name: name, time: 0, revision: Revision(rawValue: revision), data: [])
            let parts: [(Milliseconds, [UInt8])] = try await rows(
                connected, select, [.text(name), .bigint(revision)], pageSize: CassandraStore.partsOfPage
            ) { row in
                guard var fact = row.fields(3) else { return nil }
                _ = try fact.revision()
                return (try fact.int64() ?? 0, try fact.blob() ?? [])
            }
            for (time, data) in parts {
                checkpoint.time = time
                checkpoint.data += data
            }
            return checkpoint
        }
    }

    /// The newest revision of which all parts are there, from the keys alone.
    private func completeCheckpoint(_ name: String, _ connected: Connected) async throws -> Int64? {
        let select = try await connected.statements.prepare { Tables.checkpoints.selectKeys($0) }
        let keys: [(revision: Int64, parts: Int32)] = try await rows(connected, select, [.text(name)]) { row in
            guard let revision = try row.int64(0), let parts = try row.int32(1) else { return nil }
            return (revision, parts)
        }
        // The highest revision comes first.
        var at = 0
        while at < keys.count {
            let same = keys[at...].prefix { $0.revision == keys[at].revision }
            if same.allSatisfy({ Int($0.parts) == same.count }) { return keys[at].revision }
            at += same.count
        }
        return nil
    }

    /// One tombstone over all that is older than the newest complete one; it swallows the one before it.
    func dropOldCheckpoints(_ name: String, _ connected: Connected) async throws {
        guard let newest = try await completeCheckpoint(name, connected), newest > 0 else { return }
        let stamp = Stamps.byRevision(Revision(rawValue: newest)) - 1
        try await connected.session.execute(
            connected.statements.dropCheckpoints, [.bigint(stamp), .text(name), .bigint(newest)], .idempotent)
    }

    // MARK: Retention

    /// Rows end by themselves: their life is given when they are written, by the store's own retention. So there is nothing to remove here.
    package func applyRetention(_ retention: StoreRetention, now: Milliseconds) async throws -> Int { 0 }
}
