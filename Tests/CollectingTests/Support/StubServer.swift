import Foundation
import Glibc
import Synchronization

/// A web server of a few lines whose answers a test decides byte by byte.
final class StubServer: Sendable {
    struct Request: Sendable {
        /// With the query.
        var path: String
        var head: String
        var body: String

        func header(_ name: String) -> String? {
            for line in head.split(separator: "\r\n") where line.lowercased().hasPrefix(name.lowercased() + ":") {
                return line.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces)
            }
            return nil
        }
    }

    enum Answer: Sendable {
        /// These bytes, then the connection is closed.
        case bytes([UInt8])
        /// Nothing, until the server stops.
        case hang
        /// The head, then this chunk again and again until the client goes away.
        case endless(head: String, chunk: [UInt8])
    }

    let port: Int
    private let listener: Int32
    private let stopped = Mutex(false)
    private let connections = Mutex<[Int32]>([])
    private let answer: @Sendable (Request) -> Answer

    init(_ answer: @escaping @Sendable (Request) -> Answer) {
        self.answer = answer
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopback(port: 0)
        _ = withSockaddr(&address) { bind(fd, $0, $1) }
        listen(fd, 64)
        listener = fd
        port = boundPort(fd)
        Thread.detachNewThread { [self] in acceptLoop() }
    }

    var url: String { "http://127.0.0.1:\(port)" }

    static func page(_ text: String, type: String = "text/plain; version=0.0.4", status: String = "200 OK", headers: String = "") -> Answer
    {
        page(Array(text.utf8), type: type, status: status, headers: headers)
    }

    static func page(_ body: [UInt8], type: String = "text/plain; version=0.0.4", status: String = "200 OK", headers: String = "") -> Answer
    {
        let head = "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nContent-Length: \(body.count)\r\nConnection: close\r\n\(headers)\r\n"
        return .bytes(Array(head.utf8) + body)
    }

    func stop() {
        stopped.withLock { $0 = true }
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        // Only shut down: whoever serves a connection closes it.
        for fd in connections.withLock({ $0 }) { shutdown(fd, Int32(SHUT_RDWR)) }
    }

    private func acceptLoop() {
        while !stopped.withLock({ $0 }) {
            let fd = accept(listener, nil, nil)
            if fd < 0 { return }
            connections.withLock { $0.append(fd) }
            Thread.detachNewThread { [self] in
                serve(fd)
                connections.withLock { $0.removeAll { $0 == fd } }
                close(fd)
            }
        }
    }

    private func serve(_ fd: Int32) {
        guard let request = readRequest(fd) else { return }
        switch answer(request) {
        case .bytes(let bytes): _ = send(bytes, fd)
        case .hang:
            var byte: UInt8 = 0
            _ = read(fd, &byte, 1)
        case .endless(let head, let chunk):
            if !send(Array(head.utf8), fd) { return }
            while !stopped.withLock({ $0 }), send(chunk, fd) {}
        }
    }

    private func readRequest(_ fd: Int32) -> Request? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let text = String(decoding: bytes, as: UTF8.self)
            if let end = text.range(of: "\r\n\r\n") {
                let head = String(text[..<end.lowerBound])
                let body = String(text[end.upperBound...])
                let path = head.split(separator: " ").dropFirst().first.map(String.init) ?? "/"
                let request = Request(path: path, head: head, body: body)
                if body.utf8.count >= Int(request.header("content-length") ?? "0") ?? 0 { return request }
            }
            let n = read(fd, &buffer, buffer.count)
            if n <= 0 { return nil }
            bytes += buffer[0..<n]
        }
    }

    private func send(_ bytes: [UInt8], _ fd: Int32) -> Bool {
        var at = 0
        while at < bytes.count {
            let n = bytes.withUnsafeBytes { Glibc.send(fd, $0.baseAddress.map { $0 + at }, bytes.count - at, Int32(MSG_NOSIGNAL)) }
            if n <= 0 { return false }
            at += n
        }
        return true
    }
}

/// `bytes` through the system's gzip.
func gzipped(_ bytes: [UInt8]) throws -> [UInt8] {
    let directory = try ChildProcess.temporaryDirectory()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let path = directory + "/page"
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    try ChildProcess.runTool("/usr/bin/gzip", [path])
    return [UInt8](try Data(contentsOf: URL(fileURLWithPath: path + ".gz")))
}
