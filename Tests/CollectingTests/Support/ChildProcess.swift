import Foundation
import Glibc

/// A real server that a test starts and stops, with a temporary folder of its own.
final class ChildProcess: @unchecked Sendable {
    private let process = Process()
    let directory: String
    let output: String

    init(_ executable: String, _ arguments: [String], directory: String) throws {
        self.directory = directory
        output = directory + "/output.log"
        _ = FileManager.default.createFile(atPath: output, contents: nil)
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        let handle = FileHandle(forWritingAtPath: output)
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
    }

    var isRunning: Bool { process.isRunning }

    /// What it has printed, for a failing test's message.
    var printed: String { (try? String(contentsOfFile: output, encoding: .utf8)) ?? "" }

    func stop() {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
        try? FileManager.default.removeItem(atPath: directory)
    }

    deinit { stop() }

    static func isInstalled(_ path: String) -> Bool { access(path, X_OK) == 0 }

    static func temporaryDirectory() throws -> String {
        let path = NSTemporaryDirectory() + "/almanac-test-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    /// Runs a tool to its end; throws with what it printed unless it succeeds.
    static func runTool(_ executable: String, _ arguments: [String]) throws {
        let tool = Process()
        tool.executableURL = URL(fileURLWithPath: executable)
        tool.arguments = arguments
        let pipe = Pipe()
        tool.standardOutput = pipe
        tool.standardError = pipe
        try tool.run()
        let printed = pipe.fileHandleForReading.readDataToEndOfFile()
        tool.waitUntilExit()
        if tool.terminationStatus != 0 {
            throw ToolFailure(description: "\(executable) failed: \(String(decoding: printed, as: UTF8.self))")
        }
    }

    struct ToolFailure: Error, CustomStringConvertible { var description: String }
}

/// A port that was free a moment ago.
func freePort() -> Int {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    var address = loopback(port: 0)
    _ = withSockaddr(&address) { bind(listener, $0, $1) }
    return boundPort(listener)
}

func canConnect(_ port: Int) -> Bool {
    let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(client) }
    var address = loopback(port: port)
    return withSockaddr(&address) { connect(client, $0, $1) } == 0
}

func loopback(port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    return address
}

func withSockaddr<Result>(_ address: inout sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
}

func boundPort(_ fd: Int32) -> Int {
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(fd, $0, &length) }
    }
    return Int(in_port_t(bigEndian: address.sin_port))
}
