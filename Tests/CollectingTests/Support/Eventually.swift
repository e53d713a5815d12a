import Testing

/// Waits for a condition; records an issue that names it when it does not come true in time.
func eventually(
    _ what: String, within seconds: Double = 30, sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        // A breath between two looks, so that a wait does not take a core.
        try? await Task.sleep(for: .milliseconds(2))
    }
    Issue.record("did not come true within \(seconds) s: \(what)", sourceLocation: sourceLocation)
}

/// A small seeded generator (SplitMix64): the same seed gives the same test.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
