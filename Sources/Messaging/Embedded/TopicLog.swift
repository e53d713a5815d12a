import Logging
import Telemetry
import TimeSeries

/// One topic: a directory with a `meta` file and a directory for each partition.
final class TopicLog: Sendable {
    private static let format = 1

    let name: String
    let partitions: [PartitionLog]
    let metrics: TopicMetrics

    private init(name: String, partitions: [PartitionLog], metrics: TopicMetrics) {
        self.name = name
        self.partitions = partitions
        self.metrics = metrics
    }

    /// Opens the topic, or makes it if there is none. Throws `.usage` if it was made with another number of partitions.
    static func open(
        _ name: String, wanted: Int, in directory: String, options: EmbeddedLogOptions, device: any LogDevice, metrics: LogMetrics,
        logger: Logger, committed: (TopicPartition) -> Offset?
    ) throws -> TopicLog {
        try check(name: name)
        let path = directory + "/" + name
        try device.createDirectory(path)
        if let count = try partitionCount(path, device) {
            guard count == wanted else { throw otherCount(name, path, count, wanted) }
        } else {
            // The file meta comes last: where it stands, the partitions' directories are durable.
            for p in 0..<wanted { try device.createDirectory("\(path)/\(p)") }
            try device.syncDirectory(path)
            _ = try device.replace(path + "/meta", in: path, with: Array("format \(format)\npartitions \(wanted)\n".utf8))
            try device.syncDirectory(directory)
        }
        let topicMetrics = TopicMetrics(metrics.registry, topic: name)
        let partitions = try (0..<wanted).map { p in
            let place = TopicPartition(name, Int32(p))
            let setup = PartitionSetup(
                place: place, directory: "\(path)/\(p)", device: device, segmentBytes: options.segmentBytes, metrics: topicMetrics,
                logMetrics: metrics, logger: logger)
            return try PartitionLog.open(setup, minimumNextOffset: committed(place) ?? 0)
        }
        return TopicLog(name: name, partitions: partitions, metrics: topicMetrics)
    }

    /// As in Kafka: letters, digits, `.`, `_`, `-`, at most 249. The name becomes that of a directory.
    static func check(name: String) throws {
        let allowed = name.utf8.allSatisfy {
            (0x61...0x7a).contains($0) || (0x41...0x5a).contains($0) || (0x30...0x39).contains($0) || [0x2e, 0x5f, 0x2d].contains($0)
        }
        guard allowed, (1...249).contains(name.utf8.count), name != ".", name != ".." else {
            throw MessagingError(
                .usage, "\"\(name)\" cannot be the name of a topic: 1 to 249 letters, digits, dots, underscores or hyphens are needed")
        }
    }

    private static func partitionCount(_ path: String, _ device: any LogDevice) throws -> Int? {
        guard try device.list(path).contains("meta") else {
            for entry in try device.list(path) where entry.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
                guard try device.list(path + "/" + entry).isEmpty else {
                    throw MessagingError(
                        .corrupt,
                        "\(path) holds records but no file meta. Write it back with the two lines "
                            + "\"format 1\" and \"partitions N\", N being the number of numbered directories, or move the directory away.")
                }
            }
            return nil
        }
        let file = try device.open(path + "/meta", .read)
        let text = String(decoding: try file.read(count: 256, at: 0), as: UTF8.self)
        var values: [Substring: Int] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, let number = Int(words[1]) { values[words[0]] = number }
        }
        guard let found = values["format"], let count = values["partitions"], count > 0 else {
            throw MessagingError(.corrupt, "\(path)/meta cannot be read: it needs the lines \"format 1\" and \"partitions N\"")
        }
        guard found == format else {
            throw MessagingError(
                .corrupt, "\(path)/meta has format \(found), this version of almanac reads \(format). Start the newer one.")
        }
        return count
    }

    private static func otherCount(_ name: String, _ path: String, _ count: Int, _ wanted: Int) -> MessagingError {
        MessagingError(
            .usage,
            "topic \(name) was made with \(count) partitions and the configuration asks for \(wanted). The number is fixed when a topic "
                + "is made, because records and committed offsets belong to a partition. Set it back to \(count); or migrate: configure a "
                + "new topic name with \(wanted) partitions and let the consumers finish \(name) first; or, if its records are no longer "
                + "needed, stop almanac and move \(path) away.")
    }
}
