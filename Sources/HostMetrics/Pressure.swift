/// `/proc/pressure/RESOURCE`: microseconds in which some or all processes waited for the resource (PSI, the kernel's
/// Documentation/accounting/psi.rst).
struct Pressure: Equatable, Sendable {
    var some: UInt64?
    var full: UInt64?
}

func parsePressure(_ bytes: [UInt8]) throws(ParseFailure) -> Pressure {
    var pressure = Pressure()
    var scanner = TextScanner(bytes)
    while scanner.nextLine() {
        guard let kind = scanner.field() else { continue }
        var total: UInt64?
        while let field = scanner.field() {
            guard field.starts(with: "total=") else { continue }
            total = decimalNumber(field.dropFirst(6))
            if total == nil { throw scanner.notANumber(field) }
        }
        guard let total else { throw scanner.failure("total= is missing") }
        if kind.equals("some") { pressure.some = total } else if kind.equals("full") { pressure.full = total }
    }
    guard pressure.some != nil || pressure.full != nil else { throw ParseFailure(line: nil, reason: "neither some nor full") }
    return pressure
}

extension PageWriter {
    /// `full` of the processor is left out: for the whole machine it is always 0.
    mutating func writePressure(cpu: Pressure?, memory: Pressure?, io: Pressure?) {
        let series: [(name: String, help: String, value: UInt64?)] = [
            ("node_pressure_cpu_waiting_seconds_total", "Seconds in which a process waited for a processor.", cpu?.some),
            ("node_pressure_memory_waiting_seconds_total", "Seconds in which a process waited for memory.", memory?.some),
            ("node_pressure_memory_stalled_seconds_total", "Seconds in which every process waited for memory.", memory?.full),
            ("node_pressure_io_waiting_seconds_total", "Seconds in which a process waited for input or output.", io?.some),
            ("node_pressure_io_stalled_seconds_total", "Seconds in which every process waited for input or output.", io?.full),
        ]
        for (name, help, value) in series {
            if let value { single(name, .counter, help, .decimal(value, digits: 6)) }
        }
    }
}
