import NIOCore
import TestSupport
import Testing

@testable import CassandraClient
@testable import CassandraScript

/// Byte by byte, without a server.
@Suite struct StateMachineTests {
    typealias Machine = ConnectionStateMachine<Int>

    private func settings(_ version: ProtocolVersion, _ adjust: (inout Machine.Settings) -> Void = { _ in }) -> Machine.Settings {
        var settings = Machine.Settings()
        settings.version = version
        settings.maximumStreams = 4
        settings.maximumQueue = 3
        adjust(&settings)
        return settings
    }

    /// A machine whose handshake is done, with nothing to send.
    private func ready(_ version: ProtocolVersion, _ adjust: (inout Machine.Settings) -> Void = { _ in }) throws -> Machine {
        var machine = Machine(settings(version, adjust))
        _ = machine.connected(now: 0)
        _ = machine.takeOutbound()
        _ = machine.received(Reply.frame(.supported, Reply.supported, stream: 0, version: version.rawValue), now: 1)
        _ = machine.takeOutbound()
        let actions = machine.received(Reply.frame(.ready, stream: 0, version: version.rawValue), now: 2)
        try #require(actions.isReady)
        return machine
    }

    private func wrapped(_ frame: ByteBuffer) -> ByteBuffer {
        var out = ByteBuffer()
        Segment.wrap(frame, into: &out)
        return out
    }

    private func out(_ machine: inout Machine) throws -> ByteBuffer {
        let bytes = machine.takeOutbound()
        return try #require(bytes)
    }

    private func expect(_ machine: inout Machine, _ hex: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let bytes = try out(&machine)
        #expect(hexText(bytes) == hex, sourceLocation: sourceLocation)
    }

    private func submit(_ machine: inout Machine, _ waiter: Int, deadline: Int64 = 1000) -> Machine.Submission {
        var actions = Machine.Actions()
        return machine.submit(.options, waiter, deadline: deadline, &actions)
    }

    private func place(_ submission: Machine.Submission) -> Int16? { if case .accepted(let stream) = submission { stream } else { nil } }
    private func refusal(_ submission: Machine.Submission) -> CassandraError? {
        if case .refused(let error) = submission { error } else { nil }
    }

    @Test func handshakeOfVersion4() throws {
        var machine = Machine(settings(.v4))
        let actions1 = machine.connected(now: 0)
        #expect(actions1.hasOutbound)
        try expect(&machine, "040000000500000000")
        _ = machine.received(Reply.frame(.supported, Reply.supported, stream: 0), now: 1)
        let startup = "0400000001000000160001000b43514c5f56455253494f4e0005332e302e30"
        try expect(&machine, startup)
        #expect(!machine.isReady)
        let actions2 = machine.received(Reply.frame(.ready, stream: 0), now: 2)
        #expect(actions2.isReady)
        #expect(machine.isReady)
        let nothing = machine.takeOutbound()
        #expect(nothing == nil)
    }

    /// In version 5 the answer to STARTUP comes plain, all that follows in segments; with password and events.
    @Test func handshakeOfVersion5() throws {
        var machine = Machine(
            settings(.v5) {
                $0.credentials = Credentials(user: "u", password: "p")
                $0.events = ["STATUS_CHANGE"]
            })
        _ = machine.connected(now: 0)
        try expect(&machine, "050000000500000000")
        _ = machine.received(Reply.frame(.supported, Reply.supported, stream: 0, version: 5), now: 1)
        let startup = try out(&machine)
        #expect(startup.getInteger(at: 4, as: UInt8.self) == 1)
        _ = machine.received(Reply.frame(.authenticate, Reply.string("X"), stream: 0, version: 5), now: 2)
        let token = try out(&machine)
        var plain = token
        let segment = try Segment.read(&plain)
        let (payload, isWhole) = try #require(segment)
        #expect(isWhole)
        #expect(hexText(payload) == "050000000f00000008" + "00000004" + "00750070")
        let success = Reply.body { $0.writeInteger(Int32(-1)) }
        _ = machine.received(wrapped(Reply.frame(.authSuccess, success, stream: 0, version: 5)), now: 3)
        var registration = try out(&machine)
        let payloadOfRegistration = try Segment.read(&registration)?.payload
        #expect(payloadOfRegistration.map { hexText($0) } == "050000000b00000011" + "0001" + "000d5354415455535f4348414e4745")
        let actions3 = machine.received(wrapped(Reply.frame(.ready, stream: 0, version: 5)), now: 4)
        #expect(actions3.isReady)
    }

    /// TLS shakes hands before the protocol does; both have one deadline.
    @Test(arguments: [false, true]) func silenceDuringTheHandshakeEndsIt(passesTLS: Bool) {
        var machine = Machine(settings(.v5) { $0.handshakeTimeout = 5000 })
        machine.opened(now: 100)
        if passesTLS { _ = machine.connected(now: 4000) }
        let early = machine.tick(now: 5099)
        #expect(early.close == nil)
        let late = machine.tick(now: 5100)
        #expect(late.close == .handshakeTimeout)
    }

    @Test func aNodeOfAnOlderVersionIsRecognised() {
        var machine = Machine(settings(.v5))
        _ = machine.connected(now: 0)
        let error = Reply.error(.protocolError, "Invalid or unsupported protocol version (5)")
        let actions = machine.received(Reply.frame(.error, error, stream: 0, version: 4), now: 1)
        #expect(actions.close == .unsupportedVersion(offered: .v5, "Invalid or unsupported protocol version (5)"))
    }

    @Test func refusals() throws {
        func close(_ replies: [ByteBuffer], _ adjust: (inout Machine.Settings) -> Void = { _ in }) -> CloseReason? {
            var machine = Machine(settings(.v4, adjust))
            _ = machine.connected(now: 0)
            for reply in replies { if let reason = machine.received(reply, now: 1).close { return reason } }
            return machine.tick(now: 10_000).close
        }
        let supported = Reply.frame(.supported, Reply.supported, stream: 0)
        let authenticate = Reply.frame(.authenticate, Reply.string("X"), stream: 0)
        #expect(close([]) == .handshakeTimeout)
        #expect(close([supported]) == .handshakeTimeout)
        #expect(close([supported, authenticate]) == .authenticationFailed("X asks for them, and none are configured"))
        let wrong = Reply.frame(.error, Reply.error(.badCredentials, "wrong"), stream: 0)
        #expect(
            close([supported, authenticate, wrong]) { $0.credentials = Credentials(user: "u", password: "p") }
                == .authenticationFailed("wrong"))
        let overloaded = Reply.frame(.error, Reply.error(.overloaded, "later"), stream: 0)
        if case .refused(let error) = close([supported, overloaded]) {
            #expect(error.code == .overloaded)
        } else {
            Issue.record("not refused")
        }
        #expect(close([Reply.frame(.ready, stream: 0)]) == .malformed("ready where it does not belong"))
        #expect(close([Reply.frame(.supported, Reply.supported, stream: 7)]) == .wrongStream(7))
        #expect(close([ByteBuffer(string: "HTTP/1.1 400 Bad Request\r\n")]) == .malformed("a request came where a response belongs"))
    }

    @Test(arguments: ProtocolVersion.allCases) func answersComeBackInAnyOrder(_ version: ProtocolVersion) throws {
        var machine = try ready(version)
        let streams = (0..<4).compactMap { place(submit(&machine, $0)) }
        #expect(Set(streams).count == 4)
        #expect(machine.inFlight == 4)
        var replies = ByteBuffer()
        for stream in streams.reversed() {
            replies.writeImmutableBuffer(Reply.frame(.result, Reply.void, stream: stream, version: version.rawValue))
        }
        if version == .v5 { replies = wrapped(replies) }
        var answered: [Int] = []
        // One byte after the other.
        while let byte = replies.readSlice(length: 1) { answered += machine.received(byte, now: 3).answered.map(\.0) }
        #expect(answered == [3, 2, 1, 0])
        #expect(machine.inFlight == 0)
    }

    @Test func aFullConnectionQueuesAndThenRefuses() throws {
        var machine = try ready(.v4)
        let streams = (0..<7).map { place(submit(&machine, $0)) }
        #expect(streams.map { $0 != nil } == [true, true, true, true, false, false, false])
        let refused = submit(&machine, 7)
        #expect(refusal(refused)?.code == .busy)
        #expect(machine.queued == 3)
        _ = machine.takeOutbound()
        let actions = machine.received(Reply.frame(.result, Reply.void, stream: 2), now: 5)
        #expect(actions.answered.count == 1)
        #expect(machine.queued == 2)
        let next = try out(&machine)
        #expect(next.readableBytes == 9, "the queued one goes out on the free stream")
    }

    @Test func bytesThatWaitToBeSentHoldRequestsBack() throws {
        var machine = try ready(.v4) { $0.maximumUnsent = 10 }
        _ = machine.written(1000)
        var streams = [place(submit(&machine, 0))]
        let first = try out(&machine).readableBytes
        streams += [place(submit(&machine, 1)), place(submit(&machine, 2))]
        #expect(streams.map { $0 != nil } == [true, true, false], "18 bytes wait")
        _ = try out(&machine)
        let few = machine.written(1)
        #expect(!few.hasOutbound)
        let enough = machine.written(first + 8)
        #expect(enough.hasOutbound)
        #expect(machine.queued == 0)
    }

    @Test func aLateAnswerFreesItsStream() throws {
        var machine = try ready(.v4)
        let first = submit(&machine, 0, deadline: 100)
        let late = try #require(place(first))
        _ = submit(&machine, 1, deadline: 200)
        let actions = machine.tick(now: 150)
        #expect(actions.failed.map(\.0) == [0])
        #expect(actions.failed.first?.1.code == .timeout)
        #expect(actions.failed.first?.1.hasUnknownOutcome == true)
        #expect(machine.orphans == 1)
        #expect(machine.inFlight == 2)
        let actions4 = machine.received(Reply.frame(.result, Reply.void, stream: late), now: 160)
        #expect(actions4.answered.isEmpty)
        #expect(machine.orphans == 0)
        #expect(machine.inFlight == 1)
        #expect(machine.closeReason == nil)
    }

    @Test func queuedRequestsTimeOutToo() throws {
        var machine = try ready(.v4)
        for i in 0..<4 { _ = submit(&machine, i) }
        _ = submit(&machine, 9, deadline: 50)
        let failed = machine.tick(now: 60).failed
        #expect(failed.map(\.0) == [9])
        #expect(failed.first?.1.hasUnknownOutcome == false)
        #expect(machine.queued == 0)
    }

    @Test func tooManyOrphansEndTheConnection() throws {
        var machine = try ready(.v4) { $0.maximumOrphans = 2 }
        for i in 0..<4 { _ = submit(&machine, i, deadline: 10) }
        let actions5 = machine.tick(now: 20)
        #expect(actions5.close == .tooManyOrphans(4))
    }

    @Test func cancelledRequestsLeaveOrphans() throws {
        var machine = try ready(.v4)
        for i in 0..<5 { _ = submit(&machine, i) }
        let cancelled6 = machine.cancel { $0 == 2 }
        #expect(cancelled6 == 2)
        let cancelled7 = machine.cancel { $0 == 2 }
        #expect(cancelled7 == nil)
        let cancelled8 = machine.cancel { $0 == 4 }
        #expect(cancelled8 == 4)
        #expect(machine.orphans == 1)
        #expect(machine.queued == 0)
    }

    @Test func silenceIsAskedAboutAndThenEnds() throws {
        var machine = try ready(.v4)
        let actions9 = machine.tick(now: 15_000)
        #expect(!actions9.hasOutbound)
        let actions10 = machine.tick(now: 15_002)
        #expect(actions10.hasOutbound)
        try expect(&machine, "040000000500000000")
        let actions11 = machine.received(Reply.frame(.supported, Reply.supported, stream: 0), now: 15_010)
        #expect(actions11.close == nil)
        let actions12 = machine.tick(now: 16_000)
        #expect(!actions12.hasOutbound)
        let actions13 = machine.tick(now: 30_010)
        #expect(actions13.hasOutbound)
        let actions14 = machine.tick(now: 40_009)
        #expect(actions14.close == nil)
        let actions15 = machine.tick(now: 40_010)
        #expect(actions15.close == .heartbeatMissed)
    }

    @Test func theHeartbeatHasAStreamOfItsOwn() throws {
        var machine = try ready(.v4)
        for i in 0..<5 { _ = submit(&machine, i, deadline: .max) }
        _ = machine.takeOutbound()
        let actions16 = machine.tick(now: 20_000)
        #expect(actions16.hasOutbound)
    }

    @Test func theEndTellsEverybodyOnce() throws {
        var machine = try ready(.v4)
        for i in 0..<6 { _ = submit(&machine, i) }
        let actions = machine.closed(.closedByPeer)
        #expect(actions.failed.map(\.0).sorted() == [0, 1, 2, 3, 4, 5])
        #expect(actions.failed.filter { $0.1.hasUnknownOutcome }.map(\.0).sorted() == [0, 1, 2, 3], "the queued ones were never sent")
        let actions17 = machine.closed(.requested)
        #expect(actions17.failed.isEmpty)
        #expect(machine.closeReason == .closedByPeer)
        let afterwards = submit(&machine, 7)
        #expect(refusal(afterwards)?.code == .connectionLost)
        let actions18 = machine.received(Reply.frame(.result, Reply.void, stream: 0), now: 9)
        #expect(actions18.answered.isEmpty)
    }

    @Test func eventsComeOnTheirStream() throws {
        var machine = try ready(.v4)
        let body = Reply.body {
            for text in ["STATUS_CHANGE", "DOWN"] { $0.writeImmutableBuffer(Reply.string(text)) }
            $0.writeBytes([4, 10, 0, 0, 3, 0, 0, 0x23, 0x52])
        }
        let actions19 = machine.received(Reply.frame(.event, body, stream: -1), now: 5)
        #expect(actions19.events == [.nodeDown(NodeAddress(host: "10.0.0.3", port: 9042))])
        let actions20 = machine.received(Reply.frame(.result, Reply.void, stream: -1), now: 5)
        #expect(actions20.close == .malformed("result on the stream of events"))
    }

    @Test func whatNoNodeSendsEndsTheConnection() throws {
        func close(_ version: ProtocolVersion, _ bytes: ByteBuffer) throws -> CloseReason? {
            var machine = try ready(version) { $0.maximumFrame = 1000 }
            return machine.received(bytes, now: 9).close
        }
        #expect(try close(.v4, Reply.frame(.result, Reply.void, stream: 3)) == .wrongStream(3))
        #expect(
            try close(.v4, ByteBuffer(bytes: [0x84, 0, 0, 0, 8, 0, 0, 3, 0xE9])) == .malformed("a frame of 1001 bytes, the limit is 1000"))
        #expect(try close(.v4, ByteBuffer(bytes: [0x84, 0, 0, 0, 4, 0, 0, 0, 0])) == .malformed("the opcode 4 is none of a response"))
        #expect(
            try close(.v4, Reply.frame(.result, Reply.void, stream: 0, version: 5))
                == .malformed("a frame of version 5 on a connection of version 4"))
        var damaged = wrapped(Reply.frame(.result, Reply.void, stream: 0, version: 5))
        damaged.setInteger(UInt8(0xFF), at: 12)
        #expect(try close(.v5, damaged) == .malformed("a segment's checksum is wrong"))
        damaged.setInteger(UInt8(0xFF), at: 1)
        #expect(try close(.v5, damaged) == .malformed("a segment header's checksum is wrong"))
    }

    /// A response of a megabyte comes in nine segments, in pieces of any size.
    @Test func aLongFrameComesInSeveralSegments() throws {
        var machine = try ready(.v5)
        let submission = submit(&machine, 5)
        let stream = try #require(place(submission))
        let body = Reply.body {
            $0.writeInteger(Int32(1))
            $0.writeBytes((0..<1_000_000).map { UInt8(truncatingIfNeeded: $0) })
        }
        var bytes = wrapped(Reply.frame(.result, body, stream: stream, version: 5))
        bytes.writeImmutableBuffer(wrapped(Reply.frame(.event, Reply.string("X"), stream: -1, version: 5)))
        var random = SplitMix64(seed: 3)
        var answered: [(Int, Response)] = []
        var events = 0
        while bytes.readableBytes > 0 {
            let piece = bytes.readSlice(length: min(bytes.readableBytes, Int.random(in: 1...70_000, using: &random)))
            let actions = machine.received(try #require(piece), now: 3)
            answered += actions.answered
            events += actions.events.count
        }
        #expect(answered.map(\.0) == [5])
        #expect(answered.first?.1.body == body)
        #expect(events == 1)
    }
}
