import NIOCore
import TestSupport
import Testing

@testable import CassandraClient
@testable import CassandraScript

/// Codecs on values drawn at random, and decoders on damaged bytes: they answer or throw, they never crash, and never hold more than came.
@Suite struct PropertyTests {
    private func anyType(_ random: inout SplitMix64, depth: Int = 0) -> CQLType {
        let simple: [CQLType] = [
            .ascii, .text, .int, .bigint, .smallint, .tinyint, .double, .float, .boolean, .blob, .timestamp, .date, .uuid, .inet, .counter,
            .time,
        ]
        if depth < 3, Int.random(in: 0..<3, using: &random) == 0 {
            switch Int.random(in: 0..<4, using: &random) {
            case 0: return .list(anyType(&random, depth: depth + 1))
            case 1: return .set(anyType(&random, depth: depth + 1))
            case 2: return .map(anyType(&random, depth: depth + 1), anyType(&random, depth: depth + 1))
            default: return .tuple((0..<Int.random(in: 1...3, using: &random)).map { _ in anyType(&random, depth: depth + 1) })
            }
        }
        return simple[Int.random(in: 0..<simple.count, using: &random)]
    }

    private func bytes(_ count: Int, _ random: inout SplitMix64) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    private func anyValue(_ type: CQLType, _ random: inout SplitMix64) -> CQLValue {
        let number = Int64(bitPattern: random.next())
        func several<T>(_ make: (inout SplitMix64) -> T) -> [T] { (0..<Int(number.magnitude % 4)).map { _ in make(&random) } }
        switch type {
        case .ascii, .text: return .text(String(number.magnitude % 3 == 0 ? "" : "🚚 \(number)"))
        case .int: return .int(Int32(truncatingIfNeeded: number))
        case .bigint, .counter, .time: return .bigint(number)
        case .smallint: return .smallint(Int16(truncatingIfNeeded: number))
        case .tinyint: return .tinyint(Int8(truncatingIfNeeded: number))
        case .double: return .double(Double(number) / 7)
        case .float: return .float(Float(number))
        case .boolean: return .boolean(number > 0)
        case .timestamp: return .timestamp(number)
        case .date: return .date(Int32(truncatingIfNeeded: number))
        case .uuid, .timeuuid: return .uuid(CQLUUID(high: random.next(), low: random.next()))
        case .inet: return .inet(IPAddress(bytes(number > 0 ? 4 : 16, &random)) ?? .none4)
        case .list(let element): return .list(several { anyValue(element, &$0) })
        case .set(let element): return .set(several { anyValue(element, &$0) })
        case .map(let key, let value): return .map(several { CQLValue.Entry(anyValue(key, &$0), anyValue(value, &$0)) })
        case .tuple(let types): return .tuple(types.map { anyValue($0, &random) })
        default: return .blob(bytes(Int(number.magnitude % 40), &random))
        }
    }

    @Test func valuesComeBack() throws {
        var random = SplitMix64(seed: 7)
        for _ in 0..<3000 {
            let type = anyType(&random)
            let value = anyValue(type, &random)
            var out = ByteBuffer()
            value.write(into: &out)
            var reader = WireReader(out)
            let cell = try reader.bytes()
            #expect(try CQLValue.read(type, cell) == value)
            #expect(reader.remaining == 0)
        }
    }

    @Test func damagedValuesNeverCrash() {
        var random = SplitMix64(seed: 8)
        for _ in 0..<3000 {
            let type = anyType(&random)
            var out = ByteBuffer()
            anyValue(type, &random).write(into: &out)
            var damaged = Array(out.readableBytesView.dropFirst(4))
            mutate(&damaged, &random)
            _ = try? CQLValue.read(type, ByteBuffer(bytes: damaged))
        }
    }

    private func mutate(_ bytes: inout [UInt8], _ random: inout SplitMix64) {
        for _ in 0...Int.random(in: 0..<3, using: &random) {
            switch Int.random(in: 0..<4, using: &random) {
            case 0 where !bytes.isEmpty:
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &random) ?? 0
            case 1 where !bytes.isEmpty: bytes.removeLast(Int.random(in: 1...bytes.count, using: &random))
            case 2: bytes.append(contentsOf: self.bytes(Int.random(in: 1...9, using: &random), &random))
            default:
                if !bytes.isEmpty { bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random) }
            }
        }
    }

    /// All golden responses, damaged in their bodies.
    @Test func damagedResponsesNeverCrash() throws {
        var random = SplitMix64(seed: 9)
        let lines = Golden.load("responses")
        #expect(lines.count > 50)
        for line in lines {
            for _ in 0..<300 {
                var body = Array(line.bytes.dropFirst(9))
                mutate(&body, &random)
                let opcode = Opcode(rawValue: line.bytes[4]) ?? .result
                let version: ProtocolVersion = line.bytes[0] == 0x84 ? .v4 : .v5
                let header = FrameHeader(
                    version: version.rawValue, flags: FrameFlags(rawValue: line.bytes[1]), stream: 1, opcode: opcode, length: body.count)
                guard let response = try? Response(header, version: version, body: ByteBuffer(bytes: body)) else { continue }
                var reader = WireReader(response.body)
                switch opcode {
                case .error: _ = try? ServerError.read(&reader, version)
                case .event: _ = try? ClusterEvent.read(&reader)
                case .supported: _ = try? reader.stringMultimap()
                default: look(response)
                }
            }
        }
    }

    private func look(_ response: Response) {
        guard case .rows(let rows, _)? = try? ResultMessage.read(response) else { return }
        _ = try? rows.values()
        var reader = rows.reader()
        while (try? reader.next()) == true {
            for i in 0..<(rows.columns.count + 1) {
                _ = try? reader.int64(i)
                _ = try? reader.int32(i)
                _ = try? reader.double(i)
                _ = try? reader.bool(i)
                _ = try? reader.days(i)
                _ = try? reader.text(i)
                _ = try? reader.uuid(i)
                _ = reader.blob(i)
            }
        }
    }

    /// A whole conversation, damaged anywhere: the machine goes on or closes.
    @Test(arguments: ProtocolVersion.allCases) func damagedConversationsNeverCrash(_ version: ProtocolVersion) throws {
        var random = SplitMix64(seed: 10)
        var plain = ByteBuffer()
        for stream in 0..<6 {
            plain.writeImmutableBuffer(Reply.frame(.result, Reply.void, stream: Int16(stream), version: version.rawValue))
        }
        plain.writeImmutableBuffer(Reply.frame(.event, Reply.string("X"), stream: -1, version: version.rawValue))
        var tail = ByteBuffer()
        if version == .v5 { Segment.wrap(plain, into: &tail) } else { tail = plain }
        var closed = 0
        for _ in 0..<2000 {
            var settings = ConnectionStateMachine<Int>.Settings()
            settings.version = version
            settings.maximumStreams = 6
            settings.maximumFrame = 1 << 16
            var machine = ConnectionStateMachine<Int>(settings)
            _ = machine.connected(now: 0)
            _ = machine.received(Reply.frame(.supported, Reply.supported, stream: 0, version: version.rawValue), now: 0)
            _ = machine.received(Reply.frame(.ready, stream: 0, version: version.rawValue), now: 0)
            var actions = ConnectionStateMachine<Int>.Actions()
            for i in 0..<6 { _ = machine.submit(.options, i, deadline: .max, &actions) }
            var bytes = Array(tail.readableBytesView)
            mutate(&bytes, &random)
            var rest = ByteBuffer(bytes: bytes)
            var told: [Int] = []
            while let piece = rest.readSlice(length: min(rest.readableBytes, Int.random(in: 1...40, using: &random))),
                piece.readableBytes > 0
            {
                let actions = machine.received(piece, now: 1)
                told += actions.answered.map(\.0) + actions.failed.map(\.0)
            }
            if machine.closeReason != nil { closed += 1 }
            told += machine.closed(.closedByPeer).failed.map(\.0)
            #expect(told.sorted() == [0, 1, 2, 3, 4, 5], "everybody is told once")
        }
        #expect(closed > 200)
    }

    @Test func segmentsOfAnySizeComeBack() throws {
        var random = SplitMix64(seed: 11)
        for size in [1, 100, 131_000, 131_071, 131_072, 131_073, 262_142, 262_143, 400_000] {
            var frames = ByteBuffer()
            for _ in 0..<3 {
                let body = ByteBuffer(bytes: bytes(max(0, size - 9), &random))
                frames.writeImmutableBuffer(Reply.frame(.result, body, stream: 1, version: 5))
            }
            var segments = ByteBuffer()
            Segment.wrap(frames, into: &segments)
            var decoder = FrameDecoder(maximumFrame: 1 << 20)
            decoder.beginSegments()
            decoder.append(segments)
            var count = 0
            while let (header, body) = try decoder.next() {
                #expect(header.length == body.readableBytes)
                count += 1
            }
            #expect(count == 3, "size \(size)")
        }
    }

    @Test func textsOfAnyFormAreAddressesOrNot() {
        var random = SplitMix64(seed: 12)
        for _ in 0..<1000 {
            let text = String(decoding: bytes(Int.random(in: 0..<45, using: &random), &random).map { $0 % 2 == 0 ? $0 : 45 }, as: UTF8.self)
            _ = CQLUUID(text)
            _ = NodeAddress(text)
            let uuid = CQLUUID(high: random.next(), low: random.next())
            #expect(CQLUUID(uuid.description) == uuid)
        }
        #expect(IPAddress([0x20, 1, 0xD, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])?.description == "2001:db8::1")
        #expect(IPAddress(Array(repeating: 0, count: 16))?.description == "::")
        #expect(IPAddress([1, 2, 3]) == nil)
    }
}
