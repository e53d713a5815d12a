import Foundation
import FoundationNetworking
import Glibc
import Testing

/// The built program, beside the test bundle.
enum Program {
    static let path = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent("almanac").path

    /// Runs to the end; gives what it printed and its exit code.
    static func run(_ arguments: [String], input: String? = nil, environment: [String: String] = [:]) throws -> (
        output: String, error: String, code: Int32
    ) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let folder = try TemporaryFolder()
        let out = try folder.file("out")
        let err = try folder.file("err")
        process.standardOutput = out
        process.standardError = err
        if let input {
            let file = folder.path + "/in"
            try input.write(toFile: file, atomically: true, encoding: .utf8)
            process.standardInput = FileHandle(forReadingAtPath: file)
        } else {
            process.standardInput = FileHandle.nullDevice
        }
        try process.run()
        process.waitUntilExit()
        return (folder.read("out"), folder.read("err"), process.terminationStatus)
    }
}

/// A folder that goes with the object.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/almanac-end-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) throws -> FileHandle {
        _ = FileManager.default.createFile(atPath: path + "/" + name, contents: nil)
        return try #require(FileHandle(forWritingAtPath: path + "/" + name))
    }

    func read(_ name: String) -> String { (try? String(contentsOfFile: path + "/" + name, encoding: .utf8)) ?? "" }
}

/// A server process that a test starts, ends and kills.
final class Server: @unchecked Sendable {
    private let process = Process()
    let output: String

    init(_ executable: String, _ arguments: [String], output: String, environment: [String: String] = [:]) throws {
        self.output = output
        if !FileManager.default.fileExists(atPath: output) { _ = FileManager.default.createFile(atPath: output, contents: nil) }
        let handle = try #require(FileHandle(forWritingAtPath: output))
        try handle.seekToEnd()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
    }

    var isRunning: Bool { process.isRunning }
    var pid: Int32 { process.processIdentifier }
    var printed: String { (try? String(contentsOfFile: output, encoding: .utf8)) ?? "" }

    func kill(_ signal: Int32 = SIGKILL) {
        if process.isRunning { Glibc.kill(process.processIdentifier, signal) }
    }

    /// Ends it and gives its exit code.
    func end(_ signal: Int32) -> Int32 {
        kill(signal)
        process.waitUntilExit()
        return process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
    }

    deinit {
        kill()
        process.waitUntilExit()
    }
}

/// A port that was free a moment ago.
func freePort() -> Int {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            _ = bind(listener, $0, length)
            _ = getsockname(listener, $0, &length)
        }
    }
    return Int(in_port_t(bigEndian: address.sin_port))
}

/// An HTTP answer; code 0 where nothing answered.
struct Answer {
    var code = 0
    var body = Data()
    var headers: [AnyHashable: Any] = [:]
    var text: String { String(decoding: body, as: UTF8.self) }
    var object: [String: Any] { (try? JSONSerialization.jsonObject(with: body)) as? [String: Any] ?? [:] }
}

func get(_ url: String, accept: String? = nil) async -> Answer {
    guard let address = URL(string: url) else { return Answer() }
    var request = URLRequest(url: address, timeoutInterval: 10)
    if let accept { request.setValue(accept, forHTTPHeaderField: "Accept") }
    guard let (body, response) = try? await URLSession.shared.data(for: request), let http = response as? HTTPURLResponse else {
        return Answer()
    }
    return Answer(code: http.statusCode, body: body, headers: http.allHeaderFields)
}
