import HTTPKit
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Messaging
import Records
import Telemetry
import TestSupport
import Testing
import TimeSeries

@testable import Serving

@Suite("Traffic: events over HTTP")
struct TrafficIngestTests {
    let path = "/api/v1/traffic/events"

    private func post(
        _ client: any TestClientProtocol, _ body: String, _ type: String? = "application/json", headers: HTTPFields = [:]
    ) async throws -> TestResponse {
        var headers = headers
        headers[.contentType] = type
        return try await client.execute(uri: path, method: .post, headers: headers, body: ByteBuffer(string: body))
    }

    /// Lines are lines: a first one that is cut off, or begins as an array does, takes no other with it.
    @Test(arguments: [#"{"vehicleId":"cut"#, "[1, 2", "words"], ["application/x-ndjson", "application/jsonl"])
    func aBrokenLineIsOneFault(broken: String, type: String) async throws {
        let bench = try Bench()
        try await bench.test { client in
            let answer = try await post(client, "\(broken)\n\(event(1))\n\(event(2))\n", type)
            #expect(answer.status == .ok && answer.json["accepted"] == 2 && answer.json["rejected"] == 1, "\(answer.json)")
        }
        #expect(bench.log.records(of: "iot-data-event").count == 2)
    }

    @Test(arguments: [
        ("application/json", "[\(event(1)), \(event(2)),\n \(event(3))]"),
        ("application/x-ndjson", "\(event(1))\n\(event(2))\r\n\n\(event(3))\n"),
        ("text/plain; charset=utf-8", "\(event(1))\n\(event(2))\n\(event(3))"),
        (nil, " [\(event(1)),\(event(2)),\(event(3))] "),
    ])
    func arraysAndLines(type: String?, body: String) async throws {
        let bench = try Bench()
        try await bench.test { client in
            let answer = try await post(client, body, type)
            #expect(answer.status == .ok)
            #expect(answer.json == ["accepted": 3, "rejected": 0, "errors": []])
        }
        let records = bench.log.records(of: "iot-data-event")
        #expect(records.map(\.key) == (1...3).map { .text(vehicle($0)) }, "the key is the vehicle in lower case")
        #expect(records.map { String(decoding: $0.value, as: UTF8.self) } == (1...3).map { event($0) }, "the bytes are those that came")
        #expect(bench.log.records(of: "iot-data-event.dlq").isEmpty)
        let metrics = bench.registry.render()
        #expect(metrics.contains("almanac_serve_ingest_events_total{result=\"accepted\"} 3"))
        #expect(metrics.contains("almanac_serve_ingest_bytes_total \(body.utf8.count)"))
    }

    @Test func oneObjectAlsoOverSeveralLines() async throws {
        let bench = try Bench()
        let lines = event(7).replacing("{", with: "{\n  ").replacing(",", with: ",\n  ")
        try await bench.test { client in
            let short = try await post(client, event(6))
            #expect(short.json["accepted"] == 1)
            let long = try await post(client, lines)
            #expect(long.json["accepted"] == 1)
        }
        #expect(bench.log.records(of: "iot-data-event").map(\.key) == [.text(vehicle(6)), .text(vehicle(7))])
    }

    @Test func theBadAreDeadLettersWithTheirReasons() async throws {
        let bench = try Bench()
        let bad = [event(1, latitude: "91"), "{\"vehicleId\":\"x\"}", "17"]
        try await bench.test { client in
            let answer = try await post(client, "[\(bad[0]),\(event(2)),\(bad[1]),\(bad[2]),\(event(3))]")
            #expect(answer.status == .ok)
            #expect(answer.json["accepted"] == 2 && answer.json["rejected"] == 3)
            let errors = try #require(answer.json["errors"]?.arrayValue)
            #expect(errors.map { $0["index"]?.intValue } == [0, 2, 3])
            #expect(errors.first?["reason"] == "latitude_range")
        }
        #expect(bench.log.records(of: "iot-data-event").map(\.key) == [.text(vehicle(2)), .text(vehicle(3))])
        let letters = bench.log.records(of: "iot-data-event.dlq")
        #expect(letters.map { String(decoding: $0.value, as: UTF8.self) } == bad)
        #expect(letters.first?.headers.first == RecordHeader("reason", Array("latitude_range".utf8)))
        #expect(bench.registry.render().contains("almanac_serve_ingest_events_total{result=\"rejected\"} 3"))
    }

    @Test func noEventAtAllIsA400() async throws {
        let bench = try Bench()
        try await bench.test { client in
            for body in [(0..<30).map { "{\"n\":\($0)}" }.joined(separator: "\n"), "[{\"a\":1}", "nonsense", "{\"a\":"] {
                let answer = try await post(client, body)
                #expect(answer.status == .badRequest && answer.headers[.contentType] == "application/problem+json", "\(body.prefix(9))")
                #expect(answer.json["accepted"] == 0 && (answer.json["rejected"]?.intValue ?? 0) > 0)
                #expect((1...20).contains(answer.json["errors"]?.arrayValue?.count ?? 0))
                #expect(answer.json["instance"]?.stringValue == path && answer.json["status"] == 400)
            }
            for empty in ["", " \n\t "] {
                let answer = try await post(client, empty)
                #expect(answer.status == .badRequest && answer.json["errors"] == nil)
            }
            let none = try await post(client, "[]")
            #expect(none.status == .ok && none.json["accepted"] == 0)
        }
        #expect(bench.log.records(of: "iot-data-event").isEmpty)
        #expect(bench.log.records(of: "iot-data-event.dlq").count == 33)
    }

    @Test func nothingIsAnsweredBeforeAllIsDurable() async throws {
        let bench = try Bench()
        bench.log.hold(true)
        try await bench.test { client in
            let isAnswered = Flag()
            let task = Task {
                let answer = try await post(client, "[\(event(1)),{}]")
                isAnswered.set()
                return answer
            }
            try await eventually("it waits for the log") { bench.log.waiting == 1 }
            try await Task.sleep(for: .milliseconds(200))
            #expect(!isAnswered.value && bench.log.records(of: "iot-data-event").isEmpty)
            #expect(bench.registry.render().contains("almanac_serve_ingest_events_total{result=\"accepted\"} 0"))
            bench.log.hold(false)
            let answer = try await task.value
            #expect(answer.status == .ok && answer.json["accepted"] == 1 && answer.json["rejected"] == 1)
            #expect(bench.log.records(of: "iot-data-event").count == 1 && bench.log.records(of: "iot-data-event.dlq").count == 1)
        }
    }

    @Test(arguments: [MessagingError.Code.unavailable, .storageFull, .io, .closed])
    func aLogThatDoesNotTakeThemIsA503(code: MessagingError.Code) async throws {
        let bench = try Bench()
        bench.log.failProducing(MessagingError(code, "broker 10.1.2.3 is gone"))
        try await bench.test { client in
            let answer = try await post(client, event(1))
            #expect(answer.status == .serviceUnavailable && answer.headers[.retryAfter] != nil)
            #expect(!answer.text.contains("10.1.2.3"), "internals are for the log")
            bench.log.failProducing(nil)
            let again = try await post(client, event(1))
            #expect(again.status == .ok)
        }
        #expect(bench.registry.render().contains("almanac_serve_ingest_events_total{result=\"accepted\"} 1"))
    }

    @Test func aLogThatIsFullForLongIsA503() async throws {
        let bench = try Bench { $0.ingestTimeout = 50 }
        bench.log.hold(true)
        try await bench.test { client in
            let answer = try await post(client, event(1))
            #expect(answer.status == .serviceUnavailable && answer.headers[.retryAfter] != nil)
        }
        #expect(bench.log.records(of: "iot-data-event").isEmpty)
    }

    @Test func bytesUnderWayAreBounded() async throws {
        let bench = try Bench { $0.ingestBytes = 300 }
        bench.log.hold(true)
        try await bench.test { client in
            let first = Task { try await post(client, event(1)) }
            try await eventually("it waits for the log") { bench.log.waiting == 1 }
            let second = try await post(client, event(2))
            #expect(second.status == .serviceUnavailable && second.headers[.retryAfter] == "1")
            bench.log.hold(false)
            let done = try await first.value
            #expect(done.status == .ok)
            let next = try await post(client, event(2))
            #expect(next.status == .ok, "its bytes are given back")
        }
    }

    @Test func largeBodiesAndOtherForms() async throws {
        let bench = try Bench { $0.http.maxBodyBytes = 1000 }
        try await bench.test { client in
            let large = try await post(client, (0..<20).map { event($0) }.joined(separator: "\n"))
            #expect(large.status == .contentTooLarge)
            let xml = try await post(client, event(1), "application/xml")
            #expect(xml.status == .unsupportedMediaType)
            let packed = try await post(client, event(1), headers: [.contentEncoding: "gzip"])
            #expect(packed.status == .unsupportedMediaType && packed.headers[.acceptEncoding] == "identity")
            let got = try await client.get(path)
            #expect(got.status == .methodNotAllowed)
            let unknown = try await client.execute(uri: path + "?x=1", method: .post, body: ByteBuffer(string: event(1)))
            #expect(unknown.status == .badRequest)
        }
        let many = try Bench()
        try await many.test { client in
            let lots = try await post(client, "[" + String(repeating: "1,", count: 120_000) + "1]")
            #expect(lots.status == .contentTooLarge)
        }
        #expect(many.log.records(of: "iot-data-event.dlq").isEmpty)
    }

    @Test func writingNeedsTheRoleWrite() async throws {
        let bench = try Bench {
            $0.http.readTokens = [Secret("reader")]
            $0.http.writeTokens = [Secret("writer")]
        }
        try await bench.test { client in
            let nobody = try await post(client, event(1))
            #expect(nobody.status == .unauthorized)
            let reader = try await post(client, event(1), headers: [.authorization: "Bearer reader"])
            #expect(reader.status == .forbidden)
            #expect(bench.log.records(of: "iot-data-event").isEmpty)
            let writer = try await post(client, event(1), headers: [.authorization: "Bearer writer"])
            #expect(writer.status == .ok)
        }
    }

    /// Without credentials it is for this machine, and not for pages that a browser on it shows.
    @Test func pagesOfOthersMayNot() async throws {
        let bench = try Bench()
        try await bench.test { client in
            let page = try await post(client, event(1), headers: [.origin: "http://evil.example"])
            #expect(page.status == .forbidden)
            let own = try await post(client, event(1))
            #expect(own.status == .ok)
        }
    }
}
