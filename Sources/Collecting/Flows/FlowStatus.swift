/// The state of a flow or a join as people ask for it.
package struct FlowStatus: Sendable, Equatable {
    package var name: String
    /// nil: at work. Else what it waits for, or why it stopped.
    package var problem: String?
    /// A file was read to its end, and is not followed.
    package var isFinished = false
}
