/// One line of `/proc/meminfo` under the name it has in a metric: `Active(anon)` in kB becomes `Active_anon_bytes`.
struct MemoryField: Equatable, Sendable {
    var name: String
    var value: UInt64
}

/// Parses `/proc/meminfo` (proc_meminfo(5)). Lines in kB become bytes; lines without a unit (the counts of huge pages) stay.
func parseMeminfo(_ bytes: [UInt8]) throws(ParseFailure) -> [MemoryField] {
    var fields: [MemoryField] = []
    fields.reserveCapacity(64)
    var seen = Set<String>()
    var scanner = TextScanner(bytes)
    while scanner.nextLine() {
        guard let key = scanner.field() else { continue }
        guard key.last == UInt8(ascii: ":") else { throw scanner.failure("a name with a colon expected") }
        let number = try scanner.unsigned("the value")
        let unit = scanner.field()
        guard let name = memoryName(key.dropLast(), inBytes: unit != nil) else { throw scanner.failure("an odd name") }
        guard unit?.equals("kB") ?? true else { throw scanner.failure("a unit other than kB") }
        let (value, tooLarge) = unit == nil ? (number, false) : number.multipliedReportingOverflow(by: 1024)
        guard !tooLarge else { throw scanner.failure("a value beyond 64 bits") }
        guard seen.insert(name).inserted else { throw scanner.failure("\(name) is listed twice") }
        fields.append(MemoryField(name: name, value: value))
    }
    if fields.isEmpty { throw ParseFailure(line: nil, reason: "the file is empty") }
    return fields
}

private func memoryName(_ key: ArraySlice<UInt8>, inBytes: Bool) -> String? {
    var name: [UInt8] = []
    for byte in key where byte != UInt8(ascii: ")") { name.append(byte == UInt8(ascii: "(") ? UInt8(ascii: "_") : byte) }
    guard isNamePart(name[...]) else { return nil }
    if inBytes { name += "_bytes".utf8 }
    return name[...].text
}

extension PageWriter {
    mutating func writeMeminfo(_ fields: [MemoryField]) {
        for field in fields {
            single("node_memory_" + field.name, .gauge, "The field \(field.name) of the memory statistics.", .integer(field.value))
        }
    }
}
