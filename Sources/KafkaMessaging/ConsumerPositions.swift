import CRdKafka
import Messaging

/// Where a consumer stands in each partition that it has.
struct ConsumerPositions {
    /// The next offset; negative while the library finds it.
    private(set) var next: [TopicPartition: Offset] = [:]
    /// Partitions of which nothing came since their position was set.
    private var isFresh: Set<TopicPartition> = []

    func holds(_ place: TopicPartition) -> Bool { next[place] != nil }

    mutating func begin(_ place: TopicPartition, at offset: Offset) {
        next[place] = offset
        isFresh.insert(place)
    }

    mutating func end(_ place: TopicPartition) {
        next[place] = nil
        isFresh.remove(place)
    }

    /// A record has come. Gives the offset that should have come if the log does not have it any more: retention removed it, or the
    /// topic was made anew. Later gaps are no news: compaction leaves them.
    mutating func advance(_ place: TopicPartition, to offset: Offset) -> Offset? {
        let expected = next[place] ?? Offset(RD_KAFKA_OFFSET_INVALID)
        next[place] = offset + 1
        let isFirst = isFresh.remove(place) != nil
        // A seek back makes records of before impossible: going back without one is a log that has lost its end.
        if expected < 0 || expected == offset { return nil }
        return isFirst || offset < expected ? expected : nil
    }
}
