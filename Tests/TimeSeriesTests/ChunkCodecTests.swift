import TestSupport
import Testing

@testable import TimeSeries

@Suite struct ChunkCodecTests {
    static func columns(seed: UInt64) -> (times: [Int64], values: [Double], carry: Bool) {
        var random = SplitMix64(seed: seed)
        let count = Int.random(in: 0...300, using: &random)
        let steady = Bool.random(using: &random)
        var times: [Int64] = []
        var time = Int64.random(in: -1_000_000...2_000_000_000_000, using: &random)
        for _ in 0..<count {
            times.append(time)
            time += steady ? 15_000 : Int64.random(in: 1...100_000, using: &random)
        }
        let kind = Int.random(in: 0..<7, using: &random)
        var level = 0.0
        let values: [Double] = (0..<count).map { i in
            switch kind {
            case 0: return 42
            case 1:
                level += Double(Int.random(in: 0...5000, using: &random))
                return level
            case 2: return (Double.random(in: -100...100, using: &random) * 100).rounded() / 100
            case 3: return Double(bitPattern: UInt64.random(in: 0...UInt64.max, using: &random))
            case 4: return i % 17 == 0 ? 1e15 : Double(i)
            case 5: return [0.0, -0.0, .nan, .infinity, StaleMarker.value, 1e300, Double.leastNonzeroMagnitude][i % 7]
            default:
                level += 0.01 * Double(Int.random(in: 0...1500, using: &random))
                return (level * 100).rounded() / 100
            }
        }
        return (times, values, Bool.random(using: &random))
    }

    @Test(arguments: 0..<400 as Range<UInt64>)
    func whatIsEncodedComesBackToTheBit(seed: UInt64) throws {
        let (times, values, carry) = Self.columns(seed: seed)
        let bytes = ChunkCodec.encode(times: times, values: values, carry: carry)
        let (gotTimes, gotValues) = try ChunkCodec.decode(bytes)
        let skip = carry && !times.isEmpty ? 1 : 0
        #expect(gotTimes == Array(times.dropFirst(skip)), "seed \(seed)")
        #expect(gotValues.map(\.bitPattern) == values.dropFirst(skip).map(\.bitPattern), "seed \(seed)")
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func damageIsAnErrorAndNeverACrash(seed: UInt64) {
        var random = SplitMix64(seed: seed &+ 77)
        let (times, values, carry) = Self.columns(seed: seed)
        var bytes = ChunkCodec.encode(times: times, values: values, carry: carry)
        let original = bytes
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        if Bool.random(using: &random) { bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random)) }
        if bytes != original { #expect(throws: ChunkError.self, "seed \(seed)") { try ChunkCodec.decode(bytes) } }
        // Without the checksum the decoder may read nonsense, but must stay within bounds.
        var buffer = ChunkBuffer()
        bytes.withUnsafeBytes { try? ChunkCodec.decode($0, into: &buffer) }
        #expect(buffer.count <= ChunkCodec.maximumCount)
    }

    @Test func minusZeroStaysMinusZero() throws {
        let back = try ChunkCodec.decode(ChunkCodec.encode(times: [1, 2, 3], values: [1, -0.0, 2])).values
        #expect(back.map(\.bitPattern) == [1, -0.0, 2].map(\.bitPattern))
    }

    @Test func steadyCountersAreSmall() {
        let times = (0..<120).map { Int64(1_700_000_000_000 + $0 * 15_000) }
        #expect(ChunkCodec.encode(times: times, values: times.map { _ in 3.5 }).count <= 32)
        #expect(ChunkCodec.encode(times: times, values: (0..<120).map { Double($0 * 7) }).count <= 32)
        let cpu = (0..<120).map { (i: Int) -> Double in
            let hundredths = 100_000 + i * 1450 + i % 7
            return Double(hundredths) / 100
        }
        #expect(ChunkCodec.encode(times: times, values: cpu).count <= 90)
    }
}
