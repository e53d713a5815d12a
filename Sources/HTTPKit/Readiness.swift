import Synchronization

/// What the process still waits for. Parts report under a name; the process is ready when none waits.
package final class Readiness: Sendable {
    private let waiting: Mutex<[String: String]>

    /// `parts` wait from the beginning, so that the process is not ready before they have reported once.
    package init(waitingFor parts: [String] = []) {
        waiting = Mutex(Dictionary(parts.map { ($0, "starting") }, uniquingKeysWith: { a, _ in a }))
    }

    /// nil means the part is ready; a text says what it waits for.
    package func set(_ part: String, waitingFor reason: String?) {
        waiting.withLock { $0[part] = reason }
    }

    /// The parts that wait, by name, each with its reason. Empty when ready.
    package var waitingParts: [(part: String, reason: String)] {
        waiting.withLock { $0 }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    package var isReady: Bool { waiting.withLock { $0.isEmpty } }
}
