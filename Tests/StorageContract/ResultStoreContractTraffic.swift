import Records
import Storage
import TestSupport
import Testing
import TimeSeries

extension ResultStoreContract {
    package static let trafficChecks =
        [
            ContractCheck("traffic is read back exactly", store: trafficReadsBack),
            ContractCheck("a higher revision of traffic replaces, an equal or lower one does not", store: trafficRevisions),
            ContractCheck("traffic in any order and repetition ends in the same content", store: trafficAnyOrder),
            ContractCheck("totals are chosen by day, route and type", store: totals),
            ContractCheck("windows of traffic keep range and limit, the newest win", store: trafficWindowRanges),
            ContractCheck("of each length of window the newest time is the latest", store: latestTraffic),
            ContractCheck("a withdrawn visit is gone and does not come back", store: withdrawnVisits),
            ContractCheck("visits and alerts keep range and limit, the newest win", store: visitRanges),
            ContractCheck("traffic goes with its retention", store: trafficRetention),
            ContractCheck("traffic outlives an opening") { try await trafficAgain($0) },
        ] + checkpointChecks

    package static func total(
        _ route: String = "Route-37", _ type: String = "Bus", day: String? = nil, revision: Int64 = 1, events: Int = 5
    ) -> TrafficTotal {
        TrafficTotal(
            time: start + revision, revision: Revision(rawValue: revision), route: route, vehicleType: type, day: day, vehicles: 2,
            events: events, arrivals: 1)
    }

    package static func window(
        at time: Milliseconds, _ route: String = "Route-37", _ type: String = "Bus", length: Milliseconds = 30 * second,
        revision: Int64 = 1, events: Int = 5
    ) -> TrafficWindow {
        TrafficWindow(
            time: time, window: length, revision: Revision(rawValue: revision), route: route, vehicleType: type, vehicles: 2,
            events: events,
            speedAvg: 61.1 / 3, speedP10: 12.5, lowFuel: 1)
    }

    package static func visit(
        _ vehicle: String = "v1", entered: Milliseconds, point: String = "poi", revision: Int64 = 1, left: Milliseconds? = nil,
        isWithdrawn: Bool = false
    ) -> PointVisit {
        PointVisit(
            time: entered + revision, revision: Revision(rawValue: revision), point: point, vehicle: vehicle, vehicleType: "Large Truck",
            route: "Route-37", entered: entered, seen: entered + second, left: left, latitude: 33.877495, longitude: -95.50238,
            distance: 1.0 / 3, isWithdrawn: isWithdrawn)
    }

    package static func alert(
        _ subject: String = "v1", onset: Milliseconds, rule: String = "speeding", revision: Int64 = 1, time: Milliseconds? = nil,
        end: Milliseconds? = nil
    ) -> TrafficAlert {
        TrafficAlert(
            time: time ?? onset, revision: Revision(rawValue: revision), rule: rule, subject: subject, vehicleType: "Bus",
            route: "Route-37",
            onset: onset, end: end, value: 131.5, limit: 110, message: "speed 131.5 km/h above 110")
    }

    /// All of it.
    package static func traffic(_ store: any ResultStore, limit: Int = 100_000) async throws -> StoreBatch {
        StoreBatch(
            trafficTotals: try await store.trafficTotals(TrafficQuery(limit: limit))
                + store.trafficTotals(TrafficQuery(day: .days(from: nil, to: nil), limit: limit)),
            trafficWindows: try await store.trafficWindows(window: nil, route: nil, from: .min, to: .max, limit: limit),
            visits: try await store.visits(point: nil, vehicle: nil, from: .min, to: .max, limit: limit, insideOnly: false),
            alerts: try await store.alerts(rule: nil, subject: nil, from: .min, to: .max, limit: limit))
    }

    package static func expectSame(
        _ a: StoreBatch, _ b: StoreBatch, _ comment: Comment? = nil, _ location: SourceLocation = #_sourceLocation
    ) {
        #expect(a.trafficTotals == b.trafficTotals, comment, sourceLocation: location)
        #expect(a.trafficWindows == b.trafficWindows, comment, sourceLocation: location)
        #expect(a.visits == b.visits, comment, sourceLocation: location)
        #expect(a.alerts == b.alerts, comment, sourceLocation: location)
    }

    @Sendable static func trafficReadsBack(_ store: any ResultStore) async throws {
        expectSame(try await traffic(store), StoreBatch())
        #expect(try await store.latestTrafficWindows().isEmpty)
        var bare = window(at: start, "", "")
        (bare.speedAvg, bare.speedP10) = (nil, nil)
        var place = alert("v2", onset: start + 1, rule: "enters \"poi\"", revision: .max, end: start)
        (place.value, place.limit, place.message) = (nil, nil, "é\u{0}\n'😀")
        var huge = total("Süd \"1\"", "", events: .max)
        (huge.time, huge.revision) = (.max, Revision(rawValue: .max))
        let batch = StoreBatch(
            trafficTotals: [huge, total(day: "2025-10-14")], trafficWindows: [bare, window(at: start + 1)],
            visits: [visit(entered: start, left: start + minute), visit("v2", entered: start + 1)],
            alerts: [alert(onset: start), place])
        try await store.write(batch)
        expectSame(try await traffic(store), batch)
        #expect(try await store.series(matching: [], page: PageRequest(limit: 10)).isEmpty, "vehicles are no series")
    }

    @Sendable static func trafficRevisions(_ store: any ResultStore) async throws {
        func batch(_ revision: Int64, _ n: Int) -> StoreBatch {
            StoreBatch(
                trafficTotals: [total(revision: revision, events: n), total(day: "2025-10-14", revision: revision, events: n)],
                trafficWindows: [window(at: start, revision: revision, events: n)],
                visits: [visit(entered: start, revision: revision, left: start + Int64(n))],
                alerts: [alert(onset: start, revision: revision, time: start - revision, end: start + Int64(n))])
        }
        try await store.write(batch(5, 50))
        for lower in [batch(5, 51), batch(4, 40)] {
            try await store.write(lower)
            expectSame(try await traffic(store), batch(5, 50))
        }
        try await store.write(batch(6, 60))
        expectSame(try await traffic(store), batch(6, 60), "the alert's time is earlier, its revision later")
        var several = StoreBatch()
        for (revision, n) in [(7, 70), (9, 90), (9, 91), (8, 80)] as [(Int64, Int)] {
            let one = batch(revision, n)
            several.trafficTotals += one.trafficTotals
            several.trafficWindows += one.trafficWindows
            several.visits += one.visits
            several.alerts += one.alerts
        }
        try await store.write(several)
        expectSame(try await traffic(store), batch(9, 90))
    }

    /// What a row says depends on its key and revision alone, as it does in the product.
    @Sendable static func trafficAnyOrder(_ store: any ResultStore) async throws {
        var random = SplitMix64(seed: 11)
        let batches = (0..<25).map { _ in
            var batch = StoreBatch()
            for _ in 0..<Int.random(in: 1...30, using: &random) {
                let revision = Int64.random(in: 1...4, using: &random)
                let time = start + Int64.random(in: 0..<12, using: &random) * 10 * second
                let route = "Route-\(Int.random(in: 1...3, using: &random))"
                let name = "v\(Int.random(in: 1...3, using: &random))"
                switch Int.random(in: 0..<4, using: &random) {
                case 0:
                    let day = Int.random(in: 0...3, using: &random)
                    batch.trafficTotals.append(
                        total(route, name, day: day == 0 ? nil : "2025-10-1\(day)", revision: revision, events: Int(revision) * 3))
                case 1:
                    let length = ([30, 60] as [Int64]).randomElement(using: &random) ?? 30
                    batch.trafficWindows.append(window(at: time, route, name, length: length * second, revision: revision))
                case 2:
                    batch.visits.append(
                        visit(
                            name, entered: time, point: route, revision: revision, left: revision == 2 ? nil : time + revision,
                            isWithdrawn: revision == 3))
                default: batch.alerts.append(alert(name, onset: time, rule: route, revision: revision, end: time + revision))
                }
            }
            return batch
        }
        let model = ModelStore()
        for batch in batches { try await model.write(batch) }
        for batch in (batches + batches.shuffled(using: &random).prefix(12)).shuffled(using: &random) { try await store.write(batch) }
        expectSame(try await traffic(store), try await traffic(model))
        expectSame(try await traffic(store, limit: 7), try await traffic(model, limit: 7))
        #expect(try await store.latestTrafficWindows() == model.latestTrafficWindows())
        for i in 0..<60 {
            let from = start + Int64.random(in: -2..<12, using: &random) * 5 * second
            let to = from + Int64.random(in: 0..<20, using: &random) * 5 * second
            let limit = Int.random(in: 0...20, using: &random)
            let route = Bool.random(using: &random) ? nil : "Route-2"
            let name = Bool.random(using: &random) ? nil : "v1"
            let length: Milliseconds? = Bool.random(using: &random) ? nil : minute
            let isInside = Bool.random(using: &random)
            #expect(
                try await store.trafficWindows(window: length, route: route, from: from, to: to, limit: limit)
                    == model.trafficWindows(window: length, route: route, from: from, to: to, limit: limit), "\(i)")
            #expect(
                try await store.visits(point: route, vehicle: name, from: from, to: to, limit: limit, insideOnly: isInside)
                    == model.visits(point: route, vehicle: name, from: from, to: to, limit: limit, insideOnly: isInside), "\(i)")
            #expect(
                try await store.alerts(rule: route, subject: name, from: from, to: to, limit: limit)
                    == model.alerts(rule: route, subject: name, from: from, to: to, limit: limit), "\(i)")
        }
    }
}
