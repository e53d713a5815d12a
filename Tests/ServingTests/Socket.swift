import Glibc
import Synchronization
import Testing

/// A plain TCP client whose reads do not block: HTTP clients for tests give whole answers only, and a stream has no end.
final class Socket: Sendable {
    struct Failure: Error {
        let what: String
        let code: Int32
    }

    private let descriptor: Int32
    private let received = Mutex<(text: [UInt8], isClosed: Bool)>(([], false))

    init(port: Int, receiveBuffer: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(what: "socket", code: errno) }
        if var size = receiveBuffer {
            _ = setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let descriptor = self.descriptor
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        guard result == 0 else { throw Failure(what: "connect", code: errno) }
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    }

    deinit { close(descriptor) }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// No more comes from here; answers still arrive.
    func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    func get(_ path: String) { send("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n") }

    /// Everything that has come so far.
    func text() -> String {
        drain()
        return received.withLock { String(decoding: $0.text, as: UTF8.self) }
    }

    /// Whether the other side has closed the connection.
    var isClosed: Bool {
        drain()
        return received.withLock { $0.isClosed }
    }

    private func drain() {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count > 0 {
                received.withLock { $0.text += buffer[..<count] }
            } else {
                let isEnd = count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)
                if isEnd { received.withLock { $0.isClosed = true } }
                return
            }
        }
    }
}
