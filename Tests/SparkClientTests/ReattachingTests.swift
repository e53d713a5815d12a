import SparkClient
import Testing

@Suite struct ReattachingTests {
    @Test func goesOnAfterTheLastResponse() {
        var state = Reattaching()
        #expect(state.step == .execute)
        state.received("a", completes: false)
        state.received("b", completes: false)
        let goesOn = state.failed(.passing)
        #expect(goesOn && state.failures == 1)
        #expect(state.step == .reattach(after: "b"))
        state.received("c", completes: false)
        #expect(state.failures == 0)
        state.ended()
        #expect(state.step == .reattach(after: "c"))
        state.received("d", completes: true)
        #expect(state.step == .done)
    }

    /// Whether a lost request arrived is not known: ask, and only if it did not, send it again.
    @Test func aLostRequestIsAskedForFirst() {
        var state = Reattaching()
        let asks = state.failed(.passing)
        #expect(asks && state.step == .reattach(after: nil))
        let sends = state.failed(.unknownOperation)
        #expect(sends)
        #expect(state.step == .execute)
    }

    /// What was taken must not come twice.
    @Test func aForgottenOperationIsNotRunTwice() {
        var state = Reattaching()
        state.received("a", completes: false)
        let endings: [Bool] = [Reattaching.Failure.unknownOperation, .final, .sessionLost].map { state.failed($0) }
        #expect(endings == [false, false, false])
    }

    @Test func pausesGrowToTheirBound() {
        let retries = SparkRetries(attempts: 6, initial: .milliseconds(50), multiplier: 4, longest: .seconds(3))
        let pauses = (1...6).map { retries.pause(after: $0, random: 1) }
        #expect(pauses == [.milliseconds(50), .milliseconds(200), .milliseconds(800), .seconds(3), .seconds(3), nil])
        #expect(retries.pause(after: 1, random: 0) == .milliseconds(25))
    }
}
