import Glibc
import Records
import Synchronization
import TimeSeries

/// What a job has done, in its state folder: `journal.jsonl`, a line of JSON each, synced before it counts. The first line names the job; then a
/// line for each part whose output is durable, and one for each stage that is complete. A line that a crash cut is dropped at the next start.
///
/// One process at a time: the folder is locked while it is open.
package final class Journal: Sendable {
    /// A part that is done.
    package struct Part: Sendable, Equatable {
        package var samples: Int
        package var lines: Int
        package var badRows: Int
        /// Samples left out because another value of the same time came before.
        package var conflicts: Int

        package init(samples: Int, lines: Int, badRows: Int = 0, conflicts: Int = 0) {
            self.samples = samples
            self.lines = lines
            self.badRows = badRows
            self.conflicts = conflicts
        }
    }

    private struct State {
        var file: OutputFile
        var parts: [Int: Part] = [:]
        var stages: [String: String] = [:]
    }

    private let directory: String
    private let lock: Int32
    private let state: Mutex<State>

    /// Opens the state folder of a job, or makes it.
    ///
    /// Throws `BackfillError`: `otherJob` where the folder belongs to another job, naming the difference; `unavailable` where it cannot be
    /// used or another process works in it.
    package static func open(directory: String, job: BackfillJob) throws(BackfillError) -> Journal {
        try FileSystem.makeDirectory(directory)
        let lock = try lockFile(directory)
        do throws(BackfillError) {
            return try Journal(directory: directory, job: job, lock: lock)
        } catch {
            close(lock)
            throw error
        }
    }

    private init(directory: String, job: BackfillJob, lock: Int32) throws(BackfillError) {
        self.directory = directory
        self.lock = lock
        let path = "\(directory)/journal.jsonl"
        let bytes = try FileSystem.read(path) ?? []
        // What stands behind the last line end was cut by a crash.
        let whole = (bytes.lastIndex(of: 0x0A) ?? -1) + 1
        let lines = bytes[..<whole].split(separator: 0x0A)
        if let first = lines.first {
            try Journal.check(first, job, directory)
            var state = State(file: try OutputFile(appendingTo: path, length: whole))
            for (i, line) in lines.enumerated().dropFirst() {
                guard Journal.take(line, &state) else {
                    throw BackfillError(.unavailable, "\(path) line \(i + 1) cannot be read; remove \(directory) to begin again")
                }
            }
            self.state = Mutex(state)
        } else {
            let file = try OutputFile(appendingTo: path, length: 0)
            try file.write(Journal.header(job))
            try file.sync()
            try FileSystem.sync(directory: directory)
            state = Mutex(State(file: file))
        }
    }

    deinit { close(lock) }

    private static func lockFile(_ directory: String) throws(BackfillError) -> Int32 {
        let path = "\(directory)/lock"
        let fd = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        if fd < 0 { throw FileSystem.failure("cannot be opened", path) }
        if flock(fd, LOCK_EX | LOCK_NB) != 0 {
            Glibc.close(fd)
            throw BackfillError(.unavailable, "another process works on the job in \(directory); wait for it, or give another --state")
        }
        return fd
    }

    private static func header(_ job: BackfillJob) -> [UInt8] {
        let members = job.identity.map { (key: $0.name, value: JSONValue.string($0.value)) }
        return JSONValue.object([("version", 1), ("job", .string(job.hash)), ("identity", .object(members))]).jsonBytes + [0x0A]
    }

    private static func check(_ line: some Sequence<UInt8>, _ job: BackfillJob, _ directory: String) throws(BackfillError) {
        guard let json = try? JSONValue(parsing: Array(line)), json["version"] == 1, let hash = json["job"]?.stringValue else {
            throw BackfillError(.unavailable, "\(directory)/journal.jsonl is no journal of this program; give another --state")
        }
        if hash == job.hash { return }
        let difference = job.identity.first { json["identity"]?[$0.name]?.stringValue != $0.value }
        var what = "the job in \(directory) is another"
        if let difference {
            what += ": its \(difference.name) is '\(json["identity"]?[difference.name]?.stringValue ?? "none")', not '\(difference.value)'"
        }
        throw BackfillError(.otherJob, "\(what); give another --state, or remove this folder to give that job up")
    }

    private static func take(_ line: some Sequence<UInt8>, _ state: inout State) -> Bool {
        guard let json = try? JSONValue(parsing: Array(line)) else { return false }
        if let part = json["part"]?.intValue, let samples = json["samples"]?.intValue, let lines = json["lines"]?.intValue {
            state.parts[part] = Part(
                samples: samples, lines: lines, badRows: json["badRows"]?.intValue ?? 0, conflicts: json["conflicts"]?.intValue ?? 0)
            return true
        }
        guard let stage = json["stage"]?.stringValue, let value = json["value"]?.stringValue else { return false }
        state.stages[stage] = value
        return true
    }

    /// The parts that are done.
    package var parts: [Int: Part] { state.withLock { $0.parts } }

    package func isDone(part: Int) -> Bool { state.withLock { $0.parts[part] != nil } }

    /// What was noted of a stage that is complete.
    package func stage(_ name: String) -> String? { state.withLock { $0.stages[name] } }

    /// The output of a part is durable. Durable itself on return.
    package func finish(part: Int, _ done: Part) throws {
        let line: JSONValue = [
            "part": JSONValue(part), "samples": JSONValue(done.samples), "lines": JSONValue(done.lines), "badRows": JSONValue(done.badRows),
            "conflicts": JSONValue(done.conflicts),
        ]
        try append(line) { $0.parts[part] = done }
    }

    /// Notes that a stage is complete, and something of it. Durable on return.
    package func finish(stage: String, value: String) throws {
        try append(["stage": .string(stage), "value": .string(value)]) { $0.stages[stage] = value }
    }

    private func append(_ line: JSONValue, _ change: (inout State) -> Void) throws {
        try state.withLock { state in
            try state.file.write(line.jsonBytes + [0x0A])
            try state.file.sync()
            change(&state)
        }
    }
}

extension BackfillJob {
    /// 32 hexadecimal digits that differ for different jobs.
    package var hash: String {
        var bytes: [UInt8] = []
        for (name, value) in identity { bytes += Array(name.utf8) + [0] + Array(value.utf8) + [0] }
        return Fingerprint(hashing: bytes).description
    }
}
