import Testing

/// Waits for a condition; records an issue that names it when it does not come true in time.
package func eventually(
    _ what: String, within seconds: Double = 60, every pause: Duration = .milliseconds(2),
    sourceLocation: SourceLocation = #_sourceLocation, isolation: isolated (any Actor)? = #isolation, _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        // A breath between two looks, so that a wait does not take a core.
        try await Task.sleep(for: pause)
    }
    Issue.record("did not come true within \(seconds) s: \(what)", sourceLocation: sourceLocation)
}
