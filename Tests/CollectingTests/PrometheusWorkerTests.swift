import Foundation
import Synchronization
import TestSupport
import Testing
import TimeSeries

@testable import Collecting

/// The API of a server whose clock stands, and which refuses ranges that are too long.
private final class FakeAPI: Sendable {
    struct Piece: Equatable {
        var from: Milliseconds
        var to: Milliseconds
    }

    static let now: Milliseconds = 1_700_000_000_000
    let answered = Mutex<[Piece]>([])
    let refused = Mutex(0)
    /// What the clock says the next times; the last stands.
    let clock = Mutex([FakeAPI.now])
    private let longest: Milliseconds
    private let refusal: StubServer.Answer

    init(longest: Milliseconds, refusal: StubServer.Answer) {
        self.longest = longest
        self.refusal = refusal
    }

    func answer(_ request: StubServer.Request) -> StubServer.Answer {
        if request.path.hasPrefix("/p/api/v1/metadata") {
            return StubServer.page(#"{"status":"success","data":{"m":[{"type":"counter"}]}}"#)
        }
        let query = parameter("query", request.body)
        if query == "time()" {
            let now = clock.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
            return StubServer.page(#"{"status":"success","data":{"resultType":"scalar","result":[1,"\#(now / 1000)"]}}"#)
        }
        guard let time = Double(parameter("time", request.body)), let open = query.lastIndex(of: "["),
            let range = Milliseconds(query[query.index(after: open)...].dropLast(3))
        else { return StubServer.page("{}", status: "400 Bad Request") }
        if range > longest {
            refused.withLock { $0 += 1 }
            return refusal
        }
        let to = Milliseconds((time * 1_000).rounded())
        answered.withLock { $0.append(Piece(from: to - range, to: to)) }
        // A sample at each minute, the closed beginning included, as before Prometheus 3.
        let minutes = ((to - range + 59_999) / 60_000)...(to / 60_000)
        let values = minutes.map { "[\($0 * 60),\"\($0)\"]" }.joined(separator: ",")
        return StubServer.page(
            #"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"m"},"values":[\#(values)]}]}}"#)
    }

    private func parameter(_ name: String, _ form: String) -> String {
        for pair in form.split(separator: "&") where pair.hasPrefix(name + "=") {
            return pair.dropFirst(name.count + 1).removingPercentEncoding ?? ""
        }
        return ""
    }
}

@Suite struct PrometheusWorkerTests {
    private static let tooMany = StubServer.page(
        #"{"status":"error","errorType":"execution","error":"query processing would load too many samples into memory in query execution"}"#,
        status: "422 Unprocessable Entity")
    private static let timeout = StubServer.page(
        #"{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation"}"#, status: "503 Service Unavailable")

    @Test(arguments: [(3_600_000, false), (1_000_000, false), (250_000, true), (60_000, false)] as [(Milliseconds, Bool)])
    func piecesFollowEachOtherWithoutAHole(longest: Milliseconds, timesOut: Bool) async throws {
        let api = FakeAPI(longest: longest, refusal: timesOut ? PrometheusWorkerTests.timeout : PrometheusWorkerTests.tooMany)
        let server = StubServer { api.answer($0) }
        defer { server.stop() }
        var source = PrometheusOptions(baseURL: server.url + "/p/")
        source.selectors = ["m"]
        source.resumeFrom = FakeAPI.now - 10_000_000
        var options = CollectOptions()
        options.prometheus = [source]
        let bench = RoleBench(options)
        try await eventually("all is read") { bench.role.status().first?.health == .up }
        #expect(bench.role.status().first?.lastScrape == FakeAPI.now - 5_000)
        await bench.stop()
        let pieces = api.answered.withLock { $0 }
        #expect(pieces.first?.from == FakeAPI.now - 10_000_000)
        #expect(pieces.last?.to == FakeAPI.now - 5_000)
        #expect(zip(pieces, pieces.dropFirst()).allSatisfy { $0.to == $1.from }, "\(pieces)")
        #expect(pieces.allSatisfy { $0.to - $0.from <= longest })
        #expect(api.refused.withLock { $0 } > 0 || longest >= 3_600_000)
        let times = try #require(try bench.decoded().samples["m"]).map(\.time)
        let minutes = (FakeAPI.now - 10_000_000) / 60_000 + 1...(FakeAPI.now - 5_000) / 60_000
        #expect(times == minutes.map { $0 * 60_000 })
        #expect(try bench.decoded().types["m"] == .counter)
    }

    @Test func aClockThatLeapsAheadDoesNotSilenceTheSource() async throws {
        let api = FakeAPI(longest: 3_600_000, refusal: PrometheusWorkerTests.tooMany)
        api.clock.withLock { $0 = [SystemTime().now() + 30 * 86_400_000, FakeAPI.now, FakeAPI.now + 60_000] }
        let server = StubServer { api.answer($0) }
        defer { server.stop() }
        var source = PrometheusOptions(baseURL: server.url + "/p/")
        source.selectors = ["m"]
        source.interval = 1_000
        var options = CollectOptions()
        options.prometheus = [source]
        let bench = RoleBench(options)
        try await eventually("the present is asked for") { api.answered.withLock { $0.contains { $0.to == FakeAPI.now + 55_000 } } }
        let latest = SystemTime().now() + 600_000
        #expect(api.answered.withLock { $0.allSatisfy { $0.to <= latest } })
        await bench.stop()
    }

    @Test func aServerThatRefusesEvenAMinuteSaysWhatToDo() async throws {
        let api = FakeAPI(longest: 10, refusal: PrometheusWorkerTests.tooMany)
        let server = StubServer { api.answer($0) }
        defer { server.stop() }
        var source = PrometheusOptions(baseURL: server.url + "/p")
        source.selectors = ["m"]
        var options = CollectOptions()
        options.prometheus = [source]
        let bench = RoleBench(options)
        try await eventually("the error shows") { bench.role.status().first?.health == .down }
        let error = bench.role.status().first?.lastError ?? ""
        #expect(error.contains("even for 60 s; narrow the selectors"), "\(error)")
        await bench.stop()
    }
}
