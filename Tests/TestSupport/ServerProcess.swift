import Foundation
import Glibc

/// A real server or tool that a test starts, stops and kills. Its output goes to a file, so that a failing test can show it.
package final class ServerProcess: @unchecked Sendable {
    private let process = Process()
    package let output: String

    /// - Parameters:
    ///   - output: the file that its output is appended to.
    ///   - directory: its working directory.
    package init(
        _ executable: String, _ arguments: [String], output: String, directory: String? = nil, environment: [String: String] = [:]
    ) throws {
        self.output = output
        if !FileManager.default.fileExists(atPath: output) { _ = FileManager.default.createFile(atPath: output, contents: nil) }
        guard let handle = FileHandle(forWritingAtPath: output) else { throw ToolFailure(description: "cannot write \(output)") }
        try handle.seekToEnd()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
    }

    package var isRunning: Bool { process.isRunning }
    package var pid: Int32 { process.processIdentifier }
    package var printed: String { (try? String(contentsOfFile: output, encoding: .utf8)) ?? "" }

    package func signal(_ signal: Int32) {
        if process.isRunning { Glibc.kill(process.processIdentifier, signal) }
    }

    /// Ends it and gives its exit code, or the negative signal that ended it.
    @discardableResult
    package func end(_ signal: Int32 = SIGKILL) -> Int32 {
        self.signal(signal)
        process.waitUntilExit()
        return process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
    }

    deinit { end() }

    package static func isInstalled(_ path: String) -> Bool { access(path, X_OK) == 0 }
}

package struct ToolFailure: Error, CustomStringConvertible {
    package var description: String
    package init(description: String) { self.description = description }
}

/// Runs a tool to its end and gives what it printed; throws with it unless the tool succeeds.
@discardableResult
package func runTool(_ executable: String, _ arguments: [String], environment: [String: String] = [:]) throws -> String {
    let folder = try TemporaryDirectory()
    let tool = try ServerProcess(executable, arguments, output: folder.file("output"), environment: environment)
    let code = tool.end(0)
    if code != 0 { throw ToolFailure(description: "\(executable) ended with \(code): \(tool.printed)") }
    return tool.printed
}
