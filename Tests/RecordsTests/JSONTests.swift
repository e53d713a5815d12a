import Foundation
import Testing

@testable import Records

@Suite struct JSONTests {
    @Test(arguments: [
        "null", "true", "[]", "{}", "[1,2,3]", #"{"a":{"b":[null,false,"x"]},"c":-0.5}"#, #""\u00e9\n\t\\\"""#, "1e300", "-12345678901234",
        #""😀""#,
    ])
    func whatIsParsedIsWrittenTheSame(text: String) throws {
        let value = try JSONValue(parsing: Array(text.utf8))
        #expect(try JSONValue(parsing: value.jsonBytes) == value)
        // Foundation reads what we write.
        #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(value.jsonBytes), options: .fragmentsAllowed) }
    }

    @Test(arguments: [
        ("", 0), ("[1,", 3), ("{\"a\" 1}", 5), ("[01]", 3), ("\"\u{1}\"", 1), ("nul", 0), ("[1] x", 4), ("\"\\ud800\"", 7), ("1.", 2),
        ("{\"a\":1,}", 7), ("-", 1), ("1e", 2), ("\"abc", 4),
    ])
    func mistakesNameTheirPlace(text: String, offset: Int) {
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: Array(text.utf8)) }
        #expect(error?.offset == offset, "\(text): \(error.map { "\($0)" } ?? "")")
    }

    @Test func deepNestingIsRefused() {
        let deep = [UInt8](repeating: UInt8(ascii: "["), count: 100_000)
        #expect(throws: JSONError.self) { try JSONValue(parsing: deep) }
    }

    @Test func numbersThatAreNotFiniteBecomeNull() {
        #expect(
            JSONValue.array([.double(.nan), .double(.infinity), .double(-0.0), .double(3), .double(0.1)]).jsonText
                == "[null,null,-0.0,3,0.1]")
    }

    @Test func randomBytesNeverCrash() {
        var state: UInt64 = 42
        for _ in 0..<2_000 {
            var bytes: [UInt8] = []
            for _ in 0..<40 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                bytes.append(Array("{}[]\",:0123eE.-\\utrfn \u{7f}".utf8)[Int(state >> 33) % 23])
            }
            _ = try? JSONValue(parsing: bytes)
        }
    }
}
