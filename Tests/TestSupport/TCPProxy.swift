import Foundation
import Glibc
import Synchronization

/// A wire between clients and a server. It can be frozen: connections stay, nothing passes. After so many bytes from the server it can be cut:
/// all connections break, new ones are taken again at once.
package final class TCPProxy: Sendable {
    private struct State {
        var isFrozen = false
        var isStopped = false
        var sockets: [Int32] = []
        /// Bytes of the server until the next cut.
        var budgets: [Int]
        var cuts = 0
    }

    package let port: Int
    private let listener: Int32
    private let state: Mutex<State>

    /// - Parameter budgets: after how many bytes from the server the connections break, one after the other.
    package init(to serverPort: Int, budgets: [Int] = []) throws {
        state = Mutex(State(budgets: budgets))
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var address = loopback(port: 0)
        let isBound = withSockaddr(&address) { bind(listener, $0, $1) } == 0
        guard isBound, listen(listener, 16) == 0 else { throw ToolFailure(description: "cannot listen") }
        port = boundPort(listener)
        Thread.detachNewThread { [self] in accept(serverPort) }
    }

    package var cuts: Int { state.withLock { $0.cuts } }

    package func freeze(_ isFrozen: Bool) { state.withLock { $0.isFrozen = isFrozen } }

    package func stop() {
        state.withLock {
            $0.isStopped = true
            cut(&$0)
        }
        shutdown(listener, Int32(SHUT_RDWR))
    }

    private func cut(_ state: inout State) {
        for one in state.sockets { shutdown(one, Int32(SHUT_RDWR)) }
        state.sockets = []
        state.cuts += 1
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
            Thread.detachNewThread { [self] in pump(client, server, isFromServer: false) }
            Thread.detachNewThread { [self] in pump(server, client, isFromServer: true) }
        }
    }

    /// Sockets are closed by the process' end: their numbers must not be used again while a cut may shut them down.
    private func pump(_ from: Int32, _ to: Int32, isFromServer: Bool) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let n = recv(from, &buffer, buffer.count, 0)
            while state.withLock({ $0.isFrozen && !$0.isStopped }) { usleep(2_000) }
            if n <= 0 || send(to, buffer, n, Int32(MSG_NOSIGNAL)) != n { break }
            if isFromServer { state.withLock { spend(n, &$0) } }
        }
        shutdown(from, Int32(SHUT_RDWR))
        shutdown(to, Int32(SHUT_RDWR))
    }

    private func spend(_ bytes: Int, _ state: inout State) {
        guard let budget = state.budgets.first else { return }
        if budget > bytes {
            state.budgets[0] = budget - bytes
        } else {
            state.budgets.removeFirst()
            cut(&state)
        }
    }
}
