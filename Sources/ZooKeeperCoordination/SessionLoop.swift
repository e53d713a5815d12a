import CZooKeeper
import Coordination
import FoundationEssentials
import Logging
import Telemetry

/// One session from its opening to its end: sets up, beats, and keeps what ZooKeeper holds of this process as it is wanted.
///
/// One step at a time, by one task. A step that fails for a lost connection is repeated as a whole when the connection is back.
struct SessionLoop {
    enum End: Sendable {
        case closed
        case expired
        case refused(String)
        /// Begin again later.
        case failed(String)
    }

    private let options: ZooKeeperOptions
    private let view: LocalView
    private let logger: Logger
    private let session: ZooKeeperSession
    private let groupFolder: String
    private let clock = ContinuousClock()

    private var timing: LeaseTiming?
    /// The node that heartbeats write.
    private var memberNode: String?
    private var memberNames: [Int64: String] = [:]
    private var announced: [String: (node: String, instance: ServiceInstance)] = [:]
    /// By name, the node of this session.
    private var candidacies: [String: String] = [:]
    private var configurationTransaction: Int64?
    private var joinedAt: ContinuousClock.Instant?
    private var saidDuplicate = false
    private var isOpen = false
    /// What was last complained of: not with every heartbeat.
    private var lastFailure: ZooKeeperFailure?

    /// Opens a session and stays until it ends.
    static func run(_ options: ZooKeeperOptions, view: LocalView, logger: Logger) async -> End {
        let paths = Paths(root: options.chroot)
        let groupFolder = paths.group(options.group)
        let signals = Signals(paths: paths, groupFolder: groupFolder)
        let handle: ZooKeeperHandle
        do {
            handle = try await ZooKeeperHandle.open(
                hosts: options.hosts.joined(separator: ","), timeout: options.sessionTimeout, credentials: options.credentials
            ) { [weak view] event in
                switch signals.receive(event) {
                case .connected: view?.note(.connected)
                case .connecting: view?.noteSuspended()
                case .expired: view?.note(.expired)
                case .refused, nil: break
                }
            }
        } catch {
            return .failed("\(error)")
        }
        let token = String(UInt64.random(in: 0...UInt64.max), radix: 16)
        let session = ZooKeeperSession(
            handle: handle, signals: signals, paths: paths, restricted: options.credentials != nil, token: token)
        var loop = SessionLoop(options, view, logger, session, groupFolder)
        let end = await withTaskCancellationHandler {
            await loop.untilEnd()
        } onCancel: {
            signals.finish()
        }
        view.leave()
        await handle.close()
        return end
    }

    private init(
        _ options: ZooKeeperOptions, _ view: LocalView, _ logger: Logger, _ session: ZooKeeperSession, _ groupFolder: String
    ) {
        self.options = options
        self.view = view
        self.logger = logger
        self.session = session
        self.groupFolder = groupFolder
    }

    private mutating func untilEnd() async -> End {
        session.signals.setTick(LeaseTiming(sessionTimeout: options.sessionTimeout).heartbeat)
        let ticker = Task { [signals = session.signals] in
            while true {
                try await Task.sleep(for: signals.tick)
                signals.raise(.tick)
            }
        }
        defer { ticker.cancel() }
        for await _ in session.signals.wakes {
            if view.isClosed { break }
            view.tellOfTime()
            switch session.signals.session {
            case .connecting: continue
            case .expired: return .expired
            case .refused: return .refused("ZooKeeper at \(options.place) refuses the credentials")
            case .connected: break
            }
            if let end = await step() { return end }
        }
        return .closed
    }

    /// - Returns: why the session is to end, if it is.
    private mutating func step() async -> End? {
        let flags = session.signals.take()
        do {
            try await setUp()
            try await beat()
            openOnce()
            if flags.contains(.wishes) { try await announce() }
            if !flags.isDisjoint(with: [.wishes, .elections]) { try await elect() }
            if flags.contains(.configuration) { try await readConfiguration() }
            return nil
        } catch let failure as ZooKeeperFailure {
            if failure.isOne(of: ZSESSIONEXPIRED) { return .expired }
            if failure.isOne(of: ZNOAUTH, ZAUTHFAILED, ZSESSIONCLOSEDREQUIRESASLAUTH) {
                return .refused(failure.coordinationError(at: options.place).description)
            }
            if failure.endsSession { return view.isClosed ? .closed : .failed("\(failure)") }
            if !failure.isConnectionLoss && failure != lastFailure {
                lastFailure = failure
                logger.warning("ZooKeeper: \(failure); it is tried again", metadata: ["session": "\(session.token)"])
            }
            // With the next tick, or when the connection is back.
            session.signals.put(back: flags)
            return nil
        } catch {
            return .failed("\(error)")
        }
    }

    // MARK: Being there

    private mutating func setUp() async throws {
        if memberNode != nil { return }
        let handle = session.handle
        guard let timeout = handle.negotiatedTimeout else {
            throw ZooKeeperFailure(code: ZooKeeperFailure.code(ZCLOSING), operation: "set up")
        }
        for folder in [groupFolder, session.paths.instances, session.paths.elections, session.paths.epochs] {
            try await handle.createFolders(folder, restricted: session.restricted)
        }
        let node = try await session.createNumbered(in: groupFolder, id: options.memberName, Array("-1".utf8))
        guard let name = SequentialName(node) else {
            throw ZooKeeperFailure(code: ZooKeeperFailure.code(ZBADARGUMENTS), operation: "name \(node)")
        }
        let timing = LeaseTiming(sessionTimeout: timeout)
        view.join(timing, as: options.group == nil ? nil : Member(id: name.id, sequence: name.sequence))
        self.timing = timing
        session.signals.setTick(timing.heartbeat)
        memberNode = node
        joinedAt = clock.now
        logger.info("joined ZooKeeper at \(options.place)", metadata: ["member": "\(node)", "session_timeout": "\(timeout)"])
    }

    /// After the first heartbeat, calls may use the session.
    private mutating func openOnce() {
        if isOpen || memberNode == nil { return }
        isOpen = true
        lastFailure = nil
        view.metrics.sessions.add()
        view.open(session)
    }

    /// Writes, then looks at the list: the answer is that of the list after the write.
    private mutating func beat() async throws {
        guard let memberNode else { return }
        let sentAt = clock.now
        do {
            try await session.handle.write("\(groupFolder)/\(memberNode)", Array("\(view.newestSeen)".utf8), version: nil)
        } catch let failure as ZooKeeperFailure where failure.isOne(of: ZNONODE) {
            // Removed by someone else; this process comes back as a new member.
            logger.warning("the node \(groupFolder)/\(memberNode) is gone; joining again")
            self.memberNode = nil
            view.rejoin()
            session.signals.raise(.everything)
            return
        }
        var members: [Member]?
        if options.group != nil {
            let names = try await session.handle.children(groupFolder, watch: true).compactMap { node in
                SequentialName(node).map { (node, $0) }
            }
            memberNames = Dictionary(names.map { ($1.sequence, $0) }, uniquingKeysWith: { first, _ in first })
            members = names.map { Member(id: $1.id, sequence: $1.sequence) }
        }
        let changed = view.beat(sentAt: sentAt, members: members)
        view.metrics.heartbeats.observe(sentAt.duration(to: clock.now).seconds)
        // The others wait for this process to say what it has seen.
        if changed { session.signals.raise(.tick) }
        try await hearOthers()
        warnOfDuplicates(members ?? [])
    }

    /// A process that has joined waits for the older ones to say that they know it; each watch fires with their next heartbeat.
    private func hearOthers() async throws {
        for member in view.unheard {
            guard let node = memberNames[member.sequence] else { continue }
            do {
                let said = try await session.handle.read("\(groupFolder)/\(node)", watch: true)
                guard let seen = Int64(String(decoding: said.bytes, as: UTF8.self)) else { continue }
                view.acknowledge(by: member.sequence, seen: seen)
            } catch let failure as ZooKeeperFailure where failure.isOne(of: ZNONODE) {
                // Its watch tells of the new list.
                continue
            }
        }
    }

    private mutating func warnOfDuplicates(_ members: [Member]) {
        guard !saidDuplicate, let joinedAt, let timing, members.count > 1, joinedAt.duration(to: clock.now) > timing.grace * 2,
            members.filter({ $0.id == options.memberName }).count > 1
        else { return }
        saidDuplicate = true
        logger.warning("two processes call themselves \(options.memberName); the younger one gets no work: give each its own name")
    }

    // MARK: Names

    private mutating func announce() async throws {
        let wanted = view.wishes.instances
        for (key, known) in announced where wanted[key] == nil {
            try await session.handle.delete("\(session.paths.instances)/\(known.node)")
            announced[key] = nil
        }
        for (key, instance) in wanted where announced[key]?.instance != instance {
            let bytes = Array(try JSONEncoder().encode(instance))
            if let known = announced[key] {
                try await session.handle.write("\(session.paths.instances)/\(known.node)", bytes, version: nil)
                announced[key] = (known.node, instance)
            } else {
                let node = try await session.createNumbered(in: session.paths.instances, id: key, bytes)
                announced[key] = (node, instance)
            }
        }
    }

    // MARK: Leaders

    private mutating func elect() async throws {
        let wanted = view.wishes.campaigns
        for (name, node) in candidacies where !wanted.contains(name) {
            view.noteElection(name, isFirst: false)
            try await session.handle.delete("\(session.paths.election(name))/\(node)")
            candidacies[name] = nil
        }
        for name in wanted.sorted() { try await elect(name) }
    }

    private mutating func elect(_ name: String) async throws {
        let folder = session.paths.election(name)
        while true {
            if candidacies[name] == nil {
                try await session.handle.createFolders(folder, restricted: session.restricted)
                candidacies[name] = try await session.createNumbered(
                    in: folder, id: options.memberName, Array(options.memberName.utf8))
            }
            guard let own = candidacies[name] else { return }
            switch ElectionOrder.place(of: own, among: try await session.handle.children(folder)) {
            case .leader:
                view.noteElection(name, isFirst: true)
                // Who leads wants to hear when its own node is removed.
                if try await session.handle.exists("\(folder)/\(own)", watch: true) { return }
            case .follower(let predecessor):
                view.noteElection(name, isFirst: false)
                if try await session.handle.exists("\(folder)/\(predecessor)", watch: true) { return }
            case .absent:
                view.noteElection(name, isFirst: false)
                candidacies[name] = nil
            }
        }
    }

    // MARK: Configuration

    private mutating func readConfiguration() async throws {
        let path = session.paths.configuration
        while true {
            do {
                let content = try await session.handle.read(path, watch: true)
                if content.transaction != configurationTransaction {
                    configurationTransaction = content.transaction
                    view.publish(CentralConfiguration(bytes: content.bytes, version: Int64(content.version)))
                }
                return
            } catch let failure as ZooKeeperFailure where failure.isOne(of: ZNONODE) {
                if try await !session.handle.exists(path, watch: true) { return }
            }
        }
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
