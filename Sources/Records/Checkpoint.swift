import TimeSeries

/// A part of the state of something that a successor goes on with, such as one partition of the traffic analysis. Name, revision and part are its
/// key; only the newest revision of a name of which all parts are there counts.
package struct CheckpointPart: Sendable, Equatable {
    package var name: String
    package var time: Milliseconds
    package var revision: Revision
    package var part: Int
    package var parts: Int
    package var data: [UInt8]

    /// Largest data of one part, bytes.
    package static let maximumBytes = 192 * 1024

    package init(name: String, time: Milliseconds, revision: Revision, part: Int, parts: Int, data: [UInt8]) {
        self.name = name
        self.time = time
        self.revision = revision
        self.part = part
        self.parts = parts
        self.data = data
    }

    /// A state cut into parts. An empty state is one empty part.
    package static func cut(_ state: [UInt8], name: String, time: Milliseconds, revision: Revision) -> [CheckpointPart] {
        let parts = max(1, (state.count + maximumBytes - 1) / maximumBytes)
        return (0..<parts).map { part in
            let range = (part * maximumBytes)..<min(state.count, (part + 1) * maximumBytes)
            return CheckpointPart(name: name, time: time, revision: revision, part: part, parts: parts, data: Array(state[range]))
        }
    }
}

/// The newest whole state of a name.
package struct Checkpoint: Sendable, Equatable {
    package var name: String
    package var time: Milliseconds
    package var revision: Revision
    package var data: [UInt8]

    package init(name: String, time: Milliseconds, revision: Revision, data: [UInt8]) {
        self.name = name
        self.time = time
        self.revision = revision
        self.data = data
    }
}
