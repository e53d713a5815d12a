import Foundation
import Glibc
import Synchronization

/// A little exporter: answers every request with the page that a closure gives.
final class PageServer: Sendable {
    let port: Int
    private let listener: Int32
    private let isClosed = Atomic<Bool>(false)

    init(page: @escaping @Sendable () -> String) {
        port = freePort()
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        listener = fd
        var yes: Int32 = 1
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = bind(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        listen(fd, 64)
        Thread.detachNewThread { [self] in
            while !isClosed.load(ordering: .relaxed) {
                let client = accept(fd, nil, nil)
                if client < 0 { return }
                PageServer.answer(client, page())
            }
        }
    }

    private static func answer(_ client: Int32, _ page: String) {
        var buffer = [UInt8](repeating: 0, count: 8192)
        _ = read(client, &buffer, buffer.count)
        let body = Array(page.utf8)
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: \(body.count)\r\nConnection: close\r\n\r\n"
        let bytes = Array(head.utf8) + body
        var sent = 0
        while sent < bytes.count {
            let n = bytes.withUnsafeBytes { send(client, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL)) }
            if n <= 0 { break }
            sent += n
        }
        close(client)
    }

    func stop() {
        isClosed.store(true, ordering: .relaxed)
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }
}
