import ArgumentParser
import Foundation
import Glibc

/// An error that is told in one line and ends the program with code 1.
struct Failure: Error, CustomStringConvertible {
    var description: String

    /// Control characters, which input may have brought along, would speak to the terminal; a line has an end somewhere.
    init(_ description: String) {
        let shown = description.unicodeScalars.prefix(4_000)
        self.description = String(
            String.UnicodeScalarView(shown.map { $0.properties.generalCategory == .control && $0 != "\n" ? "\u{FFFD}" : $0 }))
    }
}

/// Standard output and error.
enum Output {
    static var environment: [String: String] { ProcessInfo.processInfo.environment }

    static func line(_ text: String) { self.text(text + "\n") }

    /// Writes at once, past any buffer. A reader that has gone (`| head`) is no error.
    static func text(_ text: String) { write(text, to: STDOUT_FILENO) }

    static func error(_ text: String) { write(text + "\n", to: STDERR_FILENO) }

    private static func write(_ text: String, to fd: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
            if written < 0 && errno == EINTR { continue }
            if written <= 0 { return }
            rest = rest.dropFirst(written)
        }
    }
}
