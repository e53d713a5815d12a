import Messaging
import TimeSeries
import Traffic
import TrafficSimulation

/// Events straight into the topic that vehicles report to, keyed as they are when they come over HTTP.
struct LogSink: EventSink {
    let log: any MessageLog
    let topic: String

    private static let pause = Duration.milliseconds(250)

    /// Tries again until the log takes them.
    func send(_ lines: [UInt8], isEnding: @escaping @Sendable () -> Bool) async throws {
        let records = records(lines)
        while true {
            do { return try await log.produce(records) } catch let error as MessagingError
                where error.code == .unavailable || error.code == .storageFull
            {
                if isEnding() { throw SinkEnded() }
                try? await Task.sleep(for: LogSink.pause)
            }
        }
    }

    private func records(_ lines: [UInt8]) -> [ProducerRecord] {
        var decoder = EventDecoder(zone: "UTC")
        return lines.withUnsafeBytes { raw in
            EventDecoder.lines(raw).map { range in
                let line = UnsafeRawBufferPointer(rebasing: raw[range])
                let vehicle = (try? decoder.decode(line))?.vehicle.description ?? ""
                return ProducerRecord(topic: topic, key: .text(vehicle), value: Array(line))
            }
        }
    }

    func close() async {}
}
