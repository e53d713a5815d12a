/// The clock ticks of one processor since the start, as `/proc/stat` lists them.
/// `user` and `nice` already hold the time of guests.
struct CPUTicks: Equatable, Sendable {
    /// In the order of the file: user nice system idle iowait irq softirq steal guest guest_nice.
    static let modes = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"]
    static let idle = 3
    static let guest = 8
    static let columns = 10

    let cpu: UInt64
    var ticks: [UInt64]
}

/// What `/proc/stat` says. A counter that the kernel does not list is nil.
struct KernelStat: Equatable, Sendable {
    var cpus: [CPUTicks] = []
    var interrupts: UInt64?
    var contextSwitches: UInt64?
    var bootTime: UInt64?
    var forks: UInt64?
    var running: UInt64?
    var blocked: UInt64?
}

/// Parses `/proc/stat` (proc_stat(5)). Old kernels list fewer columns of a processor; those count 0.
func parseStat(_ bytes: [UInt8]) throws(ParseFailure) -> KernelStat {
    var stat = KernelStat()
    var scanner = TextScanner(bytes)
    while scanner.nextLine() {
        guard let key = scanner.field() else { continue }
        if key.starts(with: "cpu") {
            if key.count > 3 { stat.cpus.append(try parseCPU(key.dropFirst(3), &scanner)) }
        } else if key.equals("intr") {
            stat.interrupts = try scanner.unsigned("the count of interrupts")
        } else if key.equals("ctxt") {
            stat.contextSwitches = try scanner.unsigned("the count of context switches")
        } else if key.equals("btime") {
            stat.bootTime = try scanner.unsigned("the boot time")
        } else if key.equals("processes") {
            stat.forks = try scanner.unsigned("the count of forks")
        } else if key.equals("procs_running") {
            stat.running = try scanner.unsigned("the count of running processes")
        } else if key.equals("procs_blocked") {
            stat.blocked = try scanner.unsigned("the count of blocked processes")
        }
    }
    if stat.cpus.isEmpty { throw ParseFailure(line: nil, reason: "no line of a processor") }
    if Set(stat.cpus.map(\.cpu)).count != stat.cpus.count { throw ParseFailure(line: nil, reason: "a processor is listed twice") }
    return stat
}

private func parseCPU(_ number: ArraySlice<UInt8>, _ scanner: inout TextScanner) throws(ParseFailure) -> CPUTicks {
    guard let cpu = decimalNumber(number) else { throw scanner.failure("the processor has no number") }
    var ticks: [UInt64] = []
    ticks.reserveCapacity(CPUTicks.columns)
    while ticks.count < CPUTicks.columns, let value = try scanner.unsignedIfAny() { ticks.append(value) }
    guard ticks.count > CPUTicks.idle else { throw scanner.failure("\(ticks.count) columns of a processor, 4 or more expected") }
    while ticks.count < CPUTicks.columns { ticks.append(0) }
    return CPUTicks(cpu: cpu, ticks: ticks)
}

/// Keeps the tick counters from going back. The kernel lets idle and iowait step back by a little, which a reader of counters
/// would take for a restart. A large step back of idle is a processor that was taken away and came back: there the counters restart.
/// The rule and its 3 s are node exporter's.
struct CPUTicksGuard: Sendable {
    /// The kernel shows user space 100 ticks a second on every architecture Swift runs on.
    private static let restart: UInt64 = 3 * 100
    private var last: [UInt64: [UInt64]] = [:]

    mutating func steady(_ cpus: [CPUTicks]) -> [CPUTicks] {
        var next: [UInt64: [UInt64]] = [:]
        var result = cpus
        for i in result.indices {
            if let old = last[result[i].cpu], !isRestart(old, result[i].ticks) {
                for mode in result[i].ticks.indices { result[i].ticks[mode] = max(result[i].ticks[mode], old[mode]) }
            }
            next[result[i].cpu] = result[i].ticks
        }
        last = next
        return result
    }

    private func isRestart(_ old: [UInt64], _ new: [UInt64]) -> Bool {
        old[CPUTicks.idle] > new[CPUTicks.idle] && old[CPUTicks.idle] - new[CPUTicks.idle] >= CPUTicksGuard.restart
    }
}

extension PageWriter {
    mutating func writeCPU(_ cpus: [CPUTicks]) {
        family("node_cpu_seconds_total", .counter, "Seconds each processor spent in each mode.")
        for cpu in cpus {
            for (mode, name) in CPUTicks.modes.enumerated() {
                let labels = LabelText(("cpu", "\(cpu.cpu)"), ("mode", name))
                sample("node_cpu_seconds_total", labels, .decimal(cpu.ticks[mode], digits: 2))
            }
        }
        family("node_cpu_guest_seconds_total", .counter, "Seconds each processor spent running guests, also counted in user and nice.")
        for cpu in cpus {
            for (offset, name) in ["user", "nice"].enumerated() {
                let labels = LabelText(("cpu", "\(cpu.cpu)"), ("mode", name))
                sample("node_cpu_guest_seconds_total", labels, .decimal(cpu.ticks[CPUTicks.guest + offset], digits: 2))
            }
        }
    }

    mutating func writeKernelCounters(_ stat: KernelStat) {
        func write(_ name: String, _ kind: MetricKind, _ help: String, _ value: UInt64?, _ page: inout PageWriter) {
            if let value { page.single(name, kind, help, .integer(value)) }
        }
        write("node_boot_time_seconds", .gauge, "When the machine started, in seconds since 1970.", stat.bootTime, &self)
        write("node_context_switches_total", .counter, "Context switches since the start.", stat.contextSwitches, &self)
        write("node_forks_total", .counter, "Processes and threads created since the start.", stat.forks, &self)
        write("node_intr_total", .counter, "Interrupts served since the start.", stat.interrupts, &self)
        write("node_procs_blocked", .gauge, "Processes that wait for input or output.", stat.blocked, &self)
        write("node_procs_running", .gauge, "Processes that run or could run.", stat.running, &self)
    }
}
