/// The file operations that the log needs. Tests replace them by a device that forgets what was not synced.
/// Every call may block; none is made on Swift's cooperative threads. They throw `DeviceError`.
protocol LogDevice: Sendable {
    /// Creates the directory and those above it; no error where it exists.
    func createDirectory(_ path: String) throws
    /// Names in the directory, in no order.
    func list(_ path: String) throws -> [String]
    func open(_ path: String, _ mode: OpenMode) throws -> any LogFile
    func remove(_ path: String) throws
    /// Replaces `target` in one step.
    func rename(_ path: String, to target: String) throws
    /// Makes the directory's entries durable: creations, renames and removals before this call.
    func syncDirectory(_ path: String) throws
    /// Takes the lock that one process at a time can hold; given back when the result is released.
    func lock(_ path: String) throws -> any LogLock
}

enum OpenMode: Sendable {
    case read
    case readWrite
    /// A new, empty file; what was there is emptied.
    case create
}

/// An open file; closed when released.
protocol LogFile: AnyObject, Sendable {
    func size() throws -> Int64
    /// Writes all bytes or throws; after an error part of them may stand in the file.
    func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws
    /// Bytes read: fewer than asked for only at the end of the file.
    func read(into buffer: UnsafeMutableRawBufferPointer, at position: Int64) throws -> Int
    /// Returns when every write before it is durable.
    func sync() throws
    func truncate(to size: Int64) throws
}

extension LogFile {
    func write(_ bytes: [UInt8], at position: Int64) throws {
        try bytes.withUnsafeBytes { try write($0, at: position) }
    }

    func read(count: Int, at position: Int64) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = try read(into: UnsafeMutableRawBufferPointer(buffer), at: position)
        }
    }
}

protocol LogLock: AnyObject, Sendable {}

extension LogDevice {
    /// Writes a small file so that after a crash either the old or the new content is there.
    func replace(_ path: String, in directory: String, with bytes: [UInt8]) throws -> any LogFile {
        let temporary = path + ".tmp"
        let file = try open(temporary, .create)
        try file.write(bytes, at: 0)
        try file.sync()
        try rename(temporary, to: path)
        try syncDirectory(directory)
        return file
    }
}
