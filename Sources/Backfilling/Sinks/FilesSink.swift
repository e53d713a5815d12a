import Glibc
import TimeSeries

/// One file a part, `part-00000.tsv`, in a folder: written beside under a temporary name, synced, renamed.
package struct FilesSink: HistorySink {
    private let directory: String

    /// Makes the folder if it is missing. Throws `BackfillError` if it cannot be made.
    package init(directory: String) throws(BackfillError) {
        self.directory = directory
        try FileSystem.makeDirectory(directory)
    }

    package static func name(ofPart part: Int) -> String {
        let digits = "\(part)"
        return "part-" + String(repeating: "0", count: max(0, 5 - digits.utf8.count)) + digits + ".tsv"
    }

    package func open(part: Int) async throws -> any HistoryPartSink {
        try FilePartSink(directory: directory, name: FilesSink.name(ofPart: part))
    }

    package func check(done parts: Set<Int>) async throws {
        for part in parts.sorted() where access("\(directory)/\(FilesSink.name(ofPart: part))", F_OK) != 0 {
            throw BackfillError(
                .otherJob,
                "\(directory)/\(FilesSink.name(ofPart: part)) is gone, and the job's journal has it as done; remove the state folder to begin again"
            )
        }
    }

    package func finish() async throws {}
    package func close() async {}
}

private final class FilePartSink: HistoryPartSink {
    private let directory: String
    private let path: String
    private var temporary: String { path + ".tmp" }
    private var file: OutputFile?

    init(directory: String, name: String) throws {
        self.directory = directory
        path = "\(directory)/\(name)"
        file = try OutputFile(creating: path + ".tmp")
    }

    func append(_ lines: [UInt8], types: [Fingerprint: MetricType]) async throws { try file?.write(lines) }

    func commit() async throws {
        try file?.sync()
        file = nil
        try FileSystem.rename(temporary, to: path, in: directory)
    }

    func discard() async {
        file = nil
        unlink(temporary)
    }
}
