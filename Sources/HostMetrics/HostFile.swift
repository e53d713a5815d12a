import Glibc

/// A file of the kernel that is missing or says something unexpected. One such file disables one collector.
package struct HostFileError: Error, Equatable, CustomStringConvertible {
    package let path: String
    /// Counted from 1; nil when the file as a whole is the trouble.
    package let line: Int?
    package let reason: String

    package var description: String { line.map { "\(path):\($0): \(reason)" } ?? "\(path): \(reason)" }
}

/// What a parser says; it knows the line but not the file.
struct ParseFailure: Error, Equatable {
    let line: Int?
    let reason: String
}

/// More than any file this module reads has on the largest machines (`/proc/stat` lists every interrupt line).
private let largestFile = 16 << 20

/// The whole file. The files of `/proc` say size 0, so it is read to its end.
func readHostFile(_ path: String) throws(HostFileError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw HostFileError(path: path, line: nil, reason: errnoText(errno)) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var room = 16 << 10
    var failure: Int32 = 0
    var atEnd = false
    while !atEnd && failure == 0 && bytes.count < largestFile {
        let chunk = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            let got = read(descriptor, buffer.baseAddress, room)
            count = max(got, 0)
            if got == 0 { atEnd = true }
            if got < 0 && errno != EINTR { failure = errno }
        }
        if bytes.isEmpty { bytes = chunk } else { bytes += chunk }
        room = min(max(room, bytes.count), 1 << 20)
    }
    if failure != 0 { throw HostFileError(path: path, line: nil, reason: errnoText(failure)) }
    guard atEnd else { throw HostFileError(path: path, line: nil, reason: "larger than \(largestFile) bytes") }
    return bytes
}

/// Reads and parses, and puts the path into the parser's error.
func parseHostFile<Parsed>(
    _ path: String, _ parse: ([UInt8]) throws(ParseFailure) -> Parsed
) throws(HostFileError) -> Parsed {
    let bytes = try readHostFile(path)
    do {
        return try parse(bytes)
    } catch {
        throw HostFileError(path: path, line: error.line, reason: error.reason)
    }
}

func errnoText(_ code: Int32) -> String {
    guard let text = strerror(code) else { return "error \(code)" }
    return String(cString: text)
}
