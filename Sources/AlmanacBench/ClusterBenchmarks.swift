import Foundation
import KafkaMessaging
import MySQLStorage
import Records
import TimeSeries

/// Records of 10,000 samples through librdkafka's mock cluster in this process, or the broker and topic that ALMANAC_BENCH_KAFKA names
/// (host:port/topic).
func kafkaBenchmark(_ report: inout Report) async throws {
    let samples = 10_000
    let section = SeriesSection((0..<samples).map { (LabelSet(name: "bench_\($0 / 100)", [Label("n", "\($0 % 100)")]), MetricType.gauge) })
    let value = SamplesRecord.encode(
        source: 1, watermark: 1, section: section, time: 1, values: (0..<samples).map { Double($0 * 7_919 % 10_007) / 8 })
    let place = ProcessInfo.processInfo.environment["ALMANAC_BENCH_KAFKA"]?.split(separator: "/").map(String.init)
    let count = 400
    let result = try await KafkaBenchmarks.run(
        broker: place?.first, topic: place?.last ?? "bench", value: value, records: count)
    let total = Double(count * samples) / 1e6
    report.add(
        "kafka: produce, records of 10,000 samples", total / result.produceProcessorSeconds, "M samples per CPU s", limit: 1,
        isCeiling: false)
    report.add(
        "kafka: consume, records of 10,000 samples", total / result.consumeProcessorSeconds, "M samples per CPU s", limit: 2,
        isCeiling: false)
}

/// On the server that ALMANAC_BENCH_MYSQL names, user:password@host:port/database; the database must be empty.
func mysqlBenchmark(_ report: inout Report) async throws {
    guard let text = ProcessInfo.processInfo.environment["ALMANAC_BENCH_MYSQL"], let url = URLComponents(string: "mysql://\(text)") else {
        return print("  mysql: skipped; give ALMANAC_BENCH_MYSQL=user:password@host:port/database")
    }
    var options = MySQLOptions()
    options.host = url.host ?? options.host
    options.port = url.port ?? options.port
    options.user = url.user ?? options.user
    options.password = MySQLPassword(url.password ?? "")
    options.database = String(url.path.dropFirst())
    for figure in try await MySQLBenchmarks.run(options) { report.add("mysql: \(figure.name)", figure.value, figure.unit) }
}
