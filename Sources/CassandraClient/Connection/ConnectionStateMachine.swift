import NIOCore

/// One connection's protocol: events in, actions out, no clock and no socket.
///
///     opened             (with TLS only: it shakes hands first)
///        |
///     connected          (sends OPTIONS)
///        |  SUPPORTED    (sends STARTUP)          any ERROR, silence, or what does not belong there: closed
///     starting
///        |  READY        |  AUTHENTICATE          v5: after these two all goes in segments
///        |               |  (AUTH_RESPONSE, AUTH_CHALLENGE)*, AUTH_SUCCESS
///        |  (REGISTER, READY, where events are wanted)
///     ready              requests, each on a stream of its own; OPTIONS as heartbeat
///        |
///     closed             everybody who waits is told
///
/// A request whose time is over leaves its stream *orphaned*: it is free again when the late response comes. Requests for which there is
/// no stream, or for which too many bytes wait to be sent, wait in a bounded queue.
///
/// Times are milliseconds of a clock that only goes forward.
struct ConnectionStateMachine<Waiter> {
    private enum State {
        case idle
        case awaitingSupported
        case awaitingStartup
        case authenticating
        case registering
        case ready
        case closed(CloseReason)
    }

    /// Who waits for a response.
    private enum Party {
        case handshake
        case heartbeat
        case request(Waiter)
    }

    private struct Queued {
        var request: Request
        var waiter: Waiter
        var deadline: Int64
    }

    let settings: Settings
    private var state = State.idle
    private var decoder: FrameDecoder
    private var streams: StreamTable<Party>
    private var queue: [Queued?] = []
    private var queueHead = 0
    private(set) var queued = 0
    private var outbound = ByteBuffer()
    private var isSegmented = false
    /// Bytes handed out for sending and not yet written.
    private var unsent = 0
    private var lastHeard: Int64 = 0
    private var isHeartbeatOut = false
    private var heartbeatDeadline: Int64 = 0
    private var handshakeDeadline: Int64 = .max
    private(set) var supported: [String: [String]] = [:]

    init(_ settings: Settings) {
        self.settings = settings
        decoder = FrameDecoder(maximumFrame: settings.maximumFrame)
        // One more, so that the heartbeat has a stream when requests hold all others.
        streams = StreamTable(count: min(settings.maximumStreams, 32_767) + 1)
    }

    var isReady: Bool { if case .ready = state { true } else { false } }
    var closeReason: CloseReason? { if case .closed(let reason) = state { reason } else { nil } }
    /// Requests on streams, with orphans.
    var inFlight: Int { streams.taken }
    var orphans: Int { streams.orphans }
    private var hasRoom: Bool { streams.taken < streams.count - 1 && outbound.readableBytes + unsent < settings.maximumUnsent }

    // MARK: Events from the socket

    /// There is a socket: from now on the handshake has its time, that of TLS included.
    mutating func opened(now: Int64) {
        guard case .idle = state else { return }
        handshakeDeadline = now + settings.handshakeTimeout
    }

    mutating func connected(now: Int64) -> Actions {
        var actions = Actions()
        guard case .idle = state else { return actions }
        state = .awaitingSupported
        lastHeard = now
        handshakeDeadline = min(handshakeDeadline, now + settings.handshakeTimeout)
        ask(.options, &actions)
        return actions
    }

    mutating func received(_ bytes: ByteBuffer, now: Int64) -> Actions {
        var actions = Actions()
        if closeReason != nil { return actions }
        lastHeard = now
        decoder.append(bytes)
        do {
            while closeReason == nil, let (header, body) = try decoder.next() { try handle(header, body, &actions) }
        } catch {
            end(.malformed(error.reason), &actions)
        }
        drainQueue(&actions)
        return actions
    }

    mutating func closed(_ reason: CloseReason) -> Actions {
        var actions = Actions()
        end(reason, &actions)
        return actions
    }

    /// So many of the bytes handed out have been written.
    mutating func written(_ count: Int) -> Actions {
        var actions = Actions()
        unsent = max(0, unsent - count)
        drainQueue(&actions)
        return actions
    }

    /// To be called a few times a second.
    mutating func tick(now: Int64) -> Actions {
        var actions = Actions()
        switch state {
        case .closed: return actions
        case .ready: break
        default:
            // Idle too: the node may never answer to TLS.
            if now >= handshakeDeadline { end(.handshakeTimeout, &actions) }
            return actions
        }
        expire(now, &actions)
        if streams.orphans > settings.maximumOrphans {
            end(.tooManyOrphans(streams.orphans), &actions)
        } else if isHeartbeatOut {
            if now >= heartbeatDeadline { end(.heartbeatMissed, &actions) }
        } else if settings.heartbeatInterval > 0, now - lastHeard >= settings.heartbeatInterval,
            let stream = streams.take(.heartbeat, deadline: .max)
        {
            isHeartbeatOut = true
            heartbeatDeadline = now + settings.heartbeatTimeout
            send(.options, stream, &actions)
        }
        return actions
    }

    // MARK: Events from callers

    /// Sends a request, or queues it. `waiter` is answered or failed exactly once, unless the request is refused here.
    mutating func submit(_ request: Request, _ waiter: Waiter, deadline: Int64, _ actions: inout Actions) -> Submission {
        switch state {
        case .ready: break
        case .closed(let reason): return .refused(reason.error(wasSent: false))
        default: return .refused(CassandraError(.connectionLost, "the connection is not ready yet"))
        }
        if queued == 0, hasRoom, let stream = streams.take(.request(waiter), deadline: deadline) {
            do { try request.write(into: &outbound, settings.version, stream: stream) } catch {
                _ = streams.release(stream)
                return .refused(error)
            }
            actions.hasOutbound = true
            return .accepted(stream: stream)
        }
        guard queued < settings.maximumQueue else {
            return .refused(CassandraError(.busy, "\(queued) requests wait already for a connection to Cassandra"))
        }
        queue.append(Queued(request: request, waiter: waiter, deadline: deadline))
        queued += 1
        return .accepted(stream: nil)
    }

    /// Takes away whoever waits for which `isMeant` holds; its stream is orphaned. Nil when it was answered already.
    mutating func cancel(where isMeant: (Waiter) -> Bool) -> Waiter? {
        let found = streams.orphan { if case .request(let waiter) = $0 { isMeant(waiter) } else { false } }
        if case .request(let waiter) = found { return waiter }
        for i in queueHead..<queue.count {
            guard let waiting = queue[i], isMeant(waiting.waiter) else { continue }
            queue[i] = nil
            queued -= 1
            return waiting.waiter
        }
        return nil
    }

    /// The bytes to send, in segments where the version has them.
    mutating func takeOutbound() -> ByteBuffer? {
        if outbound.readableBytes == 0 { return nil }
        var bytes = ByteBuffer()
        if isSegmented {
            Segment.wrap(outbound, into: &bytes)
            outbound.clear(minimumCapacity: 0)
        } else {
            swap(&bytes, &outbound)
        }
        unsent += bytes.readableBytes
        return bytes
    }

    // MARK: Inside

    private mutating func ask(_ request: Request, _ actions: inout Actions) {
        if let stream = streams.take(.handshake, deadline: .max) { send(request, stream, &actions) }
    }

    private mutating func send(_ request: Request, _ stream: Int16, _ actions: inout Actions) {
        do {
            try request.write(into: &outbound, settings.version, stream: stream)
            actions.hasOutbound = true
        } catch {
            end(.failed(error.message), &actions)
        }
    }

    private mutating func expire(_ now: Int64, _ actions: inout Actions) {
        for party in streams.expire(now: now) {
            if case .request(let waiter) = party {
                actions.failed.append((waiter, CassandraError(.timeout, "no answer from Cassandra in time", hasUnknownOutcome: true)))
            }
        }
        for i in queueHead..<queue.count {
            guard let waiting = queue[i], waiting.deadline <= now else { continue }
            queue[i] = nil
            queued -= 1
            actions.failed.append((waiting.waiter, CassandraError(.timeout, "the request waited too long for a connection to Cassandra")))
        }
        drainQueue(&actions)
    }

    private mutating func drainQueue(_ actions: inout Actions) {
        guard case .ready = state else { return }
        while queueHead < queue.count, hasRoom {
            guard let next = queue[queueHead] else {
                queueHead += 1
                continue
            }
            guard let stream = streams.take(.request(next.waiter), deadline: next.deadline) else { break }
            queue[queueHead] = nil
            queueHead += 1
            queued -= 1
            do {
                try next.request.write(into: &outbound, settings.version, stream: stream)
                actions.hasOutbound = true
            } catch {
                _ = streams.release(stream)
                actions.failed.append((next.waiter, error))
            }
        }
        if queueHead == queue.count || queueHead > 4096 {
            queue.removeFirst(queueHead)
            queueHead = 0
        }
    }

    private mutating func end(_ reason: CloseReason, _ actions: inout Actions) {
        if closeReason != nil { return }
        state = .closed(reason)
        actions.close = reason
        for party in streams.drain() {
            if case .request(let waiter) = party { actions.failed.append((waiter, reason.error(wasSent: true))) }
        }
        for waiting in queue[queueHead...].compactMap({ $0 }) { actions.failed.append((waiting.waiter, reason.error(wasSent: false))) }
        queue = []
        queueHead = 0
        queued = 0
        outbound = ByteBuffer()
    }

    private mutating func handle(_ header: FrameHeader, _ body: ByteBuffer, _ actions: inout Actions) throws(MalformedMessage) {
        // A node that does not speak the version answers in its own.
        if header.version != settings.version.rawValue {
            guard case .awaitingSupported = state, header.opcode == .error else {
                throw MalformedMessage("a frame of version \(header.version) on a connection of version \(settings.version.rawValue)")
            }
        }
        let response = try Response(header, version: settings.version, body: body)
        if header.stream < 0 {
            guard header.opcode == .event else { throw MalformedMessage("\(header.opcode) on the stream of events") }
            var reader = WireReader(response.body)
            actions.events.append(try ClusterEvent.read(&reader))
            return
        }
        guard let occupied = streams.release(header.stream) else {
            end(.wrongStream(header.stream), &actions)
            return
        }
        switch occupied.waiter {
        case nil: break
        case .request(let waiter): actions.answered.append((waiter, response))
        case .heartbeat: isHeartbeatOut = false
        case .handshake: try shakeHands(response, &actions)
        }
    }

    private mutating func shakeHands(_ response: Response, _ actions: inout Actions) throws(MalformedMessage) {
        var reader = WireReader(response.body)
        if response.opcode == .error {
            end(try refusal(ServerError.read(&reader, settings.version)), &actions)
            return
        }
        switch (state, response.opcode) {
        case (.awaitingSupported, .supported):
            supported = try reader.stringMultimap()
            state = .awaitingStartup
            ask(.startup([("CQL_VERSION", "3.0.0")] + settings.startup), &actions)
        case (.awaitingStartup, .ready):
            beginSegments()
            register(&actions)
        case (.awaitingStartup, .authenticate):
            beginSegments()
            let authenticator = try reader.string()
            guard let credentials = settings.credentials else {
                end(.authenticationFailed("\(authenticator) asks for them, and none are configured"), &actions)
                return
            }
            state = .authenticating
            ask(.authResponse(credentials.token), &actions)
        case (.authenticating, .authChallenge):
            guard let credentials = settings.credentials else { return }
            ask(.authResponse(credentials.token), &actions)
        case (.authenticating, .authSuccess): register(&actions)
        case (.registering, .ready): become(&actions)
        default: throw MalformedMessage("\(response.opcode) where it does not belong")
        }
    }

    private func refusal(_ error: ServerError) -> CloseReason {
        switch (state, error.code) {
        case (.awaitingSupported, .protocolError), (.awaitingStartup, .protocolError):
            .unsupportedVersion(offered: settings.version, error.message)
        case (.authenticating, _), (_, .badCredentials): .authenticationFailed(error.message)
        default: .refused(error)
        }
    }

    private mutating func beginSegments() {
        guard settings.version >= .v5 else { return }
        decoder.beginSegments()
        isSegmented = true
    }

    private mutating func register(_ actions: inout Actions) {
        if settings.events.isEmpty { return become(&actions) }
        state = .registering
        ask(.register(settings.events), &actions)
    }

    private mutating func become(_ actions: inout Actions) {
        state = .ready
        actions.isReady = true
    }
}

/// User and password, as SASL PLAIN sends them.
package struct Credentials: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var user: String
    let password: String

    package init(user: String, password: String) {
        self.user = user
        self.password = password
    }

    var token: [UInt8] { [0] + Array(user.utf8) + [0] + Array(password.utf8) }
    package var description: String { "\(user):(hidden)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
