import Messaging

/// Waits for a consumer group to take all that a topic holds.
enum LogDrain {
    /// Returns when the group has committed the ends of all `topics`, when it stops coming nearer, or after `seconds`.
    static func wait(_ log: any MessageLog, topics: [String], group: String, seconds: Double) async {
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await wait(log, topics, group, seconds) }
            // A log that does not answer either.
            tasks.addTask { try? await Task.sleep(for: .seconds(seconds)) }
            await tasks.next()
            tasks.cancelAll()
        }
    }

    private static func wait(_ log: any MessageLog, _ topics: [String], _ group: String, _ seconds: Double) async {
        let clock = ContinuousClock()
        let deadline = clock.now + .seconds(seconds)
        while clock.now < deadline {
            guard let behind = try? await behind(log, topics, group), behind > 0 else { return }
            do { try await Task.sleep(for: .milliseconds(20)) } catch { return }
        }
    }

    private static func behind(_ log: any MessageLog, _ topics: [String], _ group: String) async throws -> Int64 {
        var sum: Int64 = 0
        for topic in topics {
            let committed = try await log.committedOffsets(topic: topic, group: group)
            for (partition, end) in try await log.endOffsets(topic: topic) { sum += max(0, end - (committed[partition] ?? 0)) }
        }
        return sum
    }
}
