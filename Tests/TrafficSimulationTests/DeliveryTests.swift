import Foundation
import Testing
import TimeSeries
import Traffic

@testable import TrafficSimulation

@Suite struct DeliveryTests {
    static func disturbed(_ lateness: Milliseconds = 60_000) -> SimulationOptions {
        var options = makeOptions(vehicles: 60, interval: 2_000, start: monday + 10 * hour)
        options.delivery.duplicates = 0.03
        options.delivery.disorder = 0.05
        options.delivery.late = 0.02
        options.delivery.tooLate = 0.01
        options.delivery.malformed = 0.04
        options.delivery.allowedLateness = lateness
        return options
    }

    @Test func sharesAreAsAsked() throws {
        var simulation = try Simulation(Self.disturbed())
        _ = deliveries(&simulation, until: monday + 12 * hour)
        let counts = simulation.counts
        let reports = Double(counts.sent - counts.duplicates)
        #expect(reports > 150_000)
        func isNear(_ count: Int, _ share: Double) -> Bool { abs(Double(count) / reports / share - 1) < 0.08 }
        #expect(isNear(counts.duplicates, 0.03 * 0.95))
        #expect(isNear(counts.outOfOrder, 0.05))
        #expect(isNear(counts.late, 0.02))
        #expect(isNear(counts.tooLate, 0.01))
        #expect(isNear(counts.malformed.reduce(0, +), 0.04))
        #expect(counts.malformed.count == 20)
        for fault in Fault.allCases { #expect(counts.malformed[Int(fault.rawValue)] > 200, "\(fault.name)") }
    }

    /// Whatever the partitions: one for all, one for each vehicle, or some between.
    @Test(arguments: [1, 3, 60])
    func whatIsLateIsTheSameForAnyDivision(partitions: Int) throws {
        let options = Self.disturbed()
        var simulation = try Simulation(options)
        var newest: [Int: Milliseconds] = [:]
        var seen: Set<[Int64]> = []
        for delivery in deliveries(&simulation, until: monday + 11 * hour) {
            if case .malformed = delivery.fate { continue }
            let event = delivery.event
            let partition = Int(event.vehicle) % partitions
            let isRefused = event.time < (newest[partition] ?? .min / 2) - options.delivery.allowedLateness
            #expect(isRefused == (delivery.fate == .tooLate))
            if isRefused { continue }
            newest[partition] = max(newest[partition] ?? .min, event.time)
            #expect(
                seen.insert([Int64(event.vehicle), event.time]).inserted || delivery.fate == .duplicate || options.delivery.duplicates > 0)
        }
        #expect(simulation.counts.tooLate > 300)
    }

    @Test func nothingArrivesBeforeItsTime() throws {
        var simulation = try Simulation(Self.disturbed())
        var last: Milliseconds = 0
        while let delivery = simulation.next(until: monday + 11 * hour) {
            #expect(simulation.time >= last && simulation.time <= monday + 11 * hour)
            #expect(delivery.event.time <= simulation.time)
            if delivery.fate != .tooLate { #expect(simulation.time - delivery.event.time <= 30_000) }
            last = simulation.time
        }
    }

    @Test func theSameSeedMakesTheSameBytesAndAnotherMakesOthers() throws {
        func bytes(seed: UInt64, step: Milliseconds) throws -> [UInt8] {
            var options = Self.disturbed()
            options.fleet.seed = seed
            var simulation = try Simulation(options)
            var out: [UInt8] = []
            // However the time is cut into steps.
            for end in stride(from: monday + 10 * hour, through: monday + 10 * hour + 600_000, by: Int(step)) {
                while simulation.write(until: end, limit: 100, &out) > 0 {}
            }
            return out
        }
        let first = try bytes(seed: 7, step: 600_000)
        #expect(first.count > 1_000_000)
        #expect(try bytes(seed: 7, step: 200) == first)
        #expect(try bytes(seed: 8, step: 600_000) != first)
    }

    @Test func aFaultLeavesTheRestOfTheDayAsItWas() throws {
        var clean = try Simulation(makeOptions())
        var options = makeOptions()
        options.delivery.malformed = 0.5
        var broken = try Simulation(options)
        let a = deliveries(&clean, until: monday + hour).map(\.event)
        let b = deliveries(&broken, until: monday + hour).map(\.event)
        #expect(a == b)
    }
}

@Suite struct EventWriterTests {
    static let shape = #"^\{"vehicleId":"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",.*\}$"#

    @Test(arguments: EventForm.Coordinates.allCases, EventForm.Time.allCases)
    func eventsAreJSONAndSayWhatTheyMean(coordinates: EventForm.Coordinates, time: EventForm.Time) throws {
        var options = makeOptions(.italy, vehicles: 20, start: monday)
        options.form = EventForm(coordinates: coordinates, time: time)
        options.fleet.noSpeed = 0.05
        var simulation = try Simulation(options)
        let iso = ISO8601DateFormatter()
        iso.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
        let local = DateFormatter()
        local.locale = Locale(identifier: "en_US_POSIX")
        local.timeZone = TimeZone(identifier: "Europe/Rome")
        local.dateFormat = "yyyy-MM-dd HH:mm:ss"
        var without = 0
        for delivery in deliveries(&simulation, until: monday + hour / 2) {
            var bytes: [UInt8] = []
            simulation.write(delivery, &bytes)
            let event = delivery.event
            let object = try #require(JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
            #expect(object["vehicleId"] as? String == String(decoding: simulation.id(of: event.vehicle), as: UTF8.self))
            #expect(UUID(uuidString: object["vehicleId"] as? String ?? "") != nil)
            #expect(object["routeId"] as? String == ["A24", "SS5", "GRA"][Int(event.route)])
            #expect(object["vehicleType"] as? String == FleetPreset.italy.typeNames[Int(event.type)])
            switch coordinates {
            case .strings: #expect(Double(object["latitude"] as? String ?? "") == Double(event.latitude) / 1e6)
            case .numbers: #expect(object["longitude"] as? Double == Double(event.longitude) / 1e6)
            }
            if event.hasSpeed { #expect(object["speed"] as? Double == Double(event.speed) / 10) } else { without += 1 }
            #expect(object["fuelLevel"] as? Double == Double(event.fuel) / 10)
            switch time {
            case .iso: #expect(milliseconds(iso.date(from: object["timestamp"] as? String ?? "")) == event.time)
            case .epoch: #expect(object["timestamp"] as? Int64 == event.time)
            case .local: #expect(milliseconds(local.date(from: object["timestamp"] as? String ?? "")) == event.time)
            }
        }
        #expect(without > 50)
    }

    private func milliseconds(_ date: Date?) -> Int64? { date.map { Int64(($0.timeIntervalSince1970 * 1000).rounded()) } }

    @Test func numbersAreWrittenDigitByDigit() {
        func text(_ value: Int64, _ decimals: Int) -> String {
            var bytes: [UInt8] = []
            Decimals.append(value, decimals: decimals, &bytes)
            return String(decoding: bytes, as: UTF8.self)
        }
        #expect(text(-95_502_380, 6) == "-95.502380")
        #expect(text(-5, 6) == "-0.000005")
        #expect(text(0, 1) == "0.0")
        #expect(text(12_345, 0) == "12345")
        #expect(text(.min, 0) == "-9223372036854775808")
        var date: [UInt8] = []
        Civil(951_782_400_000).appendDate(&date)
        Civil(-1).appendTime(&date)
        #expect(String(decoding: date, as: UTF8.self) == "2000-02-2923:59:59")
    }

    /// Exactly what the names say, and one line each.
    @Test(arguments: Fault.allCases)
    func faultsAreWhatTheyAreCalled(fault: Fault) throws {
        var simulation = try Simulation(makeOptions(vehicles: 5))
        let first = simulation.next(until: .max)
        let event = try #require(first).event
        var bytes: [UInt8] = []
        simulation.write(Delivery(event: event, fate: .malformed(fault)), &bytes)
        #expect(!bytes.contains(UInt8(ascii: "\n")) && !bytes.isEmpty && bytes.first != UInt8(ascii: "["))
        let object = String(validating: bytes, as: UTF8.self).flatMap {
            try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
        }
        #expect((object == nil) == (fault.family == .json), "\(String(decoding: bytes, as: UTF8.self))")
        guard let object else { return }
        switch fault.family {
        case .json: break
        case .missing: #expect(object.count < 8 || object["timestamp"] is NSNull)
        case .vehicle: #expect(UUID(uuidString: object["vehicleId"] as? String ?? "") == nil)
        case .number:
            #expect(["north", "fast"].contains((object["latitude"] as? String == "north" ? "north" : object["speed"]) as? String))
        case .range:
            #expect(
                [91.5, -180.25, -5].contains {
                    [object["latitude"], object["longitude"], object["speed"]].compactMap { $0 as? Double }.contains($0)
                })
        case .time: #expect(["yesterday", "2026-02-30T25:61:00Z"].contains(object["timestamp"] as? String))
        }
    }
}
