/// A part of the work, as a process of its own or together with others.
enum Role: String, Sendable, CaseIterable {
    case collect, analyze, store, serve

    /// Reads or writes the store.
    var needsStore: Bool { self != .collect }
}
