import Foundation
import Glibc
import Synchronization
import TestSupport

/// An exporter that knows who scraped it when: each collector has its own user name. The page carries its own number.
final class Exporter: Sendable {
    struct Visit: Sendable {
        /// Milliseconds since 1970.
        var time: Int64
        var collector: String
    }

    static let gauges = 20

    let port: Int
    private let listener: Int32
    private let visits = Mutex<[Visit]>([])

    init() {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        listener = fd
        var address = loopback(port: 0)
        _ = withSockaddr(&address) { bind(fd, $0, $1) }
        port = boundPort(fd)
        listen(fd, 64)
        Thread.detachNewThread { [self] in
            while true {
                let client = accept(fd, nil, nil)
                if client < 0 { return }
                answer(client)
                close(client)
            }
        }
    }

    var all: [Visit] { visits.withLock { $0 } }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private func answer(_ client: Int32) {
        var patience = timeval(tv_sec: 1, tv_usec: 0)
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var buffer = [UInt8](repeating: 0, count: 8192)
        let length = read(client, &buffer, buffer.count)
        // Who is killed between connecting and asking has not scraped.
        if length <= 0 { return }
        let visit = Visit(time: Int64(Date().timeIntervalSince1970 * 1000), collector: Exporter.user(in: buffer.prefix(length)))
        let number = visits.withLock { visits in
            visits.append(visit)
            return visits.count
        }
        let body = Exporter.page(number)
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n"
        let bytes = Array((head + body).utf8)
        _ = bytes.withUnsafeBytes { send(client, $0.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) }
    }

    private static func page(_ n: Int) -> String {
        var page = "# TYPE page_number gauge\npage_number \(n)\n# TYPE pages_total counter\npages_total \(n)\n# TYPE gauge_value gauge\n"
        for i in 0..<gauges { page += "gauge_value{i=\"\(i)\"} \(Double((n * 7919 + i * 104_729) % 10_007) / 100)\n" }
        return page
    }

    private static func user(in request: ArraySlice<UInt8>) -> String {
        for line in String(decoding: request, as: UTF8.self).split(separator: "\r\n")
        where line.lowercased().hasPrefix("authorization: basic ") {
            let text = Data(base64Encoded: String(line.dropFirst(21))).map { String(decoding: $0, as: UTF8.self) } ?? ""
            return String(text.prefix { $0 != ":" })
        }
        return "?"
    }
}
