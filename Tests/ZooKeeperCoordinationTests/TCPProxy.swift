import Foundation
import Glibc
import Synchronization
import TestSupport

/// A wire between a client and a server that can be frozen: connections stay, nothing passes.
final class TCPProxy: Sendable {
    private struct State {
        var isFrozen = false
        var isStopped = false
        var sockets: [Int32] = []
    }

    let port: Int
    private let listener: Int32
    private let state = Mutex(State())

    init(to serverPort: Int) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var address = loopback(port: 0)
        let isBound = withSockaddr(&address) { bind(listener, $0, $1) } == 0
        guard isBound, listen(listener, 16) == 0 else { throw ToolFailure(description: "cannot listen") }
        port = boundPort(listener)
        Thread.detachNewThread { [self] in accept(serverPort) }
    }

    func freeze(_ isFrozen: Bool) { state.withLock { $0.isFrozen = isFrozen } }

    func stop() {
        state.withLock { state in
            state.isStopped = true
            for one in state.sockets { shutdown(one, Int32(SHUT_RDWR)) }
        }
        shutdown(listener, Int32(SHUT_RDWR))
    }

    private func accept(_ serverPort: Int) {
        defer { close(listener) }
        while true {
            let client = Glibc.accept(listener, nil, nil)
            if client < 0 || state.withLock({ $0.isStopped }) { return }
            let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = loopback(port: serverPort)
            guard withSockaddr(&address, { connect(server, $0, $1) }) == 0 else {
                close(client)
                close(server)
                continue
            }
            state.withLock { $0.sockets += [client, server] }
            Thread.detachNewThread { [self] in pump(client, server) }
            Thread.detachNewThread { [self] in pump(server, client) }
        }
    }

    /// Sockets are closed by the process' end: their numbers must not be used again while `stop` may shut them down.
    private func pump(_ from: Int32, _ to: Int32) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let n = recv(from, &buffer, buffer.count, 0)
            while state.withLock({ $0.isFrozen && !$0.isStopped }) { usleep(2_000) }
            if n <= 0 || send(to, buffer, n, Int32(MSG_NOSIGNAL)) != n { break }
        }
        shutdown(from, Int32(SHUT_RDWR))
        shutdown(to, Int32(SHUT_RDWR))
    }
}
