import Dispatch
import Glibc
import MessagingContract
import Synchronization
import TestSupport

@testable import Messaging

/// A disk that keeps apart what was synced. A crash loses the rest, or any part of it. Errors can be injected, a call can be held up,
/// and the order of calls is recorded. A failed sync behaves as on Linux: the pages count as clean, yet they were never written.
final class SimulatedDevice: LogDevice {
    enum Operation: String, Sendable {
        case create, open, write, read, sync, truncate, remove, rename, syncDirectory, list, createDirectory
    }

    struct Event: Sendable, CustomStringConvertible {
        var operation: Operation?
        var text: String
        var description: String { "\(operation.map { $0.rawValue } ?? "note") \(text)" }
    }

    enum CrashKind: Sendable {
        /// A prefix of the unsynced writes survives, the last of it torn at a random byte.
        case torn
        /// Any sectors of 512 bytes of the unsynced writes survive.
        case sectors
    }

    fileprivate enum Change {
        case write(Int, [UInt8])
        case truncate(Int)
    }

    fileprivate struct Node {
        var cached: [UInt8] = []
        var durable: [UInt8] = []
        var pending: [Change] = []
    }

    fileprivate struct State {
        var nodes: [Int: Node] = [:]
        var names: [String: Int] = [:]
        var durableNames: [String: Int] = [:]
        var directories: Set<String> = []
        var nextNode = 0
        var trace: [Event] = []
        var fault: (@Sendable (Operation, String) -> Int32?)?
        /// Calls that change something until the power goes.
        var callsLeft = Int.max
        var isDead = false
        var locked: Set<String> = []
        var held: (Operation, DispatchSemaphore)?
    }

    fileprivate let state: Mutex<State>

    init() { state = Mutex(State()) }
    private init(_ start: State) { state = Mutex(start) }

    // MARK: What tests do

    var trace: [Event] { state.withLock { $0.trace } }
    var isDead: Bool { state.withLock { $0.isDead } }
    func note(_ text: String) { state.withLock { $0.trace.append(Event(operation: nil, text: text)) } }
    func fail(_ fault: (@Sendable (Operation, String) -> Int32?)?) { state.withLock { $0.fault = fault } }
    func crash(afterCalls count: Int) { state.withLock { $0.callsLeft = count } }

    /// The next call of this kind waits until the semaphore is signalled.
    func hold(_ operation: Operation) -> DispatchSemaphore {
        let semaphore = DispatchSemaphore(value: 0)
        state.withLock { $0.held = (operation, semaphore) }
        return semaphore
    }

    /// Whether the bytes stand in synced content of a file whose name is durable.
    func isDurable(_ bytes: [UInt8]) -> Bool {
        state.withLock { state in
            state.durableNames.values.contains { id in
                guard let content = state.nodes[id]?.durable else { return false }
                return content.withUnsafeBufferPointer { hay in
                    hay.indices.contains {
                        hay.count - $0 >= bytes.count && hay[$0] == bytes[0] && hay[$0..<($0 + bytes.count)].elementsEqual(bytes)
                    }
                }
            }
        }
    }

    func paths(_ suffix: String) -> [String] { state.withLock { $0.names.keys.filter { $0.hasSuffix(suffix) }.sorted() } }
    func content(_ path: String) -> [UInt8] { state.withLock { state in state.names[path].flatMap { state.nodes[$0]?.cached } ?? [] } }

    /// Changes a file behind the log's back.
    func edit(_ path: String, _ body: (inout [UInt8]) -> Void) {
        state.withLock { state in
            guard let id = state.names[path], var node = state.nodes[id] else { return }
            body(&node.cached)
            node.durable = node.cached
            node.pending = []
            state.nodes[id] = node
        }
    }

    /// What a process finds that starts after the power came back.
    func afterCrash(_ kind: CrashKind, using generator: inout SplitMix64) -> SimulatedDevice {
        var old = state.withLock { state -> State in
            state.isDead = true
            return state
        }
        var fresh = State()
        for id in old.nodes.keys.sorted() {
            guard var node = old.nodes[id] else { continue }
            switch kind {
            case .torn:
                let kept = Int.random(in: 0...node.pending.count, using: &generator)
                for change in node.pending.prefix(kept) { change.apply(to: &node.durable) }
                if kept < node.pending.count, case .write(let at, let bytes) = node.pending[kept], !bytes.isEmpty {
                    let part = Array(bytes.prefix(Int.random(in: 0..<bytes.count, using: &generator)))
                    if !part.isEmpty { Change.write(at, part).apply(to: &node.durable) }
                }
            case .sectors:
                for change in node.pending { change.applySectors(to: &node.durable, using: &generator) }
            }
            node.cached = node.durable
            node.pending = []
            old.nodes[id] = node
        }
        for path in Set(old.names.keys).union(old.durableNames.keys).sorted() {
            let id = Bool.random(using: &generator) ? old.names[path] : old.durableNames[path]
            if let id { fresh.names[path] = id }
        }
        fresh.durableNames = fresh.names
        fresh.directories = old.directories
        fresh.nodes = old.nodes
        fresh.nextNode = old.nextNode
        return SimulatedDevice(fresh)
    }

    // MARK: LogDevice

    func createDirectory(_ path: String) throws { try call(.createDirectory, path) { _ = $0.directories.insert(path) } }

    func list(_ path: String) throws -> [String] {
        try call(.list, path) { state in
            var names: Set<String> = []
            for entry in Array(state.names.keys) + Array(state.directories) where entry.hasPrefix(path + "/") {
                if let name = entry.dropFirst(path.count + 1).split(separator: "/").first { names.insert(String(name)) }
            }
            return Array(names)
        }
    }

    func open(_ path: String, _ mode: OpenMode) throws -> any LogFile {
        let id = try call(mode == .create ? .create : .open, path) { state -> Int in
            if let known = state.names[path] {
                if mode == .create { state.change(known, .truncate(0)) }
                return known
            }
            guard mode == .create else { throw DeviceError("open", path, code: ENOENT) }
            state.nextNode += 1
            state.nodes[state.nextNode] = Node()
            state.names[path] = state.nextNode
            return state.nextNode
        }
        return SimulatedFile(device: self, node: id, path: path)
    }

    func remove(_ path: String) throws {
        try call(.remove, path) { state in
            guard state.names.removeValue(forKey: path) != nil else { throw DeviceError("remove", path, code: ENOENT) }
        }
    }

    func rename(_ path: String, to target: String) throws {
        try call(.rename, path) { state in
            guard let id = state.names.removeValue(forKey: path) else { throw DeviceError("rename", path, code: ENOENT) }
            state.names[target] = id
        }
    }

    func syncDirectory(_ path: String) throws {
        try call(.syncDirectory, path) { state in
            func isInside(_ entry: String) -> Bool { entry.hasPrefix(path + "/") && !entry.dropFirst(path.count + 1).contains("/") }
            for entry in Array(state.durableNames.keys) where isInside(entry) { state.durableNames[entry] = state.names[entry] }
            for (entry, id) in state.names where isInside(entry) { state.durableNames[entry] = id }
        }
    }

    func lock(_ path: String) throws -> any LogLock {
        let free = state.withLock { $0.locked.insert(path).inserted }
        guard free else { throw MessagingError(.unavailable, "\(path) is in use") }
        return SimulatedLock { [weak self] in self?.state.withLock { _ = $0.locked.remove(path) } }
    }

    fileprivate func call<T: Sendable>(_ operation: Operation, _ path: String, _ body: (inout State) throws -> T) throws -> T {
        let gate = state.withLock { state -> DispatchSemaphore? in
            guard let (held, semaphore) = state.held, held == operation else { return nil }
            state.held = nil
            return semaphore
        }
        gate?.wait()
        let result = state.withLock { state -> Result<T, any Error> in
            if state.isDead { return .failure(DeviceError(operation.rawValue, path, code: EIO)) }
            if ![.read, .list, .open].contains(operation) {
                state.callsLeft -= 1
                if state.callsLeft <= 0 {
                    // A write that the power cut may have got through in part; a sync may have brought part of the data down.
                    if operation == .write { _ = try? body(&state) }
                    state.isDead = true
                    return .failure(DeviceError(operation.rawValue, path, code: EIO))
                }
            }
            if let code = state.fault?(operation, path) {
                state.trace.append(Event(operation: operation, text: path + " failed"))
                if operation == .sync, let id = state.names[path] { state.nodes[id]?.pending = [] }
                return .failure(DeviceError(operation.rawValue, path, code: code))
            }
            let result = Result { try body(&state) }
            state.trace.append(Event(operation: operation, text: path))
            return result
        }
        return try result.get()
    }
}

extension SimulatedDevice.State {
    fileprivate mutating func change(_ id: Int, _ change: SimulatedDevice.Change) {
        guard var node = nodes.removeValue(forKey: id) else { return }
        change.apply(to: &node.cached)
        node.pending.append(change)
        nodes[id] = node
    }
}

extension SimulatedDevice.Change {
    fileprivate func apply(to content: inout [UInt8]) {
        switch self {
        case .write(let at, let bytes):
            if content.count < at + bytes.count { content += Array(repeating: 0, count: at + bytes.count - content.count) }
            content.replaceSubrange(at..<(at + bytes.count), with: bytes)
        case .truncate(let size):
            if content.count > size { content.removeLast(content.count - size) }
        }
    }

    fileprivate func applySectors(to content: inout [UInt8], using generator: inout SplitMix64) {
        guard case .write(let at, let bytes) = self else { return apply(to: &content) }
        var i = 0
        while i < bytes.count {
            let end = min(bytes.count, ((at + i) / 512 + 1) * 512 - at)
            if Bool.random(using: &generator) { SimulatedDevice.Change.write(at + i, Array(bytes[i..<end])).apply(to: &content) }
            i = end
        }
    }
}

private final class SimulatedLock: LogLock {
    private let release: @Sendable () -> Void
    init(_ release: @escaping @Sendable () -> Void) { self.release = release }
    deinit { release() }
}

private final class SimulatedFile: LogFile {
    private let device: SimulatedDevice
    private let node: Int
    private let path: String

    init(device: SimulatedDevice, node: Int, path: String) {
        self.device = device
        self.node = node
        self.path = path
    }

    func size() throws -> Int64 { try device.call(.read, path) { Int64($0.nodes[node]?.cached.count ?? 0) } }

    func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws {
        let copy = [UInt8](bytes)
        do { try device.call(.write, path) { $0.change(node, .write(Int(position), copy)) } } catch {
            // A failed write leaves half of the bytes in the file.
            device.state.withLock { if !$0.isDead { $0.change(node, .write(Int(position), Array(copy.prefix(copy.count / 2)))) } }
            throw error
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at position: Int64) throws -> Int {
        try device.call(.read, path) { state in
            guard let content = state.nodes[node]?.cached, Int(position) < content.count else { return 0 }
            let end = min(content.count, Int(position) + buffer.count)
            content.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[Int(position)..<end])) }
            return end - Int(position)
        }
    }

    func sync() throws {
        try device.call(.sync, path) { state in
            guard var node = state.nodes.removeValue(forKey: self.node) else { return }
            for change in node.pending { change.apply(to: &node.durable) }
            node.pending = []
            state.nodes[self.node] = node
        }
    }

    func truncate(to size: Int64) throws { try device.call(.truncate, path) { $0.change(node, .truncate(Int(size))) } }
}
