/// One number of `/proc/net/sockstat` or `sockstat6`, such as TCP, inuse, 4.
struct SocketStatistic: Equatable, Sendable {
    var name: String
    var value: MetricValue
}

/// Parses `/proc/net/sockstat` and `sockstat6`: `PROTOCOL: name value name value ...`. `mem`, which counts pages, is also given in bytes.
func parseSockstat(_ bytes: [UInt8], pageSize: UInt64) throws(ParseFailure) -> [SocketStatistic] {
    var statistics: [SocketStatistic] = []
    var seen = Set<String>()
    var scanner = TextScanner(bytes)
    while scanner.nextLine() {
        guard let key = scanner.field() else { continue }
        guard key.last == UInt8(ascii: ":"), isNamePart(key.dropLast()) else { throw scanner.failure("a protocol with a colon expected") }
        let family = key.dropLast().text
        while let field = scanner.field() {
            guard isNamePart(field) else { throw scanner.failure("an odd name") }
            let name = family + "_" + field.text
            guard seen.insert(name).inserted else { throw scanner.failure("\(name) is listed twice") }
            let value = try scanner.integer("the value of \(name)")
            statistics.append(SocketStatistic(name: name, value: value))
            if field.equals("mem"), case .integer(let pages) = value, seen.insert(name + "_bytes").inserted {
                statistics.append(
                    SocketStatistic(name: name + "_bytes", value: .integer(pages.multipliedReportingOverflow(by: pageSize).partialValue)))
            }
        }
    }
    return statistics
}

extension PageWriter {
    mutating func writeSockstat(_ statistics: [SocketStatistic]) {
        for statistic in statistics {
            single("node_sockstat_" + statistic.name, .gauge, "The number \(statistic.name) of the socket statistics.", statistic.value)
        }
    }
}
