import Testing

@testable import HostMetrics

/// Against the real tools of Prometheus.
@Suite struct NodeExporterTests {
    /// promtool reads the page without complaint, but for the capitals of names that node exporter has from the kernel.
    @Test(.enabled(if: Tools.isThere(Tools.promtool), "promtool is not installed (package prometheus)"))
    func promtoolAcceptsThePage() throws {
        for page in [HostExporter().page(), try fixturePage()] {
            let (status, output) = try Tools.run(Tools.promtool, ["check", "metrics"], input: page)
            // 3 says that there are notes; an unreadable page is 1.
            #expect(status == 0 || status == 3, "\(output)")
            let notes = output.split(separator: "\n").filter {
                !$0.hasSuffix("metric names should be written in 'snake_case' not 'camelCase'")
            }
            #expect(notes.isEmpty, "\(notes.joined(separator: "\n"))")
        }
    }

    private func fixturePage() throws -> [UInt8] {
        let probe = FilesystemProbe { _ in FilesystemUsage(size: 1, free: 1, available: 1, files: 1, filesFree: 1) }
        return try FixtureTree.with { HostExporter(procRoot: $0.proc, sysRoot: $0.sys, rootfs: "/", filesystems: probe).page() }
    }

    private static let collectors = [
        "cpu", "stat", "loadavg", "meminfo", "diskstats", "filesystem", "netdev", "netstat", "sockstat", "vmstat", "pressure", "filefd",
        "uname",
    ]

    /// Debian's build narrows some defaults; these are the project's own.
    private static func arguments(_ port: UInt16) -> [String] {
        ["--web.listen-address=127.0.0.1:\(port)", "--collector.disable-defaults", "--collector.netdev.device-exclude=^$"]
            + ["--collector.diskstats.device-exclude=^(ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\\d+n\\d+p)\\d+$"]
            + [
                "--collector.filesystem.mount-points-exclude="
                    + "^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)"
            ]
            + collectors.map { "--collector.\($0)" }
    }

    /// Families that must be on both pages of any Linux machine with a disk.
    private static let expected = [
        "node_cpu_seconds_total", "node_cpu_guest_seconds_total", "node_load1", "node_load5", "node_load15", "node_memory_MemTotal_bytes",
        "node_memory_MemAvailable_bytes", "node_memory_Active_anon_bytes", "node_memory_HugePages_Total", "node_filesystem_size_bytes",
        "node_filesystem_free_bytes", "node_filesystem_avail_bytes", "node_filesystem_files", "node_filesystem_files_free",
        "node_filesystem_readonly", "node_filesystem_device_error", "node_network_receive_bytes_total",
        "node_network_transmit_packets_total",
        "node_network_receive_drop_total", "node_vmstat_pgfault", "node_netstat_Tcp_CurrEstab", "node_sockstat_TCP_mem_bytes",
        "node_boot_time_seconds", "node_context_switches_total", "node_uname_info", "node_filefd_maximum",
    ]

    private static let constants = [
        "node_memory_MemTotal_bytes", "node_memory_SwapTotal_bytes", "node_filesystem_size_bytes", "node_filesystem_files",
        "node_filesystem_readonly", "node_boot_time_seconds", "node_uname_info", "node_filefd_maximum", "node_memory_Hugepagesize_bytes",
    ]

    private static let counters = [
        "node_cpu_seconds_total", "node_context_switches_total", "node_forks_total", "node_intr_total", "node_vmstat_pgfault",
        "node_disk_read_bytes_total", "node_disk_written_bytes_total", "node_disk_write_time_seconds_total",
        "node_network_receive_bytes_total",
        "node_network_transmit_packets_total", "node_netstat_Tcp_InSegs", "node_pressure_cpu_waiting_seconds_total",
    ]

    @Test(.enabled(if: Tools.isThere(Tools.nodeExporter), "node exporter is not installed (package prometheus-node-exporter)"))
    func agreesWithNodeExporter() throws {
        let server = try LocalServer.start(Tools.nodeExporter, arguments: NodeExporterTests.arguments)
        defer { server.stop() }
        let exporter = HostExporter()
        // Devices and mounts come and go while other programs run: a difference counts when it stays.
        var differences: [String] = []
        for _ in 0..<5 {
            let before = try PageReader(exporter.page())
            let theirs = try PageReader(try server.get("/metrics"))
            let after = try PageReader(exporter.page())
            differences = NodeExporterTests.differences(before, theirs, after)
            if differences.isEmpty { break }
        }
        #expect(differences.isEmpty, "\(differences.joined(separator: "\n"))")
    }

    private static func differences(_ before: PageReader, _ theirs: PageReader, _ after: PageReader) -> [String] {
        var differences: [String] = []
        for family in expected where before.kinds[family] == nil || theirs.kinds[family] == nil {
            differences.append("\(family) is missing")
        }
        // Of a mount that cannot be asked, as one outside of a container's root, ours says all the same whether it is read-only.
        let unasked = before.series(of: "node_filesystem_device_error").filter { before.samples[$0] == 1 }
        let readOnly = Set(unasked.map { $0.replacing("_device_error", with: "_readonly", maxReplacements: 1) })
        for family in before.kinds.keys.sorted() where theirs.kinds[family] != nil && !family.hasPrefix("node_scrape_") {
            let (own, other) = (before.series(of: family).subtracting(readOnly), theirs.series(of: family).subtracting(readOnly))
            if own != other { differences.append("\(family): \(own.symmetricDifference(other).sorted())") }
            if before.kinds[family] != theirs.kinds[family] { differences.append("\(family): of another type") }
        }
        for family in theirs.kinds.keys.sorted() where before.kinds[family] == nil {
            let isWhole = ["node_cpu_", "node_load", "node_memory_", "node_network_receive_", "node_network_transmit_"].contains {
                family.hasPrefix($0)
            }
            if isWhole { differences.append("\(family) is theirs only") }
        }
        for family in constants {
            for series in before.series(of: family).subtracting(readOnly) where before.samples[series] != theirs.samples[series] {
                differences.append("\(series): \(before.samples[series] ?? .nan) and theirs \(theirs.samples[series] ?? .nan)")
            }
        }
        // Their page was made between two of ours; the kernel's processor times may step back by a few hundredths.
        for family in counters {
            for series in before.series(of: family) {
                guard let low = before.samples[series], let value = theirs.samples[series], let high = after.samples[series] else {
                    continue
                }
                if value < low - 0.05 || value > high + 0.05 { differences.append("\(series): theirs \(value) is not in \(low)...\(high)") }
            }
        }
        return differences
    }
}
