/// One line of `/proc/vmstat`.
struct VmstatField: Equatable, Sendable {
    var name: String
    var value: MetricValue
}

/// Parses `/proc/vmstat` and keeps node exporter's default choice, `^(oom_kill|pgpg|pswp|pg.*fault).*`.
func parseVmstat(_ bytes: [UInt8]) throws(ParseFailure) -> [VmstatField] {
    var fields: [VmstatField] = []
    var seen = Set<String>()
    var scanner = TextScanner(bytes)
    while scanner.nextLine() {
        guard let key = scanner.field(), isWantedVmstat(key) else { continue }
        guard isNamePart(key) else { throw scanner.failure("an odd name") }
        let name = key.text
        guard seen.insert(name).inserted else { throw scanner.failure("\(name) is listed twice") }
        fields.append(VmstatField(name: name, value: try scanner.integer("the value")))
    }
    if fields.isEmpty { throw ParseFailure(line: nil, reason: "none of the fields that every kernel lists") }
    return fields
}

private func isWantedVmstat(_ key: ArraySlice<UInt8>) -> Bool {
    if key.first == UInt8(ascii: "o") { return key.starts(with: "oom_kill") }
    guard key.first == UInt8(ascii: "p") else { return false }
    if key.starts(with: "pgpg") || key.starts(with: "pswp") { return true }
    guard key.starts(with: "pg") else { return false }
    var rest = key.dropFirst(2)
    while rest.count >= 5 {
        if rest.starts(with: "fault") { return true }
        rest.removeFirst()
    }
    return false
}

extension PageWriter {
    mutating func writeVmstat(_ fields: [VmstatField]) {
        for field in fields {
            single("node_vmstat_" + field.name, .untyped, "The field \(field.name) of the virtual memory statistics.", field.value)
        }
    }
}
