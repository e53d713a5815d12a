/// One line of `/proc/diskstats`: the statistics after the device's name, as many as the kernel lists (11, 15 or 17).
struct DiskStatistics: Equatable, Sendable {
    var device: String
    var values: [UInt64]
}

/// Parses `/proc/diskstats` (the kernel's Documentation/admin-guide/iostats.rst), without the devices that
/// `isIgnoredDisk` names. Columns after the known 17 are left alone; lines of the short form for partitions of very
/// old kernels (4 statistics) are skipped.
func parseDiskstats(_ bytes: [UInt8]) throws(ParseFailure) -> [DiskStatistics] {
    var disks: [DiskStatistics] = []
    var seen = Set<String>()
    var scanner = TextScanner(bytes)
    while scanner.nextLine() {
        guard scanner.field() != nil else { continue }
        guard scanner.field() != nil, let name = scanner.field() else { throw scanner.failure("major, minor and name expected") }
        if isIgnoredDisk(name) { continue }
        var values: [UInt64] = []
        values.reserveCapacity(diskColumns.count)
        while values.count < diskColumns.count, let value = try scanner.unsignedIfAny() { values.append(value) }
        if values.count == 4 { continue }
        guard values.count >= 11 else { throw scanner.failure("\(values.count) statistics, 11 or more expected") }
        let device = name.text
        guard seen.insert(device).inserted else { throw scanner.failure("\(device) is listed twice") }
        disks.append(DiskStatistics(device: device, values: values))
    }
    return disks
}

/// node exporter's default: memory, loop and floppy disks, and the partitions of usual disks.
/// As an expression: `^(ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$`.
func isIgnoredDisk(_ name: ArraySlice<UInt8>) -> Bool {
    let stem = droppingDigits(name)
    guard stem.count < name.count else { return false }
    if stem.equals("ram") || stem.equals("loop") || stem.equals("fd") { return true }
    if stem.starts(with: "nvme") {
        guard stem.last == UInt8(ascii: "p") else { return false }
        let namespace = stem.dropFirst(4).dropLast()
        let controller = droppingDigits(namespace)
        guard controller.count < namespace.count, controller.last == UInt8(ascii: "n") else { return false }
        return decimalDigits(controller.dropLast())
    }
    guard let letter = stem.last, UInt8(ascii: "a") <= letter, letter <= UInt8(ascii: "z") else { return false }
    let bus = stem.dropLast()
    return bus.equals("sd") || bus.equals("vd") || bus.equals("hd") || bus.equals("xvd")
}

private func decimalDigits(_ bytes: ArraySlice<UInt8>) -> Bool { !bytes.isEmpty && droppingDigits(bytes).isEmpty }

private func droppingDigits(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var stem = bytes
    while let last = stem.last, last &- UInt8(ascii: "0") < 10 { stem.removeLast() }
    return stem
}

private struct DiskColumn: Sendable {
    enum Unit: Sendable { case count, sectors, milliseconds }
    let name: String
    let kind: MetricKind
    let unit: Unit
    let help: String
}

/// The columns of the file in its order.
private let diskColumns: [DiskColumn] = [
    DiskColumn(name: "node_disk_reads_completed_total", kind: .counter, unit: .count, help: "Reads that completed."),
    DiskColumn(name: "node_disk_reads_merged_total", kind: .counter, unit: .count, help: "Reads that were merged into another."),
    DiskColumn(name: "node_disk_read_bytes_total", kind: .counter, unit: .sectors, help: "Bytes read."),
    DiskColumn(name: "node_disk_read_time_seconds_total", kind: .counter, unit: .milliseconds, help: "Seconds all reads took together."),
    DiskColumn(name: "node_disk_writes_completed_total", kind: .counter, unit: .count, help: "Writes that completed."),
    DiskColumn(name: "node_disk_writes_merged_total", kind: .counter, unit: .count, help: "Writes that were merged into another."),
    DiskColumn(name: "node_disk_written_bytes_total", kind: .counter, unit: .sectors, help: "Bytes written."),
    DiskColumn(name: "node_disk_write_time_seconds_total", kind: .counter, unit: .milliseconds, help: "Seconds all writes took together."),
    DiskColumn(name: "node_disk_io_now", kind: .gauge, unit: .count, help: "Requests that are under way."),
    DiskColumn(
        name: "node_disk_io_time_seconds_total", kind: .counter, unit: .milliseconds, help: "Seconds in which a request was under way."),
    DiskColumn(
        name: "node_disk_io_time_weighted_seconds_total", kind: .counter, unit: .milliseconds,
        help: "Seconds in which requests were under way, times their number."),
    DiskColumn(name: "node_disk_discards_completed_total", kind: .counter, unit: .count, help: "Discards that completed."),
    DiskColumn(name: "node_disk_discards_merged_total", kind: .counter, unit: .count, help: "Discards that were merged into another."),
    DiskColumn(name: "node_disk_discarded_sectors_total", kind: .counter, unit: .count, help: "Sectors discarded."),
    DiskColumn(
        name: "node_disk_discard_time_seconds_total", kind: .counter, unit: .milliseconds, help: "Seconds all discards took together."),
    DiskColumn(name: "node_disk_flush_requests_total", kind: .counter, unit: .count, help: "Flush requests that completed."),
    DiskColumn(
        name: "node_disk_flush_requests_time_seconds_total", kind: .counter, unit: .milliseconds,
        help: "Seconds all flush requests took together."),
]

extension PageWriter {
    mutating func writeDiskstats(_ disks: [DiskStatistics]) {
        let labels = disks.map { LabelText(("device", $0.device)) }
        for (index, column) in diskColumns.enumerated() where disks.contains(where: { $0.values.count > index }) {
            family(column.name, column.kind, column.help)
            for (disk, labels) in zip(disks, labels) where disk.values.count > index {
                sample(column.name, labels, column.unit.value(disk.values[index]))
            }
        }
    }
}

extension DiskColumn.Unit {
    /// The kernel's sectors are 512 bytes whatever the disk's are.
    func value(_ raw: UInt64) -> MetricValue {
        switch self {
        case .count: .integer(raw)
        case .sectors: .integer(raw.multipliedReportingOverflow(by: 512).partialValue)
        case .milliseconds: .decimal(raw, digits: 3)
        }
    }
}
