#if Spark
    import Foundation
    import Glibc
    import Synchronization
    import TestSupport

    /// A wire between client and server that can be cut: all connections break, new ones are taken again at once. Of what comes from the
    /// server it can take a given number of bytes and then break.
    final class CuttingProxy: Sendable {
        private struct State {
            var sockets: [Int32] = []
            var isStopped = false
            /// Bytes of the server until the next cut.
            var budgets: [Int] = []
            var cuts = 0
        }

        let port: Int
        private let listener: Int32
        private let state: Mutex<State>

        /// - Parameter budgets: after how many bytes from the server the connections break, one after the other.
        init(to serverPort: Int, budgets: [Int] = []) throws {
            state = Mutex(State(budgets: budgets))
            let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            self.listener = listener
            var address = loopback(port: 0)
            let isBound = withSockaddr(&address) { bind(listener, $0, $1) } == 0
            guard isBound, listen(listener, 16) == 0 else { throw ToolFailure(description: "cannot listen") }
            port = boundPort(listener)
            Thread.detachNewThread { [self] in accept(serverPort) }
        }

        var cuts: Int { state.withLock { $0.cuts } }

        func cut() { state.withLock { cut(&$0) } }

        func stop() {
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
                Thread.detachNewThread { [self] in pump(client, server, isCounted: false) }
                Thread.detachNewThread { [self] in pump(server, client, isCounted: true) }
            }
        }

        /// Sockets are closed by the process' end: their numbers must not be used again while a cut may shut them down.
        private func pump(_ from: Int32, _ to: Int32, isCounted: Bool) {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while true {
                let n = recv(from, &buffer, buffer.count, 0)
                if n <= 0 || send(to, buffer, n, Int32(MSG_NOSIGNAL)) != n { break }
                if !isCounted { continue }
                state.withLock { state in
                    guard let budget = state.budgets.first else { return }
                    if budget > n {
                        state.budgets[0] = budget - n
                    } else {
                        state.budgets.removeFirst()
                        cut(&state)
                    }
                }
            }
            shutdown(from, Int32(SHUT_RDWR))
            shutdown(to, Int32(SHUT_RDWR))
        }
    }
#endif
