import Synchronization

/// How far a job is: counted by the workers, shown by whoever started it.
package final class BackfillProgress: Sendable {
    package struct Snapshot: Sendable, Equatable {
        /// What is being done, where it is not yet parts: "reading rows".
        package var stage: String?
        /// Of the stage, in 0...1.
        package var stageShare = 0.0
        package var parts = 0
        package var doneParts = 0
        /// Sizes of the parts, all and done, and those done before this start.
        package var size = 0
        package var doneSize = 0
        package var sizeBefore = 0
        package var samples = 0

        package init() {}
    }

    private let samples = Atomic<Int>(0)
    private let state = Mutex(Snapshot())

    package init() {}

    package var snapshot: Snapshot {
        var snapshot = state.withLock { $0 }
        snapshot.samples = samples.load(ordering: .relaxed)
        return snapshot
    }

    package func add(samples count: Int) { samples.add(count, ordering: .relaxed) }

    package func set(stage: String?, share: Double = 0) {
        state.withLock {
            $0.stage = stage
            $0.stageShare = share
        }
    }

    /// The parts are known; some may be done since an earlier start.
    package func begin(sizes: [Int], done: Set<Int>) {
        state.withLock {
            $0.stage = nil
            $0.parts = sizes.count
            $0.size = sizes.reduce(0, +)
            $0.doneParts = done.count
            $0.sizeBefore = done.reduce(0) { $0 + (sizes.indices.contains($1) ? sizes[$1] : 0) }
            $0.doneSize = $0.sizeBefore
        }
    }

    package func finishPart(size: Int) {
        state.withLock {
            $0.doneParts += 1
            $0.doneSize += size
        }
    }
}

extension BackfillProgress.Snapshot {
    /// `12/64 parts, 3.1 M samples, 4.2 M samples/s, 18 s left`; the bar before it where a width is given.
    package func text(elapsedSeconds: Double, barWidth: Int? = nil) -> String {
        let share =
            stage != nil ? stageShare : size > 0 ? Double(doneSize) / Double(size) : parts > 0 ? Double(doneParts) / Double(parts) : 0
        var text = ""
        if let barWidth {
            let filled = min(barWidth, max(0, Int((share * Double(barWidth)).rounded(.down))))
            text += "[" + String(repeating: "#", count: filled) + String(repeating: ".", count: barWidth - filled) + "] "
        }
        text += "\(Int((share * 100).rounded(.down)))%"
        if let stage { return "\(text) \(stage)" }
        text += " \(doneParts)/\(parts) parts, \(Self.scaled(Double(samples))) samples"
        if elapsedSeconds > 0 { text += ", \(Self.scaled(Double(samples) / elapsedSeconds)) samples/s" }
        let done = doneSize - sizeBefore
        if done > 0, elapsedSeconds > 0 {
            let left = Double(size - doneSize) * elapsedSeconds / Double(done)
            text += ", \(Self.duration(left)) left"
        }
        return text
    }

    private static func scaled(_ value: Double) -> String {
        func one(_ x: Double) -> String { "\((x * 10).rounded() / 10)" }
        switch value {
        case 1e9...: return one(value / 1e9) + " G"
        case 1e6...: return one(value / 1e6) + " M"
        case 1e4...: return one(value / 1e3) + " k"
        default: return "\(Int(value))"
        }
    }

    private static func duration(_ seconds: Double) -> String {
        let whole = Int(min(seconds.rounded(.up), 1e9))
        if whole >= 3600 { return "\(whole / 3600) h \(whole / 60 % 60) min" }
        return whole >= 60 ? "\(whole / 60) min \(whole % 60) s" : "\(whole) s"
    }
}
