import NIOCore
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import CassandraClient
@testable import CassandraScript

/// Requests that fail: what is sent again, and what is told.
@Suite(.timeLimit(.minutes(1))) struct RetryTests {
    /// Answers with these, one after the other, then with success.
    private func errors(_ answers: [ScriptedNode.Answer]) -> @Sendable (ScriptedNode.Asked) -> ScriptedNode.Answer {
        let left = Answers(answers)
        return { asked in
            switch asked {
            case .execute, .batch: left.next() ?? .void
            default: .void
            }
        }
    }

    private final class Answers: Sendable {
        private let left: Mutex<[ScriptedNode.Answer]>
        init(_ answers: [ScriptedNode.Answer]) { left = Mutex(answers) }
        func next() -> ScriptedNode.Answer? { left.withLock { $0.isEmpty ? nil : $0.removeFirst() } }
    }

    private static let writeTimeout = Reply.error(.writeTimeout) {
        $0.writeMultipleIntegers(UInt16(6), Int32(1), Int32(2))
        $0.writeImmutableBuffer(Reply.string("SIMPLE"))
    }

    @Test func whatMayBeSentTwiceIsSentAgain() async throws {
        let answers: [(String, ScriptedNode.Answer, harmless: Bool)] = [
            ("overloaded", .error(.overloaded), false), ("bootstrapping", .error(.bootstrapping), true),
            ("write timeout", .error(.writeTimeout, Self.writeTimeout), false), ("connection lost", .disconnect, false),
            ("timeout", .silence, false),
        ]
        for (reason, answer, harmless) in answers {
            for isIdempotent in [true, false] {
                let node = try await startedNode { $0.answer = errors([answer]) }
                let metrics = MetricRegistry()
                // So that the second attempt finds a connection after the first was lost.
                try await withSession(node, { $0.connectionsPerNode = 2 }, metrics: metrics) { session in
                    let statement = try await session.prepare(SessionStatements.insert)
                    // Of the two and the one for events the handshake is over, too.
                    try await eventually("two connections") {
                        metrics.render().contains("almanac_cassandra_connections_opened_total 3\n")
                    }
                    var options = RequestOptions()
                    options.isIdempotent = isIdempotent
                    let error = await failure { try await session.execute(statement, [.bigint(1), .double(2)], options) }
                    #expect((error == nil) == (isIdempotent || harmless), "\(reason), idempotent \(isIdempotent): \(error?.message ?? "")")
                    if let error { #expect(error.hasUnknownOutcome, "\(reason)") }
                    #expect(
                        metrics.render().contains("almanac_cassandra_retries_total{reason=\"\(reason)\"} 1") == (error == nil),
                        "\(reason) \(isIdempotent)")
                    let timestamps = node.executed.map(\.timestamp)
                    #expect(timestamps.count == (error == nil ? 2 : 1))
                    #expect(Set(timestamps).count == 1, "both attempts bear one timestamp")
                }
            }
        }
    }

    @Test func attemptsEnd() async throws {
        let node = try await startedNode { $0.answer = { if case .execute = $0 { .error(.overloaded) } else { .void } } }
        try await withSession(node) { session in
            let statement = try await session.prepare(SessionStatements.insert)
            let error = await failure { try await session.execute(statement, [.bigint(1), .double(2)], .idempotent) }
            #expect(error?.serverError?.code == .overloaded)
            #expect(node.executed.count == 3)
        }
    }

    @Test func aLateAnswerHarmsNobody() async throws {
        let node = try await startedNode { $0.answer = errors([.afterwards(900, .error, Reply.error(.overloaded))]) }
        try await withSession(node) { session in
            let statement = try await session.prepare(SessionStatements.insert)
            #expect(await failure { try await session.execute(statement, [.bigint(1), .double(2)]) }?.code == .timeout)
            for i in 0..<50 {
                try await session.execute(statement, [.bigint(Int64(i)), .double(2)])
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(node.connections == 2, "control and one more: none was lost")
        }
    }

    @Test func framesThatMakeNoSense() async throws {
        let broken: [ScriptedNode.Answer] = [
            .onStream(999, .result, Reply.void), .bytes(ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\n")),
            .bytes(ByteBuffer(bytes: [0x84, 0, 0, 0, 8, 0x7F, 0xFF, 0xFF, 0xFF])),
            .frame(.result, ByteBuffer(bytes: [0, 0, 0, 2, 0, 0, 0, 1, 0x7F])), .frame(.result, ByteBuffer()),
            .frame(.error, ByteBuffer(bytes: [0, 0, 0x11])), .frame(.ready, ByteBuffer()),
            .frame(.result, ByteBuffer(bytes: [0, 0, 0, 99])),
        ]
        for answer in broken {
            let node = try await startedNode {
                $0.answer = errors([answer])
                $0.versions = [4]
            }
            try await withSession(node) { session in
                let statement = try await session.prepare(SessionStatements.insert)
                let error = await failure { try await session.execute(statement, [.bigint(1), .double(2)]) }
                #expect(error?.code == .protocolViolation, "\(answer): \(error?.message ?? "no error")")
                try await eventually("connected again") { !session.connectedNodes.isEmpty }
                try await session.execute(statement, [.bigint(1), .double(2)])
            }
        }
    }

    @Test func aFullQueueIsRefused() async throws {
        let node = try await startedNode { $0.answer = { if case .execute = $0 { .silence } else { .void } } }
        try await withSession(
            node,
            {
                $0.maximumStreams = 4
                $0.maximumQueue = 2
                $0.maximumAttempts = 1
            }
        ) { session in
            let statement = try await session.prepare(SessionStatements.insert)
            let codes = await withTaskGroup(of: CassandraError.Code?.self) { group in
                for i in 0..<10 {
                    group.addTask { await failure { try await session.execute(statement, [.bigint(Int64(i)), .double(2)]) }?.code }
                }
                return await group.reduce(into: [CassandraError.Code?]()) { $0.append($1) }
            }
            #expect(codes.filter { $0 == .busy }.count == 4)
            #expect(codes.filter { $0 == .timeout }.count == 6)
        }
    }

    @Test func cancelling() async throws {
        let node = try await startedNode { $0.answer = { if case .execute = $0 { .silence } else { .void } } }
        try await withSession(node, { $0.attemptTimeout = 60_000 }) { session in
            let statement = try await session.prepare(SessionStatements.insert)
            let task = Task { await failure { try await session.execute(statement, [.bigint(1), .double(2)], .idempotent) }?.code }
            try await eventually("asked") { node.executed.count == 1 }
            task.cancel()
            #expect(await task.value == .cancelled)
        }
    }
}
