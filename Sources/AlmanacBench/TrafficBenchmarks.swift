import Foundation
import Glibc
import TimeSeries
import Traffic

/// Events as vehicles send them, some 205 bytes each: 1,000 routes with a type, one vehicle after the other.
struct BenchTraffic {
    var bytes: [UInt8] = []
    var ranges: [Range<Int>] = []

    /// `step` is the time between two events, in microseconds; `first` the number of the first one.
    init(events: Int, vehicles: Int, step: Int, first: Int = 0, start: Milliseconds = 1_700_000_100_000) {
        bytes.reserveCapacity(events * 208)
        ranges.reserveCapacity(events)
        let types = ["Large Truck", "Small Truck", "Private Car", "Bus", "Taxi"]
        var state = UInt64(first + 9)
        func chance(_ bound: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % bound
        }
        for i in first..<(first + events) {
            let v = i % vehicles
            let from = bytes.count
            append("{\"vehicleId\":\"")
            let id = UInt64(v + 1) &* 0x9E37_79B9_7F4A_7C15
            let digits = BenchTraffic.hex(id)
            append("\(digits.prefix(8))-\(digits.dropFirst(8).prefix(4))-\(digits.suffix(4))-8c93-\(digits.suffix(12))")
            append("\",\"vehicleType\":\"\(types[v % 5])\",\"routeId\":\"Route-\(100 + v / 5 % 200)\",")
            append("\"latitude\":\"33.\(100_000 + chance(900_000))\"")
            append(",\"longitude\":\"-95.\(100_000 + chance(900_000))\",\"timestamp\":\(start + Milliseconds(i * step / 1000))")
            append(",\"speed\":\(20 + chance(100)).\(chance(10)),\"fuelLevel\":\(10 + chance(90)).\(chance(10))}")
            ranges.append(from..<bytes.count)
        }
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}

func trafficBenchmarks(_ report: inout Report) {
    trafficMemory(&report)
    var checksum = 0
    let events = 2_000_000
    let traffic = BenchTraffic(events: events, vehicles: 100_000, step: 100)
    report.add("traffic: length of an event", Double(traffic.bytes.count) / Double(events), "bytes")
    for (name, window, limit) in [
        ("1 min", TrafficOptions.Window(length: 60_000, slide: 60_000), 2.5),
        ("5 min every minute", .init(length: 300_000, slide: 60_000), 2),
    ] {
        var options = TrafficOptions()
        options.windows = [window]
        let seconds = measure(runs: 3) {
            var counter = WindowCounter(options: options)
            traffic.bytes.withUnsafeBytes { raw in
                for range in traffic.ranges { try? counter.ingest(UnsafeRawBufferPointer(rebasing: raw[range])) }
            }
            for minute in stride(from: Milliseconds(60_000), through: 300_000, by: 60_000) {
                checksum += counter.rows(end: 1_700_000_100_000 / 60_000 * 60_000 + minute).reduce(0) { $0 + $1.events }
            }
        }
        report.add(
            "traffic: bytes of events to windows of \(name), 1,000 keys", Double(events) / seconds / 1e6, "M events/s", limit: limit,
            isCeiling: false)
    }
    let seconds = measure(runs: 3) {
        var partition = TrafficPartition(options: TrafficOptions(), source: 0, epoch: 1)
        traffic.bytes.withUnsafeBytes { raw in
            for (i, range) in traffic.ranges.enumerated() {
                let outcome = partition.ingest(UnsafeRawBufferPointer(rebasing: raw[range]), offset: Int64(i), now: 1_700_001_000_000)
                if outcome != .accepted { checksum -= 1 }
                if i % 10_000 == 9_999 { checksum += partition.advance(now: 1_700_001_000_000).partials.count }
            }
        }
    }
    report.add("traffic: all of it, 100,000 vehicles, one core", Double(events) / seconds / 1e6, "M events/s", limit: 1, isCeiling: false)
    if checksum == 1 { print("unlikely") }
}

/// A million vehicles with two events each. The growth is right when nothing ran before that left memory behind: name `traffic` alone.
private func trafficMemory(_ report: inout Report) {
    let vehicles = 1_000_000
    let before = residentMegabytes()
    var partition = TrafficPartition(options: TrafficOptions(), source: 0, epoch: 1)
    // Few events at a time, so that they are not what is measured.
    for first in stride(from: 0, to: 2 * vehicles, by: 10_000) {
        let traffic = BenchTraffic(events: 10_000, vehicles: vehicles, step: 100, first: first)
        traffic.bytes.withUnsafeBytes { raw in
            for (i, range) in traffic.ranges.enumerated() {
                _ = partition.ingest(UnsafeRawBufferPointer(rebasing: raw[range]), offset: Int64(first + i), now: 1_700_001_000_000)
            }
        }
        _ = partition.advance(now: 1_700_001_000_000)
    }
    report.add(
        "traffic: growth of the process, \(partition.vehicleCount) vehicles with two events", residentMegabytes() - before, "MB", limit: 200
    )
    let started = DispatchTime.now().uptimeNanoseconds
    let state = partition.checkpoint()
    let seconds = Double(DispatchTime.now().uptimeNanoseconds - started) / 1e9
    report.add("traffic: their checkpoint", Double(state.count) / 1e6, "MB")
    report.add("traffic: making it", seconds * 1e3, "ms")
}

private func residentMegabytes() -> Double {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
    let pages = text.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0
    return pages * Double(sysconf(Int32(_SC_PAGESIZE))) / 1e6
}
