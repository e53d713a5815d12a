import Analytics
import Analyzing
import Foundation
import Messaging
import Records
import TimeSeries
import Traffic

/// Real speeds, one column a road sensor and one line every five minutes, as reports of vehicles, one on each of as many routes: through the traffic's two
/// stages and the analyzer, and the forecasts of `traffic_speed_avg` against what came.
func roadSpeedsBenchmark(_ report: inout Report, path: String) throws {
    var replay = RoadSpeedsReplay(try RoadSpeeds(path: path))
    try replay.run()
    let score = replay.score
    report.add("road speeds: forecasts of \(replay.speeds.routes.count) routes", Double(score.origins), "")
    report.add("road speeds: MAE of the path over that of the last value", score.path.ratio, "", limit: 0.98)
    for (name, part) in [("max", score.max), ("min", score.min), ("avg", score.avg)] {
        report.add("road speeds: the same, \(name) of ten minutes", part.ratio, "")
    }
    for (name, part) in [("path", score.path), ("max", score.max), ("min", score.min), ("avg", score.avg)] {
        report.add("road speeds: \(name) within 80 % intervals (promised 78 to 82)", part.coverage * 100, "%")
    }
}

/// The file: routes by name, and rows of speeds in order of time.
private struct RoadSpeeds {
    var routes: [String]
    var rows: [[Double]]

    init(path: String) throws {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let lines = text.split(whereSeparator: \.isNewline).map { $0.split(separator: ",", omittingEmptySubsequences: false) }
        routes = lines.first?.map(String.init) ?? []
        rows = lines.dropFirst().map { $0.map { Double($0) ?? .nan } }
    }
}

/// Expected against seen.
private struct SpeedScore {
    struct Part {
        var errors = 0.0
        var errorsOfLast = 0.0
        var inside = 0
        var count = 0

        var ratio: Double { errors / errorsOfLast }
        var coverage: Double { Double(inside) / Double(count) }

        mutating func add(_ prediction: Records.Prediction, seen: Double, last: Double) {
            errors += abs(prediction.expected - seen)
            errorsOfLast += abs(last - seen)
            if prediction.lower80 <= seen && seen <= prediction.upper80 { inside += 1 }
            count += 1
        }
    }

    var path = Part()
    var max = Part()
    var min = Part()
    var avg = Part()
    var origins = 0

    /// `seen`: what came at the steps of the path.
    mutating func add(_ forecast: ForecastResult, seen: [Double], last: Double) {
        guard let top = seen.max(), let bottom = seen.min() else { return }
        origins += 1
        for (prediction, value) in zip(forecast.path, seen) { path.add(prediction, seen: value, last: last) }
        if let prediction = forecast.max { max.add(prediction, seen: top, last: last) }
        if let prediction = forecast.min { min.add(prediction, seen: bottom, last: last) }
        if let prediction = forecast.avg { avg.add(prediction, seen: seen.reduce(0, +) / Double(seen.count), last: last) }
    }
}

private struct RoadSpeedsReplay {
    static let step: Milliseconds = 300_000
    static let start: Milliseconds = 1_700_006_400_000
    /// Forecasts count from the second day on.
    static let judgedFrom = 288

    let speeds: RoadSpeeds
    var score = SpeedScore()
    private let traffic: TrafficOptions
    private var partition: TrafficPartition
    private var merge: TrafficMerge
    private var analyzer: AnalyzerState
    private let samples = TrafficSamples(topic: "samples", partition: 0)
    private let columns: [String: Int]
    private var offset: Int64 = 0

    init(_ speeds: RoadSpeeds) {
        self.speeds = speeds
        columns = Dictionary(speeds.routes.enumerated().map { ($1, $0) }) { first, _ in first }
        var traffic = TrafficOptions()
        traffic.windows = [.init(length: RoadSpeedsReplay.step, slide: RoadSpeedsReplay.step)]
        self.traffic = traffic
        partition = TrafficPartition(options: traffic, source: 0, epoch: 1)
        merge = TrafficMerge(options: traffic, sources: 1, epoch: 1)
        var options = AnalyzeOptions()
        options.quantiles = false
        options.forecastMetrics = { $0 == "traffic_speed_avg" }
        analyzer = AnalyzerState(options: options, epoch: 1, partitions: 1, stopwatch: { 0 })
    }

    mutating func run() throws {
        for row in speeds.rows.indices {
            let time = RoadSpeedsReplay.start + Milliseconds(row) * RoadSpeedsReplay.step
            // A window is given some seconds after its end, when all have reported.
            let now = time + traffic.disorder + 1_000
            for column in speeds.routes.indices { take(column, speeds.rows[row][column], at: time, now: now) }
            // One report of elsewhere shows that time has gone on.
            ingest(event(speeds.routes.count, route: "elsewhere", speed: 0, at: now), now: now)
            try advance(now: now)
        }
    }

    private mutating func take(_ column: Int, _ speed: Double, at time: Milliseconds, now: Milliseconds) {
        guard speed.isFinite else { return }
        ingest(event(column, route: speeds.routes[column], speed: speed, at: time), now: now)
    }

    private func event(_ vehicle: Int, route: String, speed: Double, at time: Milliseconds) -> String {
        let digits = String(vehicle, radix: 10)
        let id = "00000000-0000-4000-8000-" + String(repeating: "0", count: 12 - digits.utf8.count) + digits
        return
            #"{"vehicleId":"\#(id)","vehicleType":"Sensor","routeId":"\#(route)","latitude":34.1,"longitude":-118.2,"timestamp":\#(time),"#
            + #""speed":\#(speed),"fuelLevel":50}"#
    }

    private mutating func ingest(_ event: String, now: Milliseconds) {
        offset += 1
        let bytes = Array(event.utf8)
        let outcome = bytes.withUnsafeBytes { partition.ingest($0, offset: offset, now: now) }
        precondition(outcome == .accepted, "\(event): \(outcome)")
    }

    private mutating func advance(now: Milliseconds) throws {
        let given = partition.advance(now: now)
        for (_, bytes) in given.partials { try take(partial: bytes) }
        if !given.progress.isEmpty { try take(partial: given.progress) }
        for record in samples.records(merge.advance(now: now).series) {
            offset += 1
            _ = try analyzer.ingest(record.value, partition: 0, offset: offset, now: now)
        }
        var isMore = true
        while isMore {
            let step = analyzer.advance(now: now)
            for (_, record) in step.output.results {
                guard case .forecasts(let forecasts) = record else { continue }
                for forecast in forecasts { judge(forecast) }
            }
            isMore = step.isMore
        }
    }

    private mutating func take(partial bytes: [UInt8]) throws {
        offset += 1
        try merge.ingest(bytes, offset: offset)
    }

    private mutating func judge(_ forecast: ForecastResult) {
        let at = Int((forecast.time - RoadSpeedsReplay.start) / RoadSpeedsReplay.step)
        guard at >= RoadSpeedsReplay.judgedFrom, (forecast.time - RoadSpeedsReplay.start) % RoadSpeedsReplay.step == 0,
            forecast.step == RoadSpeedsReplay.step, !forecast.path.isEmpty,
            at + forecast.path.count < speeds.rows.count, let column = columns[forecast.series.labels["route"] ?? ""]
        else { return }
        let seen = (1...forecast.path.count).map { speeds.rows[at + $0][column] }
        let last = speeds.rows[at][column]
        if last.isFinite && seen.allSatisfy(\.isFinite) { score.add(forecast, seen: seen, last: last) }
    }
}
