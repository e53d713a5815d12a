/// How long a client may take to send what it has begun.
package struct RequestDeadlines: Sendable {
    /// For a request's head, and for what is left of a connection after its last answer.
    package var head = Duration.seconds(10)
    /// For a body; every `bytesPerSecond` bytes that have come give it another second.
    package var body = Duration.seconds(30)
    package var bytesPerSecond = 10_000
    /// How the time of a body passes; a test need not wait for it.
    package var sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }

    package init() {}
}
