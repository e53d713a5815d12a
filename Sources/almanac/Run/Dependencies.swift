import Coordination
import HTTPKit
import Messaging
import ServiceLifecycle

/// Tells on `/-/ready` what a collector needs of others and has not: the log that takes its samples, the coordination that gives it targets.
/// The other roles tell what they wait for themselves, and work without coordination.
struct Dependencies: Sendable {
    let log: any MessageLog
    let topic: String
    let coordination: (any CoordinationService)?
    /// Of this process, among the members of the coordination.
    let name: String
    let readiness: Readiness

    /// Between two questions to a log that answers, and to one that does not.
    private static let pauses = (well: Duration.seconds(5), ill: Duration.milliseconds(500))

    /// Before the process answers for the first time.
    func start() {
        readiness.set("log", waitingFor: "starting")
        if coordination != nil { readiness.set("coordination", waitingFor: "starting") }
    }

    /// Until the task is cancelled.
    func watch() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await watchLog() }
            if let coordination { group.addTask { await watchCoordination(coordination) } }
        }
    }

    private func watchLog() async {
        while !Task.isCancelled {
            var pause = Dependencies.pauses.well
            do {
                _ = try await log.endOffsets(topic: topic)
                readiness.set("log", waitingFor: nil)
            } catch {
                readiness.set("log", waitingFor: "the topic \(topic): \(error)")
                pause = Dependencies.pauses.ill
            }
            try? await Task.sleep(for: pause)
        }
    }

    private func watchCoordination(_ service: any CoordinationService) async {
        let events = service.events()
        tell(service.status)
        for await _ in events { tell(service.status) }
        // Closed before the process ends.
        while !Task.isCancelled { try? await Task.sleep(for: .seconds(3600)) }
    }

    private func tell(_ status: CoordinationStatus) {
        let reason: String? =
            if status.connection != .connected {
                "ZooKeeper: \(status.connection)"
            } else if !status.holdsLease {
                "ZooKeeper has not been heard for too long"
            } else if !status.members.contains(name) {
                "a place among the collectors"
            } else {
                nil
            }
        readiness.set("coordination", waitingFor: reason)
    }
}
