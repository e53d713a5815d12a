import Glibc

/// Feeds bytes that libFuzzer thinks up to the parsers of what comes from outside. The first byte of an input chooses the parser, so that one corpus
/// serves all; ALMANAC_FUZZ=name keeps to one. A crash, a hang, and an answer that contradicts itself end the run and leave the input in a file.
///
///     make fuzz                                            all of them, a minute
///     make fuzz ARGS="-max_total_time=3600 -jobs=2"        libFuzzer's options
///     make fuzz ARGS=fuzz/corpus/crash-...                 once more what failed
@_cdecl("Fuzz_main")
public func fuzzMain(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    var count = count
    var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = arguments
    return runDriver(&count, &arguments, testOneInput)
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

private let chosen: Parser? = {
    guard let text = getenv("ALMANAC_FUZZ").map({ String(cString: $0) }), !text.isEmpty else { return nil }
    guard let parser = Parser(rawValue: text) else {
        print("ALMANAC_FUZZ=\(text): give one of \(Parser.allCases.map(\.rawValue).joined(separator: ", "))")
        exit(2)
    }
    return parser
}()

private func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    guard let first = bytes.first else { return 0 }
    let all = Parser.allCases
    (chosen ?? all[Int(first) % all.count]).parse(Array(bytes.dropFirst()))
    return 0
}

/// Ends the run: what was read differs from what was written.
func require(_ condition: Bool, _ what: String) {
    if !condition { fatalError(what) }
}
