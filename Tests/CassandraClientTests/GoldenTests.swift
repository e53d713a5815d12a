import NIOCore
import TestSupport
import Testing

@testable import CassandraClient

/// Bytes as PyPI's cassandra-driver makes and reads them; scripts/cassandra-golden.py writes the files.
@Suite struct GoldenTests {
    static let requests: [(String, Request)] = {
        let id = (0..<16).map { UInt8($0) }
        let metadata = (16..<32).map { UInt8($0) }
        let values = BoundValues([.bigint(7), .text("größe"), .null, .text(""), .double(1.5)])
        var plain = QueryParameters()
        plain.consistency = .one
        var paged = plain
        paged.consistency = .localQuorum
        paged.pageSize = 500
        paged.pagingState = [1, 2, 3]
        paged.timestamp = 42
        var execute = plain
        execute.values = values
        execute.timestamp = 99
        var page = plain
        page.values = [.bigint(7)]
        page.serialConsistency = .serial
        page.pageSize = 10
        page.pagingState = [255, 255, 255, 255]
        let items = [
            BatchItem(statement: .prepared(id), values: [.bigint(7), .text("größe")]),
            BatchItem(statement: .text("DELETE FROM t"), values: []),
        ]
        return [
            ("options", .options), ("startup", .startup([("CQL_VERSION", "3.0.0")])),
            ("auth", .authResponse(Credentials(user: "almanac", password: "secret").token)),
            ("register", .register(["TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE"])),
            ("query", .query("SELECT release_version FROM system.local", plain)), ("paged", .query("SELECT * FROM t", paged)),
            ("prepare", .prepare("SELECT a FROM k.t WHERE b = ?")), ("execute", .execute(id: id, metadataID: metadata, execute)),
            ("executed page", .execute(id: id, metadataID: metadata, page)),
            ("batch", .batch(.unlogged, items, BatchParameters(consistency: .localQuorum, timestamp: 1_234_567_890_123))),
            (
                "serial batch",
                .batch(
                    .logged, [BatchItem(statement: .prepared(id), values: [])],
                    BatchParameters(consistency: .one, serialConsistency: .localSerial))
            ),
        ]
    }()

    @Test(arguments: ProtocolVersion.allCases) func requests(_ version: ProtocolVersion) throws {
        let golden = Golden.load("requests").filter { $0.name.hasPrefix("v\(version.rawValue) ") }
        #expect(golden.count == Self.requests.count)
        for (stream, (name, request)) in Self.requests.enumerated() {
            let expected = try #require(golden.first { $0.name == "v\(version.rawValue) \(name)" })
            var out = ByteBuffer()
            try request.write(into: &out, version, stream: Int16(stream))
            #expect(hexText(out) == expected.hex, "\(expected.name)")
        }
    }

    static let values: [(String, CQLType, CQLValue)] = [
        ("ascii", .ascii, .text("plain")), ("text", .text, .text("Größe 🚚")), ("text empty", .text, .text("")),
        ("int", .int, .int(-123_456)), ("bigint", .bigint, .bigint(.min)), ("bigint max", .bigint, .bigint(.max)),
        ("smallint", .smallint, .smallint(-300)), ("tinyint", .tinyint, .tinyint(-7)), ("double", .double, .double(-0.1)),
        ("float", .float, .float(0.5)), ("boolean", .boolean, .boolean(true)), ("blob", .blob, .blob((0...255).map { UInt8($0) })),
        ("timestamp", .timestamp, .timestamp(1_785_585_600_123)),
        ("uuid", .uuid, .uuid(CQLUUID("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0") ?? CQLUUID(high: 0, low: 0))),
        ("inet 4", .inet, .inet(IPAddress([127, 0, 0, 1]) ?? loopback)),
        ("inet 6", .inet, .inet(IPAddress([0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]) ?? loopback)),
        ("list int", .list(.int), .list([.int(1), .int(-2), .int(3)])), ("list empty", .list(.int), .list([])),
        ("set text", .set(.text), .set([.text("a"), .text("bc")])),
        (
            "map text bigint", .map(.text, .bigint),
            .map([CQLValue.Entry(.text("k"), .bigint(5)), CQLValue.Entry(.text(""), .bigint(-1))])
        ),
        ("list list int", .list(.list(.int)), .list([.list([.int(1)]), .list([]), .list([.int(2), .int(3)])])),
        ("tuple int text", .tuple([.int, .text]), .tuple([.int(4), .null])), ("date", .date, .date(0)),
        ("date before", .date, .date(-719_162)), ("date after", .date, .date(20_000)),
    ]
    private static let loopback = IPAddress([0, 0, 0, 0]) ?? { preconditionFailure("four bytes are an address") }()

    @Test func valuesBothWays() throws {
        let golden = Golden.load("values")
        #expect(golden.count == Self.values.count)
        for (name, type, value) in Self.values {
            let expected = try #require(golden.first { $0.name == name })
            var out = ByteBuffer()
            value.write(into: &out)
            let length = out.readInteger(as: Int32.self)
            #expect(length == Int32(expected.hex.count / 2))
            #expect(hexText(out) == expected.hex, "\(name)")
            #expect(try CQLValue.read(type, ByteBuffer(bytes: expected.bytes)) == value, "\(name)")
        }
    }

    @Test func tokens() {
        let golden = Golden.load("tokens")
        #expect(golden.count > 60)
        for line in golden { #expect(Token(key: line.bytes).value == Int64(line.meaning), "key \(line.name)") }
    }

    @Test func segments() throws {
        for line in Golden.load("segments") where !line.name.hasPrefix("long ") && line.name != "empty" {
            var out = ByteBuffer()
            Segment.wrap(ByteBuffer(bytes: Golden.bytes(line.meaning)), into: &out)
            #expect(hexText(out) == line.hex, "\(line.name)")
            let segment = try Segment.read(&out)
            let (payload, isWhole) = try #require(segment)
            #expect(isWhole)
            #expect(hexText(payload) == line.meaning)
        }
        for line in Golden.load("segments") where line.name.hasPrefix("long ") {
            let numbers = line.hex.split(separator: " ")
            var frame = ByteBuffer()
            var parameters = QueryParameters()
            parameters.consistency = .one
            try Request.query(String(repeating: "x", count: Int(numbers[0]) ?? 0), parameters).write(into: &frame, .v5, stream: 3)
            var out = ByteBuffer()
            Segment.wrap(frame, into: &out)
            #expect(out.readableBytes == Int(numbers[1]), "\(line.name)")
            #expect(hex(UInt64(plainCRC32(out)), 8) == numbers[2], "\(line.name)")
        }
    }

    /// zlib's, in its plainest form.
    private func plainCRC32(_ buffer: ByteBuffer) -> UInt32 {
        var crc: UInt32 = ~0
        for byte in buffer.readableBytesView {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0xEDB8_8320 : crc >> 1 }
        }
        return ~crc
    }

    @Test func checksumAgainstThePlainForm() {
        var random = SplitMix64(seed: 1)
        for length in 0..<70 {
            let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            let salted = ByteBuffer(bytes: [0xFA, 0x2D, 0x55, 0xCA] + bytes)
            #expect(bytes.withUnsafeBytes { Checksums.crc32($0) } == plainCRC32(salted))
        }
    }

    // MARK: Responses

    private func response(_ line: Golden) throws -> Response {
        var decoder = FrameDecoder(maximumFrame: 1 << 20)
        decoder.append(ByteBuffer(bytes: line.bytes))
        let frame = try decoder.next()
        let (header, body) = try #require(frame)
        #expect(header.stream == 1)
        return try Response(header, version: try #require(ProtocolVersion(rawValue: header.version)), body: body)
    }

    /// As the driver's text shows it.
    @Test(arguments: Golden.load("responses")) func responses(_ line: Golden) throws {
        let response = try response(line)
        var reader = WireReader(response.body)
        let name = line.name.dropFirst(3)
        let known = [CQLColumn(keyspace: "k", table: "t", name: "n", type: .bigint)]
        switch response.opcode {
        case .error: try check(try ServerError.read(&reader, response.version), line, response.version)
        case .event:
            let event = try ClusterEvent.read(&reader)
            if name == "node up" { #expect(event == .nodeUp(NodeAddress(host: "10.0.0.7", port: 9042))) }
            if name == "node added" { #expect(event == .nodeAdded(NodeAddress(host: "2001:db8::1", port: 9043))) }
        case .supported:
            let options = try reader.stringMultimap()
            #expect(options == ["CQL_VERSION": ["3.4.5"], "COMPRESSION": ["snappy", "lz4"]])
        case .authenticate:
            let name = try reader.string()
            #expect(name == line.meaning)
        case .result:
            switch try ResultMessage.read(response, columns: known) {
            case .void: #expect(name == "void" || response.warnings == ["too many partitions"])
            case .keyspace(let keyspace): #expect(keyspace == line.meaning)
            case .schemaChange(let change):
                #expect("\(change.change) \(change.target) \(change.keyspace) \(change.name)" == line.meaning)
            case .prepared(let prepared):
                #expect(prepared.id == [1, 2, 3, 4])
                #expect(prepared.resultMetadataID == (response.version == .v5 ? [10, 11] : nil))
                #expect(prepared.partitionKey == [2, 0])
                #expect(prepared.markers.map(\.name) == ["day", "v", "id"])
                #expect(prepared.markers.map(\.type) == [.int, .double, .uuid])
            case .rows(let rows, let changed): try check(rows, changed, name)
            }
        default: Issue.record("\(line.name) is a \(response.opcode)")
        }
    }

    private func check(_ rows: Rows, _ changed: [UInt8]?, _ name: Substring) throws {
        switch name {
        case "rows":
            #expect(rows.pagingState == [0xCA, 0xFE])
            let first: [CQLValue] = [.bigint(12), .text("zwölf"), .double(0.5), .list([.int(1), .int(2)])]
            #expect(try rows.values() == [first, [.null, .text(""), .null, .null]])
            #expect(rows.columns.map(\.table) == ["t", "t", "t", "t"])
        case "rows changed":
            #expect(changed == [0xAB, 0xCD])
            #expect(rows.count == 0)
        default: #expect(try rows.values() == [[.bigint(3)]])
        }
    }

    private func check(_ error: ServerError, _ line: Golden, _ version: ProtocolVersion) throws {
        #expect(line.meaning.hasPrefix("\(hex(UInt64(error.number), 4)) \(error.message)"))
        let progress = ServerError.Progress(consistency: .localQuorum, received: 1, required: 2)
        let reasons = version == .v5 ? [ServerError.FailureReason(node: try #require(IPAddress([10, 0, 0, 1])), code: 2)] : []
        let expected: ServerError.Detail =
            switch error.code {
            case .unavailable: .unavailable(.quorum, required: 2, alive: 1)
            case .writeTimeout: .writeTimeout(progress, writeType: "UNLOGGED_BATCH", contentions: nil)
            case .readTimeout: .readTimeout(ServerError.Progress(consistency: .localQuorum, received: 2, required: 2), hasData: false)
            case .readFailure: .readFailure(progress, failures: 1, reasons: reasons, hasData: true)
            case .writeFailure: .writeFailure(progress, failures: 1, reasons: reasons, writeType: "SIMPLE")
            case .functionFailure: .functionFailure(keyspace: "k", function: "f", arguments: ["int"])
            case .alreadyExists: .alreadyExists(keyspace: "k", table: "t")
            case .unprepared: .unprepared(id: [1, 2, 3])
            default: .none
            }
        #expect(error.detail == expected)
    }
}
