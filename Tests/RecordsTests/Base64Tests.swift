import Foundation
import Records
import TestSupport
import Testing

@Suite struct Base64Tests {
    @Test(arguments: [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob")])
    func vectorsOfTheStandard(text: String, meaning: String) { #expect(Base64.decode(Array(text.utf8)[...]) == Array(meaning.utf8)) }

    @Test func readsWhatOthersWrite() {
        var random = SplitMix64(seed: 3)
        for count in 0..<200 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            #expect(Base64.decode(Array(Data(bytes).base64EncodedString().utf8)[...]) == bytes)
        }
    }

    @Test(arguments: ["A", "AB", "ABC", "AB=C", "A===", "====", "AB!=", "AB CD===", "Zg=x", "Zm9v*", "Z g="])
    func otherTextIsRefused(text: String) { #expect(Base64.decode(Array(text.utf8)[...]) == nil) }
}
