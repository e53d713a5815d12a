import Records
import Testing
import TimeSeries

@testable import Traffic

/// Both stages with logs in between, as the roles run them; what is given is kept as a database keeps it.
struct Pipeline {
    let options: TrafficOptions
    var partitions: [TrafficPartition]
    var merge: TrafficMerge
    /// What each source partition, and the topic of partials, got.
    var logs: [[VehicleEvent]]
    var partials: [[UInt8]] = []
    var partitionStates: [[UInt8]?]
    var mergeState: [UInt8]?
    var epoch: Int64 = 1
    var accepted: [VehicleEvent] = []
    var outcomes: [EventOutcome] = []
    var now: Milliseconds = 0

    var totals: [TotalID: (Revision, [Int])] = [:]
    var windows: [WindowID: (Revision, WindowValue)] = [:]
    var visits: [VisitID: (Revision, VisitValue?)] = [:]
    var alerts: [TrafficAlert] = []
    var series: [TrafficSeriesPoint] = []
    /// How often each window was given.
    var givings: [WindowID: Int] = [:]

    init(options: TrafficOptions, sources: Int = 1) {
        self.options = options
        partitions = (0..<sources).map { TrafficPartition(options: options, source: Int32($0), epoch: 1) }
        merge = TrafficMerge(options: options, sources: sources, epoch: 1)
        logs = [[VehicleEvent]](repeating: [], count: sources)
        partitionStates = [[UInt8]?](repeating: nil, count: sources)
    }

    func source(_ vehicle: VehicleID) -> Int { Int(vehicle.low % UInt64(partitions.count)) }

    @discardableResult
    mutating func send(_ event: VehicleEvent) -> EventOutcome {
        now = max(now, event.time)
        let s = source(event.vehicle)
        let offset = Int64(logs[s].count)
        logs[s].append(event)
        let now = now
        let outcome = event.json.withUnsafeBytes { partitions[s].ingest($0, offset: offset, now: now) }
        outcomes.append(outcome)
        if outcome == .accepted { accepted.append(event) }
        return outcome
    }

    mutating func advance(force: Bool = false) throws {
        for s in partitions.indices { try take(partitions[s].advance(now: now, force: force)) }
        keep(merge.advance(now: now, force: force))
    }

    mutating func take(_ output: TrafficOutput) throws {
        for bytes in output.partials.map(\.bytes) + (output.progress.isEmpty ? [] : [output.progress]) {
            #expect(bytes.count <= 128 * 1024)
            try merge.ingest(bytes, offset: Int64(partials.count))
            partials.append(bytes)
        }
        for visit in output.visits {
            let id = VisitID(point: visit.point, vehicle: visit.vehicle, entered: visit.entered)
            if let known = visits[id], known.0 > visit.revision { continue }
            let value = VisitValue(
                seen: visit.seen, left: visit.left, route: visit.route, latitude: visit.latitude, time: visit.time)
            visits[id] = (visit.revision, visit.isWithdrawn ? nil : value)
        }
        alerts += output.alerts
    }

    mutating func keep(_ output: MergeOutput) {
        for total in output.totals {
            let id = TotalID(route: total.route, type: total.vehicleType, day: total.day)
            if let known = totals[id], known.0 > total.revision { continue }
            totals[id] = (total.revision, [total.vehicles, total.events, total.arrivals])
        }
        for row in output.windows {
            let id = WindowID(time: row.time, window: row.window, route: row.route, type: row.vehicleType)
            givings[id, default: 0] += 1
            if let known = windows[id], known.0 > row.revision { continue }
            let value = WindowValue(
                vehicles: row.vehicles, events: row.events, speedAvg: row.speedAvg, speedP10: row.speedP10, lowFuel: row.lowFuel)
            windows[id] = (row.revision, value)
        }
        series += output.series
    }

    // MARK: Accidents

    mutating func checkpoint(source s: Int) { partitionStates[s] = partitions[s].checkpoint() }

    /// The partition is lost; a successor goes on from its last state and catches up before it gives anything.
    mutating func lose(source s: Int) throws {
        epoch += 1
        if let state = partitionStates[s] {
            partitions[s] = try TrafficPartition(options: options, source: Int32(s), epoch: epoch, checkpoint: state)
        } else {
            partitions[s] = TrafficPartition(options: options, source: Int32(s), epoch: epoch)
        }
        for offset in Int(partitions[s].nextOffset)..<logs[s].count {
            let now = now
            _ = logs[s][offset].json.withUnsafeBytes { partitions[s].ingest($0, offset: Int64(offset), now: now) }
        }
    }

    mutating func loseMerge() throws {
        epoch += 1
        if let state = mergeState {
            merge = try TrafficMerge(options: options, sources: partitions.count, epoch: epoch, checkpoint: state)
        } else {
            merge = TrafficMerge(options: options, sources: partitions.count, epoch: epoch)
        }
        for offset in Int(merge.nextOffset)..<partials.count { try merge.ingest(partials[offset], offset: Int64(offset)) }
    }

    // MARK: Comparison

    func reference() -> Reference {
        Reference(accepted, options) { partitions[source($0)].through }
    }

    func compare(with reference: Reference, sourceLocation: SourceLocation = #_sourceLocation) {
        let visits = visits.compactMapValues(\.1)
        #expect(totals.mapValues(\.1) == reference.totals, sourceLocation: sourceLocation)
        #expect(windows.count == reference.windows.count, sourceLocation: sourceLocation)
        let wrong = reference.windows.first { windows[$0.key]?.1 != $0.value }
        #expect(wrong == nil, "given: \(wrong.map { "\(String(describing: windows[$0.key]))" } ?? "")", sourceLocation: sourceLocation)
        #expect(visits.count == reference.visits.count, sourceLocation: sourceLocation)
        let visit = reference.visits.first { visits[$0.key] != $0.value }
        #expect(visit == nil, "given: \(visit.map { "\(String(describing: visits[$0.key]))" } ?? "")", sourceLocation: sourceLocation)
    }
}
