/// One forecaster of the horizon's maximum, minimum and mean that does not pass through a path.
package protocol BlockCandidate: Sendable {
    var name: String { get }

    /// The forecast of the statistics of the `horizon` values from `origin` on; reads only values before it.
    func forecast(_ values: [Double], origin: Int, horizon: Int) -> BlockStatistics
}

/// The statistics of the last blocks of the horizon's length, averaged over `blocks` of them: the next ten minutes are like the last.
///
/// The maximum of a mean path lies below the mean maximum; past blocks have the right one.
package struct RecentBlocks: BlockCandidate {
    package var name: String { blocks == 1 ? "last block" : "last \(blocks) blocks" }
    package let blocks: Int

    package init(blocks: Int) { self.blocks = max(blocks, 1) }

    package func forecast(_ values: [Double], origin: Int, horizon: Int) -> BlockStatistics {
        values.withUnsafeBufferPointer { x in
            guard let x = x.baseAddress, origin > 0 else { return BlockStatistics(max: 0, min: 0, avg: 0) }
            var total = BlockStatistics(max: 0, min: 0, avg: 0)
            var count = 0.0
            var end = origin
            for _ in 0..<blocks where end > 0 {
                let length = min(horizon, end)
                // A part of a block says too little once there is a whole one.
                if length < horizon, count > 0 { break }
                let block = BlockStatistics(x + (end - length), count: length)
                total.max += block.max
                total.min += block.min
                total.avg += block.avg
                count += 1
                end -= length
            }
            return BlockStatistics(max: total.max / count, min: total.min / count, avg: total.avg / count)
        }
    }
}
