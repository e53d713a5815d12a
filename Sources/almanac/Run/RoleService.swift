import ServiceLifecycle

/// A role as a service: it ends by cancellation, after `beforeEnd` has let it finish what it has.
struct RoleService: Service {
    var name: String
    /// Works until its task is cancelled.
    var work: @Sendable () async throws -> Void
    /// Called at a graceful shutdown, before the cancellation; bounded by itself.
    var beforeEnd: @Sendable () async -> Void = {}

    func run() async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                do { try await work() } catch is CancellationError {}
                return true
            }
            group.addTask {
                do { try await gracefulShutdown() } catch { return false }
                await beforeEnd()
                return false
            }
            // The shutdown ends the work, and the end of the work (by an error, say) the waiting.
            _ = try await group.next()
            group.cancelAll()
            while try await group.next() != nil {}
        }
    }
}

extension RoleService: CustomStringConvertible {
    var description: String { name }
}
