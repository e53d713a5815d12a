import Foundation
import Glibc
import Synchronization
import TestSupport

/// A webhook on a port of loopback that answers as told and keeps what it was sent.
final class Webhook: Sendable {
    private struct State {
        var status = 200
        var bodies: [String] = []
        var heads: [String] = []
    }

    let port: Int
    private let listener: Int32
    private let state = Mutex(State())

    init(status: Int = 200) {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        listener = fd
        var address = loopback(port: 0)
        _ = withSockaddr(&address) { bind(fd, $0, $1) }
        port = boundPort(fd)
        listen(fd, 16)
        state.withLock { $0.status = status }
        Thread.detachNewThread { [self] in
            while true {
                let client = accept(fd, nil, nil)
                if client < 0 { return }
                answer(client)
                close(client)
            }
        }
    }

    var url: String { "http://127.0.0.1:\(port)/hook" }
    /// Of the requests that were answered, in order.
    var bodies: [String] { state.withLock { $0.bodies } }
    var heads: [String] { state.withLock { $0.heads } }
    func answer(with status: Int) { state.withLock { $0.status = status } }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private func answer(_ client: Int32) {
        var patience = timeval(tv_sec: 2, tv_usec: 0)
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var body: (start: Int, length: Int)?
        while body.map({ bytes.count < $0.start + $0.length }) ?? true {
            let n = read(client, &buffer, buffer.count)
            if n <= 0 { return }
            bytes += buffer[..<n]
            if body == nil, let end = bytes.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound {
                let head = String(decoding: bytes[..<end], as: UTF8.self).lowercased()
                let length = head.split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
                body = (end, length.flatMap { Int($0.split(separator: " ")[1]) } ?? 0)
            }
        }
        guard let body else { return }
        let status = state.withLock { state in
            state.heads.append(String(decoding: bytes[..<body.start], as: UTF8.self))
            state.bodies.append(String(decoding: bytes[body.start...], as: UTF8.self))
            return state.status
        }
        let answer = Array("HTTP/1.1 \(status) X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".utf8)
        _ = answer.withUnsafeBytes { send(client, $0.baseAddress, answer.count, Int32(MSG_NOSIGNAL)) }
    }
}
