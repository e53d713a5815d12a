import Records
import TestSupport
import Testing
import TimeSeries

@testable import Collecting

@Suite struct MatrixParserTests {
    private func answer(_ result: String) -> [UInt8] {
        Array("{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[\(result)]}}".utf8)
    }

    @Test func anAnswerBecomesColumns() throws {
        let columns = try MatrixParser.parse(
            answer(
                #"{"metric":{"__name__":"a","x":"]}\""},"values":[[1700000000,"1"],[1700000000.5,"-2.5e-3"]]},{"metric":{},"values":[[1.001,"NaN"]]}"#
            ))
        #expect(columns.seriesCount == 2)
        #expect(String(decoding: columns.metric(0), as: UTF8.self) == #"{"__name__":"a","x":"]}\""}"#)
        #expect(Array(columns.times[columns.samples(0)]) == [1_700_000_000_000, 1_700_000_000_500])
        #expect(Array(columns.values[columns.samples(0)]) == [1, -0.0025])
        #expect(columns.times[2] == 1_001)
        #expect(columns.values[2].isNaN)
    }

    @Test func membersInAnyOrderUnknownOnesAndBlanksAreFine() throws {
        let text = """
             { "warnings" : ["a", {"b":[1,2,null,true]}], "data" : { "result" : [ { "values" : [ [ 1 , "2" ] ] , "new":{} , "metric" : { "a" : "b" } } ] ,
             "resultType" : "matrix" , "stats":{"x":1.5e3} } , "status" : "success" }
            """
        let columns = try MatrixParser.parse(Array(text.utf8))
        #expect(columns.times == [1_000])
        #expect(columns.values == [2])
    }

    @Test func anEmptyResultIsOne() throws {
        #expect(try MatrixParser.parse(answer("")).seriesCount == 0)
    }

    @Test func nativeHistogramsAreCountedAndSkipped() throws {
        let columns = try MatrixParser.parse(
            answer(#"{"metric":{"__name__":"h"},"histograms":[[1,{"count":"3","sum":"4","buckets":[[0,"1","2","3"]]}]]}"#))
        #expect(columns.histograms == 1)
        #expect(columns.values.isEmpty)
    }

    @Test(
        arguments: [
            ("0", 0), ("1", 1_000), ("1.5", 1_500), ("1.05", 1_050), ("1.005", 1_005), ("1700000000.123", 1_700_000_000_123),
            ("-1.5", -1_500), ("1.0004", 1_000), ("1.0005", 1_001), ("1.7e9", 1_700_000_000_000), ("1.700000000123e+09", 1_700_000_000_123),
            ("99999999999.999", 99_999_999_999_999),
        ] as [(String, Milliseconds)])
    func timesAreExactMilliseconds(text: String, time: Milliseconds) throws {
        #expect(try MatrixParser.parse(answer("{\"metric\":{},\"values\":[[\(text),\"1\"]]}")).times == [time])
    }

    @Test func everyMillisecondOfASecondIsExact() throws {
        for ms in 0..<1_000 {
            let fraction = "000\(ms)".suffix(3)
            let columns = try MatrixParser.parse(answer("{\"metric\":{},\"values\":[[1732147200.\(fraction),\"1\"]]}"))
            #expect(columns.times == [1_732_147_200_000 + Int64(ms)])
        }
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func valuesComeBackBitForBit(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for _ in 0..<200 {
            let value: Double =
                switch Int.random(in: 0..<4, using: &random) {
                case 0: Double(Int.random(in: -1_000_000...1_000_000, using: &random)) / 1_000
                case 1: Double.random(in: -1e6...1e6, using: &random)
                case 2: Double(Int.random(in: 0...(1 << 53), using: &random))
                default: Double(bitPattern: random.next())
                }
            if value.isNaN { continue }
            let text = value.isInfinite ? (value < 0 ? "-Inf" : "+Inf") : "\(value)"
            let got = try MatrixParser.parse(answer("{\"metric\":{},\"values\":[[1,\"\(text)\"]]}")).values[0]
            #expect(got.bitPattern == value.bitPattern, "seed \(seed): \(text)")
        }
    }

    @Test(arguments: [
        "", "{", "[]", "null", "{}", #"{"status":"success"}"#, #"{"status":"error","error":"x"}"#,
        #"{"status":"success","data":{"resultType":"vector","result":[]}}"#,
        #"{"status":"success","data":{"resultType":"matrix","result":[{}]}}"#,
        #"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,2]]}]}}"#,
        #"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[["1","2"]]}]}}"#,
        #"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"0x10"]]}]}}"#,
        #"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,""]]}]}}"#,
        #"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1e300,"1"]]}]}}"#,
        #"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[9999999999999999999999,"1"]]}]}}"#,
        #"{"status":"success","data":{"resultType":"matrix","result":[]}} x"#,
    ])
    func whatIsNoMatrixIsRefusedWithItsPlace(text: String) {
        #expect(throws: MatrixError.self) { try MatrixParser.parse(Array(text.utf8)) }
    }

    @Test func anAnswerCutAnywhereIsRefused() throws {
        let whole = answer(#"{"metric":{"__name__":"a","x":"\"\\"},"values":[[1700000000.123,"1.5"],[2,"NaN"]]}"#)
        _ = try MatrixParser.parse(whole)
        for length in 0..<whole.count {
            #expect(throws: MatrixError.self, "\(length) bytes") { try MatrixParser.parse(Array(whole[..<length])) }
        }
    }

    @Test func deepNestingDoesNotEndTheProcess() {
        let deep = [UInt8](repeating: UInt8(ascii: "["), count: 1_000_000)
        #expect(throws: MatrixError.self) { try MatrixParser.parse(Array("{\"x\":".utf8) + deep) }
    }

    @Test func theLimitOfSamplesHolds() throws {
        let three = answer(#"{"metric":{},"values":[[1,"1"],[2,"1"],[3,"1"]]}"#)
        #expect(try MatrixParser.parse(three, maxSamples: 3).values.count == 3)
        let failure = #expect(throws: MatrixError.self) { try MatrixParser.parse(three, maxSamples: 2) }
        #expect(failure?.message == MatrixParser.tooManySamples)
    }

    /// Damaged answers either parse or are refused; a crash would end the test run.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func damagedAnswersAreSurvived(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let good = answer(
            #"{"metric":{"__name__":"a","b":"c"},"values":[[1.5,"1"],[2,"-Inf"]],"histograms":[]},{"metric":{"x":"y"},"values":[]}"#)
        for _ in 0..<300 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: at)
                default: bytes.insert(Array("{}[]\",:\\0123456789eE+-.".utf8)[Int.random(in: 0..<23, using: &random)], at: at)
                }
            }
            if let columns = try? MatrixParser.parse(bytes) {
                #expect(columns.times.count == columns.values.count, "seed \(seed)")
            }
        }
    }
}

@Suite struct DeclaredTypesTests {
    @Test(
        arguments: [
            ("c_total", .counter), ("g", .gauge), ("h_bucket", .counter), ("h_sum", .counter), ("h_count", .counter), ("s", .gauge),
            ("s_sum", .counter), ("s_count", .counter), ("om_total", .counter), ("g_count", nil), ("other", nil), ("u", nil),
        ] as [(String, MetricType?)])
    func familiesDecideTheTypesOfTheirSeries(name: String, type: MetricType?) throws {
        let json = """
            {"status":"success","data":{"c_total":[{"type":"counter","help":"","unit":""}],"g":[{"type":"gauge"}],"h":[{"type":"histogram"}],
            "s":[{"type":"summary"}],"om":[{"type":"counter"}],"u":[{"type":"unknown"}],"odd":[],"odder":3}}
            """
        #expect(DeclaredTypes(try JSONValue(parsing: Array(json.utf8))).type(of: name) == type)
    }
}
