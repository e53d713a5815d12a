/// One number of the network stack, such as `Tcp_RetransSegs`.
struct NetstatField: Equatable, Sendable {
    var name: String
    var value: MetricValue
}

/// Parses `/proc/net/snmp` and `/proc/net/netstat`: pairs of lines, `Protocol: name name ...` and `Protocol: value value ...`.
/// Keeps node exporter's default choice (`isWantedNetstat`).
func parseNetstat(_ bytes: [UInt8]) throws(ParseFailure) -> [NetstatField] {
    var fields: [NetstatField] = []
    var names = TextScanner(bytes)
    var values = TextScanner(bytes)
    while values.nextLine() {
        _ = names.nextLine()
        // `values` runs one line ahead of `names`.
        guard values.nextLine() else { throw values.failure("a line of names without its values") }
        guard let family = names.field(), let second = values.field(), family == second, family.last == UInt8(ascii: ":") else {
            throw values.failure("a protocol with a colon, as on the line before, expected")
        }
        let prefix = family.dropLast().text
        let wanted = wantedNetstat[prefix] ?? []
        while let name = names.field() {
            guard let value = values.field() else { throw values.failure("fewer values than names") }
            let text = name.text
            guard isWantedNetstat(prefix, text, wanted) else { continue }
            fields.append(try netstatField(prefix, text, value, values))
        }
        guard values.field() == nil else { throw values.failure("more values than names") }
        _ = names.nextLine()
    }
    return fields
}

/// Parses `/proc/net/snmp6`: lines of `ProtocolName value`, as in `Udp6InDatagrams 0`.
func parseNetstat6(_ bytes: [UInt8]) throws(ParseFailure) -> [NetstatField] {
    var fields: [NetstatField] = []
    var scanner = TextScanner(bytes)
    while scanner.nextLine() {
        guard let key = scanner.field() else { continue }
        // The protocol ends with its 6.
        guard let six = key.firstIndex(of: UInt8(ascii: "6")) else { continue }
        let prefix = key[...six].text
        let name = key[(six + 1)...].text
        guard isWantedNetstat(prefix, name, wantedNetstat[prefix] ?? []) else { continue }
        guard let value = scanner.field() else { throw scanner.failure("the value is missing") }
        fields.append(try netstatField(prefix, name, value, scanner))
    }
    return fields
}

private func netstatField(
    _ prefix: String, _ name: String, _ value: ArraySlice<UInt8>, _ scanner: TextScanner
) throws(ParseFailure) -> NetstatField {
    let full = prefix + "_" + name
    guard let number = decimalNumber(value) else { throw scanner.notANumber(value) }
    guard isNamePart(Array(full.utf8)[...]) else { throw scanner.failure("an odd name") }
    return NetstatField(name: full, value: .integer(number))
}

private func isWantedNetstat(_ prefix: String, _ name: String, _ wanted: Set<String>) -> Bool {
    if wanted.contains(name) || name == "InErrors" || name == "InErrs" { return true }
    return prefix == "TcpExt" && (name.hasPrefix("Listen") || name.hasPrefix("Syncookies"))
}

/// By protocol. Besides these: `InErrors` and `InErrs` of every protocol, and of `TcpExt` all that begins with `Listen` or `Syncookies`.
private let wantedNetstat: [String: Set<String>] = [
    "Ip": ["Forwarding"],
    "Ip6": ["InOctets", "OutOctets"],
    "IpExt": ["InOctets", "OutOctets"],
    "Icmp": ["InMsgs", "OutMsgs"],
    "Icmp6": ["InMsgs", "OutMsgs"],
    "Tcp": ["ActiveOpens", "InSegs", "OutSegs", "OutRsts", "PassiveOpens", "RetransSegs", "CurrEstab"],
    "TcpExt": ["TCPSynRetrans", "TCPTimeouts"],
    "Udp": ["InDatagrams", "OutDatagrams", "NoPorts", "RcvbufErrors", "SndbufErrors"],
    "Udp6": ["InDatagrams", "OutDatagrams", "NoPorts", "RcvbufErrors", "SndbufErrors"],
]

extension PageWriter {
    /// A name that occurs in more than one file is written once, the first.
    mutating func writeNetstat(_ fields: [NetstatField]) {
        var seen = Set<String>()
        for field in fields where seen.insert(field.name).inserted {
            single("node_netstat_" + field.name, .untyped, "The number \(field.name) of the network statistics.", field.value)
        }
    }
}
