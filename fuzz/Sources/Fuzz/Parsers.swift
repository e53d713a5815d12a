import Exposition
import Flows
import Records
import TimeSeries
import Traffic

/// What reads bytes from outside.
enum Parser: String, CaseIterable {
    case prometheus, openmetrics, series, json, samples, results, trafficdata, chunks, chunk, models, checkpoint, event, events, partition,
        merge, partial
    case flowJSON, flowCSV, joinCSV

    func parse(_ bytes: [UInt8]) {
        switch self {
        case .prometheus: checkPage(bytes, .prometheusText)
        case .openmetrics: checkPage(bytes, .openMetrics)
        case .series: _ = try? parseSeries(bytes)
        case .json: checkJSON(bytes)
        case .samples: _ = bytes.withUnsafeBytes { try? SamplesRecord(decoding: $0) }
        case .results: checkResults(bytes)
        case .trafficdata: checkTraffic(bytes)
        case .chunks: checkAgain(bytes, ChunksRecord.decode) { ChunksRecord.encode($0) }
        case .chunk: checkChunk(bytes)
        case .models: _ = try? ModelStatesRecord.decode(bytes)
        case .checkpoint: _ = try? CheckpointRecord.decode(bytes)
        case .event: checkEvent(bytes)
        case .events: checkEvents(bytes)
        case .partition: _ = try? TrafficPartition(options: TrafficOptions(), source: 0, epoch: 1, checkpoint: bytes)
        case .merge: _ = try? TrafficMerge(options: TrafficOptions(), sources: 2, epoch: 1, checkpoint: bytes)
        case .partial: checkPartial(bytes)
        case .flowJSON: checkFlow(bytes, .json)
        case .flowCSV: checkFlow(bytes, .csv(separator: UInt8(ascii: ","), columns: []))
        case .joinCSV: _ = try? JoinTable(csv: bytes, key: "key")
        }
    }
}

private func checkPage(_ bytes: [UInt8], _ format: ExpositionFormat) {
    var parser = ExpositionParser(format: format)
    var rows = ParsedPage()
    guard (try? parser.parse(bytes, into: &rows)) != nil else { return }
    for row in 0..<rows.count { require((try? parseSeries(bytes[rows.seriesRange(row)])) != nil, "a row's series cannot be read") }
}

private func checkJSON(_ bytes: [UInt8]) {
    guard let value = try? JSONValue(parsing: bytes) else { return }
    require((try? JSONValue(parsing: value.jsonBytes))?.jsonBytes == value.jsonBytes, "JSON that is written is read otherwise")
}

/// What was read is written, read and written again: the same bytes.
private func checkAgain<Value>(_ bytes: [UInt8], _ decode: ([UInt8]) throws -> Value, _ encode: (Value) -> [[UInt8]]) {
    guard let value = try? decode(bytes) else { return }
    let written = encode(value)
    for part in written {
        guard let read = try? decode(part) else { return require(false, "what was written cannot be read") }
        require(encode(read) == [part], "what was written is read otherwise")
    }
}

private func checkResults(_ bytes: [UInt8]) {
    guard let shard = (try? JSONValue(parsing: bytes))?["shard"]?.int64Value, 0..<1024 ~= shard else { return }
    checkAgain(bytes, ResultRecord.decode) { $0.encode(shard: Shard(UInt16(shard))) }
}

private func checkTraffic(_ bytes: [UInt8]) { checkAgain(bytes, TrafficRecord.decode) { $0.encode().map(\.value) } }

private func checkChunk(_ bytes: [UInt8]) {
    guard let (times, values) = try? ChunkCodec.decode(bytes), times.count < 10_000 else { return }
    let written = ChunkCodec.encode(times: times, values: values)
    guard let read = try? ChunkCodec.decode(written) else { return require(false, "a chunk that was written cannot be read") }
    require(read.times == times && read.values.map(\.bitPattern) == values.map(\.bitPattern), "a chunk that was written is read otherwise")
}

private func checkEvent(_ bytes: [UInt8]) {
    var options = TrafficOptions()
    options.zone = "Europe/Rome"
    var partition = TrafficPartition(options: options, source: 0, epoch: 1)
    let outcome = bytes.withUnsafeBytes { partition.ingest($0, offset: 0, now: 1_800_000_000_000) }
    guard case .accepted = outcome else { return }
    _ = partition.advance(now: 1_800_000_020_000)
    let state = partition.checkpoint()
    guard let restored = try? TrafficPartition(options: options, source: 0, epoch: 2, checkpoint: state) else {
        return require(false, "the state after an event cannot be read")
    }
    require(restored.vehicleCount == partition.vehicleCount, "the state after an event is read otherwise")
}

private func checkEvents(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { raw in
        guard let ranges = try? EventDecoder.split(raw) else { return }
        var decoder = EventDecoder(zone: "UTC")
        for range in ranges { _ = try? decoder.decode(UnsafeRawBufferPointer(rebasing: raw[range])) }
    }
}

private func checkPartial(_ bytes: [UInt8]) {
    var merge = TrafficMerge(options: TrafficOptions(), sources: 2, epoch: 1)
    guard (try? merge.ingest(bytes, offset: 0)) != nil else { return }
    _ = merge.advance(now: 1_800_000_000_000, force: true)
    let state = merge.checkpoint()
    require(
        (try? TrafficMerge(options: TrafficOptions(), sources: 2, epoch: 2, checkpoint: state)) != nil, "the merge's state cannot be read")
}

private func checkFlow(_ bytes: [UInt8], _ format: FlowDefinition.Format) {
    var definition = FlowDefinition(name: "fuzz", source: .http, values: [.init(metric: "value", field: "value")])
    definition.format = format
    definition.time = FlowTime(field: "time")
    definition.labels = [.init(name: "place", text: .field("place"))]
    guard var mapper = try? FlowMapper(definition) else { return require(false, "the flow is refused") }
    _ = mapper.mapBody(bytes, arrival: 1_800_000_000_000)
}
