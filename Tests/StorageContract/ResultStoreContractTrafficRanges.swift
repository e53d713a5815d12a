import Records
import Storage
import Testing
import TimeSeries

extension ResultStoreContract {
    @Sendable static func totals(_ store: any ResultStore) async throws {
        let days = ["2025-10-12", "2025-10-13", "2025-10-14"]
        for type in ["Bus", "Car"] {
            for route in ["R1", "R2"] {
                try await store.write(StoreBatch(trafficTotals: ([nil] + days).map { total(route, type, day: $0) }))
            }
        }
        func found(_ query: TrafficQuery) async throws -> [String] {
            try await store.trafficTotals(query).map { "\($0.day?.suffix(2) ?? "-") \($0.route) \($0.vehicleType)" }
        }
        #expect(try await found(TrafficQuery()) == ["- R1 Bus", "- R1 Car", "- R2 Bus", "- R2 Car"])
        #expect(try await found(TrafficQuery(route: "R2", vehicleType: "Car")) == ["- R2 Car"])
        #expect(try await found(TrafficQuery(route: "r2")).isEmpty)
        #expect(try await found(TrafficQuery(limit: 2)) == ["- R1 Bus", "- R1 Car"])
        let all = TrafficQuery.DaySelection.days(from: nil, to: nil)
        #expect(try await found(TrafficQuery(vehicleType: "Bus", day: all, limit: 3)) == ["14 R1 Bus", "14 R2 Bus", "13 R1 Bus"])
        #expect(try await found(TrafficQuery(day: all)).count == 12)
        let middle = TrafficQuery.DaySelection.days(from: days[1], to: days[1])
        #expect(try await found(TrafficQuery(route: "R1", day: middle)) == ["13 R1 Bus", "13 R1 Car"])
        #expect(try await found(TrafficQuery(route: "R1", day: .days(from: days[2], to: nil))).count == 2)
        #expect(try await found(TrafficQuery(route: "R1", day: .days(from: nil, to: days[1]))).count == 4)
        #expect(try await found(TrafficQuery(day: .days(from: days[2], to: days[0]))).isEmpty)
        #expect(try await found(TrafficQuery(day: all, limit: 0)).isEmpty)
    }

    @Sendable static func trafficWindowRanges(_ store: any ResultStore) async throws {
        let rows = (0..<6).flatMap { i in
            [30 * second, minute].flatMap { length in
                ["R1", "R2"].map { window(at: start + Int64(i) * 10 * second, $0, length: length) }
            }
        }
        try await store.write(StoreBatch(trafficWindows: rows.reversed()))
        func found(
            _ from: Milliseconds, _ to: Milliseconds, window: Milliseconds? = nil, route: String? = nil, limit: Int = 100
        ) async throws -> [TrafficWindow] {
            try await store.trafficWindows(window: window, route: route, from: from, to: to, limit: limit)
        }
        #expect(try await found(.min, .max) == rows)
        #expect(try await found(.min, .max, limit: 5) == Array(rows.suffix(5)))
        #expect(try await found(.min, .max, limit: 0).isEmpty)
        #expect(try await found(start, start + 20 * second) == Array(rows[4..<12]))
        #expect(try await found(start, start).isEmpty)
        #expect(try await found(.min, .max, window: minute, route: "R2") == rows.filter { $0.window == minute && $0.route == "R2" })
        #expect(try await found(.min, .max, window: hour).isEmpty)
    }

    @Sendable static func latestTraffic(_ store: any ResultStore) async throws {
        let short = [window(at: start + 20 * second, "R1"), window(at: start + 20 * second, "R2", "")]
        let long = [window(at: start, "R3", "Car", length: hour)]
        try await store.write(
            StoreBatch(trafficWindows: long + short + [window(at: start + 10 * second, "R9"), window(at: start - hour, length: hour)]))
        #expect(try await store.latestTrafficWindows() == short + long)
    }

    @Sendable static func withdrawnVisits(_ store: any ResultStore) async throws {
        let first = visit(entered: start + minute, revision: 3)
        let earlier = visit(entered: start, revision: 5, left: start + hour)
        let withdrawn = visit(entered: start + minute, revision: 5, isWithdrawn: true)
        func found() async throws -> [PointVisit] {
            try await store.visits(point: "poi", vehicle: "v1", from: .min, to: .max, limit: 9, insideOnly: false)
        }
        try await store.write(StoreBatch(visits: [first]))
        #expect(try await found() == [first])
        try await store.write(StoreBatch(visits: [withdrawn, earlier]))
        #expect(try await found() == [earlier])
        try await store.write(StoreBatch(visits: [first]))
        #expect(try await found() == [earlier], "an older version that comes again")
        #expect(try await store.visits(point: nil, vehicle: nil, from: .min, to: .max, limit: 9, insideOnly: true).isEmpty)
        // Withdrawn before it was heard of.
        try await store.write(StoreBatch(visits: [visit("v2", entered: start, revision: 2, isWithdrawn: true)]))
        try await store.write(StoreBatch(visits: [visit("v2", entered: start, revision: 1)]))
        #expect(try await store.visits(point: nil, vehicle: "v2", from: .min, to: .max, limit: 9, insideOnly: false).isEmpty)
        let again = visit(entered: start + minute, revision: 6)
        try await store.write(StoreBatch(visits: [again]))
        #expect(try await found() == [earlier, again])
    }

    @Sendable static func visitRanges(_ store: any ResultStore) async throws {
        // Number 4 lasts.
        let times = (0..<10).map { (start: start + Int64($0) * hour, end: $0 == 4 ? nil : start + Int64($0) * hour + 5 * minute) }
        try await store.write(
            StoreBatch(
                visits: times.map { visit(entered: $0.start, left: $0.end) }, alerts: times.map { alert(onset: $0.start, end: $0.end) }))
        func found(_ from: Milliseconds, _ to: Milliseconds, _ limit: Int = 100) async throws -> [Int64] {
            let visits = try await store.visits(point: nil, vehicle: nil, from: from, to: to, limit: limit, insideOnly: false)
            let alerts = try await store.alerts(rule: nil, subject: nil, from: from, to: to, limit: limit)
            #expect(visits.map(\.entered) == alerts.map(\.onset))
            return visits.map { ($0.entered - start) / hour }
        }
        #expect(try await found(.min, .max) == Array(0..<10))
        #expect(try await found(.min, .max, 3) == [7, 8, 9])
        #expect(try await found(.min, .max, 0) == [])
        #expect(try await found(start + 2 * hour, start + 3 * hour) == [2, 3])
        #expect(try await found(start + 2 * hour + 5 * minute, start + 3 * hour - 1) == [])
        #expect(try await found(start + 8 * hour + 6 * minute, start + day) == [4, 9])
        #expect(try await found(start + day, start) == [])
        let inside = try await store.visits(point: nil, vehicle: nil, from: start + day, to: .max, limit: 9, insideOnly: true)
        #expect(inside.map(\.entered) == [start + 4 * hour])
        let other = visit("v2", entered: start, point: "depot")
        try await store.write(StoreBatch(visits: [other], alerts: [alert("v2", onset: start, rule: "fuel")]))
        #expect(try await store.visits(point: "depot", vehicle: nil, from: .min, to: .max, limit: 9, insideOnly: true) == [other])
        #expect(try await store.visits(point: "depot", vehicle: "v1", from: .min, to: .max, limit: 9, insideOnly: false).isEmpty)
        #expect(try await store.visits(point: nil, vehicle: "v2", from: .min, to: .max, limit: 9, insideOnly: false) == [other])
        #expect(try await store.alerts(rule: "fuel", subject: nil, from: .min, to: .max, limit: 9).map(\.subject) == ["v2"])
        #expect(try await store.alerts(rule: nil, subject: "v2", from: .min, to: .max, limit: 9).map(\.rule) == ["fuel"])
        #expect(try await store.alerts(rule: "fuel", subject: "v1", from: .min, to: .max, limit: 9).isEmpty)
    }

    @Sendable static func trafficRetention(_ store: any ResultStore) async throws {
        let now = start + 500 * day
        // Day 500 after `start` is 2027-02-26.
        let days = ["0001-01-01", "2025-10-14", "2026-01-20", "2026-01-21", "2026-01-22", "2027-02-26"]
        let ages = [0, 1, 3, 14, 16] as [Int64]
        try await store.write(
            StoreBatch(
                trafficTotals: ([nil] + days).map { total(day: $0) },
                trafficWindows: ages.flatMap { age in ["A", "B"].map { window(at: now - age * day, $0) } },
                visits: ages.map { visit(entered: now - $0 * day) } + [visit(entered: now - 17 * day, isWithdrawn: true)]
                    + [visit("long", entered: now - 20 * day, revision: 10 * day)],
                alerts: ages.map { alert(onset: now - $0 * day) } + [alert("long", onset: now - 20 * day, time: now - day)]))
        try await store.write(StoreBatch(checkpoints: CheckpointPart.cut([1], name: "a", time: start, revision: Revision(rawValue: 1))))
        var retention = StoreRetention()
        retention.trafficWindows = 2 * day
        let removed = try await store.applyRetention(retention, now: now)
        #expect(removed == 3 + 6 + 2 + 1, "\(removed)")
        let left = try await traffic(store)
        #expect(left.trafficTotals.map(\.day) == [nil, "2027-02-26", "2026-01-22", "2026-01-21"])
        #expect(left.trafficWindows.map(\.time) == [now - day, now - day, now, now])
        #expect(left.visits.map { ($0.entered - now) / day } == [-20, -14, -3, -1, 0])
        #expect(left.alerts.map { ($0.onset - now) / day } == [-20, -14, -3, -1, 0])
        #expect(try await store.checkpoint(named: "a") != nil)
        #expect(try await store.applyRetention(retention, now: now) == 0, "a second run finds nothing")
    }

    static func trafficAgain(_ backend: any StoreBackend) async throws {
        let first = try await backend.open()
        try await first.write(
            StoreBatch(
                trafficTotals: [total()], trafficWindows: [window(at: start)], visits: [visit(entered: start)],
                alerts: [alert(onset: start)]))
        let before = try await traffic(first)
        await first.close()
        let second = try await backend.open()
        expectSame(try await traffic(second), before)
        #expect(before.visits.count == 1 && before.alerts.count == 1)
        await second.close()
    }
}
