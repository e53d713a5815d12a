/// `/proc/loadavg`: the mean number of processes that run or wait, over 1, 5 and 15 minutes.
struct LoadAverage: Equatable, Sendable {
    var one: Double
    var five: Double
    var fifteen: Double
}

func parseLoadAverage(_ bytes: [UInt8]) throws(ParseFailure) -> LoadAverage {
    var scanner = TextScanner(bytes)
    guard scanner.nextLine() else { throw ParseFailure(line: nil, reason: "the file is empty") }
    func next(_ scanner: inout TextScanner) throws(ParseFailure) -> Double {
        guard let field = scanner.field() else { throw scanner.failure("three load averages expected") }
        guard let value = Double(field.text), value.isFinite, value >= 0 else { throw scanner.notANumber(field) }
        return value
    }
    return LoadAverage(one: try next(&scanner), five: try next(&scanner), fifteen: try next(&scanner))
}

extension PageWriter {
    mutating func writeLoadAverage(_ load: LoadAverage) {
        single("node_load1", .gauge, "Load average of the last minute.", .real(load.one))
        single("node_load5", .gauge, "Load average of the last 5 minutes.", .real(load.five))
        single("node_load15", .gauge, "Load average of the last 15 minutes.", .real(load.fifteen))
    }
}
