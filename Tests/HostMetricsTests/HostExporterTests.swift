import Exposition
import Foundation
import TestSupport
import Testing

@testable import HostMetrics

@Suite struct HostExporterTests {
    private func exporter(_ tree: FixtureTree) -> HostExporter {
        // "/" is answered, all else is an error, as for a mount point without permission.
        let probe = FilesystemProbe { path in
            path == [UInt8(ascii: "/")] ? FilesystemUsage(size: 4096, free: 3000, available: 2000, files: 10, filesFree: 9) : nil
        }
        return HostExporter(procRoot: tree.proc, sysRoot: tree.sys + "/", rootfs: "/", filesystems: probe)
    }

    /// The samples of the page without what differs from page to page and from machine to machine.
    private func steadySamples(_ page: [UInt8]) throws -> [String: Double] {
        try PageReader(page).samples.filter {
            !$0.key.hasPrefix("node_scrape_") && !$0.key.hasPrefix("node_time_") && !$0.key.hasPrefix("node_uname_")
        }
    }

    @Test func goldenPage() throws {
        let scrape = try FixtureTree.with { exporter($0).scrape() }
        #expect(scrape.failures.isEmpty, "\(scrape.failures)")
        let page = try PageReader(scrape.page)
        let expected: [String: Double] = [
            #"node_cpu_seconds_total{cpu="0",mode="user"}"#: 306.09, #"node_cpu_seconds_total{cpu="1",mode="steal"}"#: 0.47,
            #"node_cpu_guest_seconds_total{cpu="0",mode="nice"}"#: 0.03,
            "node_boot_time_seconds": 1_795_217_536, "node_forks_total": 11431, "node_intr_total": 392174,
            "node_context_switches_total": 461623, "node_procs_running": 5, "node_procs_blocked": 1,
            "node_load1": 3.49, "node_load5": 1.86, "node_load15": 0.81,
            "node_memory_MemTotal_bytes": 25_274_793_984, "node_memory_HugePages_Total": 4, "node_memory_Active_anon_bytes": 1_077_248,
            #"node_disk_read_bytes_total{device="sda"}"#: 3_422_682 * 512, #"node_disk_read_time_seconds_total{device="sda"}"#: 23.595,
            #"node_disk_io_now{device="sda"}"#: 2, #"node_disk_written_bytes_total{device="dm-0"}"#: 48 * 512,
            #"node_disk_io_time_weighted_seconds_total{device="sda"}"#: 31.593,
            #"node_disk_discarded_sectors_total{device="dm-0"}"#: 8, #"node_disk_flush_requests_total{device="sda"}"#: 1941,
            #"node_filesystem_size_bytes{device="/dev/sda1",fstype="ext4",mountpoint="/"}"#: 4096,
            #"node_filesystem_avail_bytes{device="/dev/sda1",fstype="ext4",mountpoint="/"}"#: 2000,
            #"node_filesystem_files_free{device="/dev/sda1",fstype="ext4",mountpoint="/"}"#: 9,
            #"node_filesystem_device_error{device="/dev/sda1",fstype="ext4",mountpoint="/"}"#: 0,
            #"node_filesystem_device_error{device="server:/export",fstype="nfs4",mountpoint="/net/home"}"#: 1,
            "node_filesystem_readonly{device=\"/dev/sdb1\",fstype=\"xfs\",mountpoint=\"/data/my disk\t\\\\x\"}": 1,
            #"node_network_receive_bytes_total{device="eth0"}"#: 166_333_615, #"node_network_transmit_carrier_total{device="eth0"}"#: 11,
            #"node_network_up{device="eth0"}"#: 1, #"node_network_up{device="lo"}"#: 0, #"node_network_mtu_bytes{device="lo"}"#: 65536,
            #"node_network_speed_bytes{device="eth0"}"#: 125_000_000, #"node_network_carrier{device="eth0"}"#: 1,
            #"node_network_receive_nohandler_total{device="eth0"}"#: 8,
            "node_vmstat_pgmajfault": 1387, "node_vmstat_oom_kill": 2, "node_filefd_allocated": 1166,
            "node_sockstat_TCP_mem_bytes": 14 * Double(sysconf(Int32(_SC_PAGESIZE))), "node_sockstat_TCP6_inuse": 3,
            "node_sockstat_UDP_mem": -1,
            "node_netstat_Tcp_RetransSegs": 7, "node_netstat_TcpExt_ListenOverflows": 2, "node_netstat_Udp6_NoPorts": 6,
            "node_pressure_cpu_waiting_seconds_total": 137.558601, "node_pressure_io_stalled_seconds_total": 9.552130,
            #"node_scrape_collector_success{collector="cpu"}"#: 1,
        ]
        for (series, value) in expected { #expect(page.samples[series] == value, "\(series)") }
        #expect(page.series(of: "node_filesystem_size_bytes").count == 1, "a filesystem that could not be asked has no size")
        #expect(page.series(of: "node_network_speed_bytes").count == 1, "an unknown speed is left out")
        #expect(page.series(of: "node_disk_flush_requests_total").count == 1, "only devices that list it have it")
        #expect(Set(page.kinds.keys) == page.helped, "each family has HELP and TYPE")
        #expect(page.kinds["node_cpu_seconds_total"] == "counter" && page.kinds["node_load1"] == "gauge")
    }

    /// What each file's loss costs: the families that begin so.
    static let losses: [(file: String, collectors: Set<String>, prefixes: [String])] = [
        ("proc/stat", ["cpu", "stat"], ["node_cpu", "node_boot", "node_context", "node_forks", "node_intr", "node_procs"]),
        ("proc/loadavg", ["loadavg"], ["node_load"]),
        ("proc/meminfo", ["meminfo"], ["node_memory"]),
        ("proc/diskstats", ["diskstats"], ["node_disk"]),
        ("proc/1/mounts", ["filesystem"], ["node_filesystem"]),
        ("proc/net/dev", ["netdev"], netDevFamilies),
        ("sys/class/net", ["netclass"], ["node_network_up", "node_network_carrier", "node_network_mtu", "node_network_speed", nohandler]),
        ("proc/net/snmp", ["netstat"], ["node_netstat"]),
        ("proc/net/netstat", ["netstat"], ["node_netstat"]),
        ("proc/net/sockstat", ["sockstat"], ["node_sockstat"]),
        ("proc/vmstat", ["vmstat"], ["node_vmstat"]),
        ("proc/pressure/io", ["pressure"], ["node_pressure"]),
        ("proc/pressure", ["pressure"], ["node_pressure"]),
        ("proc/sys/fs/file-nr", ["filefd"], ["node_filefd"]),
    ]
    private static let nohandler = "node_network_receive_nohandler"
    private static let netDevFamilies = [
        "bytes", "packets", "errs", "drop", "fifo", "frame", "compressed", "multicast", "colls", "carrier",
    ].flatMap {
        ["node_network_receive_\($0)", "node_network_transmit_\($0)"]
    }

    @Test(arguments: losses.indices) func aMissingFileCostsItsCollectorOnly(index: Int) throws {
        let loss = HostExporterTests.losses[index]
        try FixtureTree.with { tree in
            let before = try steadySamples(exporter(tree).page())
            try tree.remove(loss.file)
            let scrape = exporter(tree).scrape()
            try check(scrape, before, loss)
        }
    }

    @Test(arguments: losses.indices) func anOddFileCostsItsCollectorOnly(index: Int) throws {
        let loss = HostExporterTests.losses[index]
        guard loss.file != "sys/class/net", loss.file != "proc/pressure" else { return }
        try FixtureTree.with { tree in
            let before = try steadySamples(exporter(tree).page())
            try tree.write(Array("\u{1}\u{2}what: is this\n".utf8) + [0xFF, 0xFE], to: loss.file)
            try check(exporter(tree).scrape(), before, loss)
        }
    }

    private func check(
        _ scrape: HostScrape, _ before: [String: Double], _ loss: (file: String, collectors: Set<String>, prefixes: [String])
    ) throws {
        #expect(Set(scrape.failures.map(\.collector)) == loss.collectors)
        let outcome = try PageReader(scrape.page).samples.filter { $0.key.hasPrefix("node_scrape_collector_success{") }
        #expect(outcome.count == 15)
        for (series, value) in outcome {
            let failed = loss.collectors.contains { series == "node_scrape_collector_success{collector=\"\($0)\"}" }
            #expect(value == (failed ? 0 : 1), "\(series)")
        }
        let kept = before.filter { sample in !loss.prefixes.contains { sample.key.hasPrefix($0) } }
        #expect(try steadySamples(scrape.page) == kept)
    }

    @Test func withoutIPv6NothingFails() throws {
        try FixtureTree.with { tree in
            try tree.remove("proc/net/snmp6")
            try tree.remove("proc/net/sockstat6")
            let scrape = exporter(tree).scrape()
            #expect(scrape.failures.isEmpty)
            #expect(try PageReader(scrape.page).samples["node_sockstat_TCP6_inuse"] == nil)
        }
    }

    @Test func mountsOfThisProcessServeWhereThoseOfProcess1AreHidden() throws {
        try FixtureTree.with { tree in
            try tree.remove("proc/1/mounts")
            try tree.write(Array("/dev/x / ext4 rw 0 0\n".utf8), to: "proc/self/mounts")
            let page = try PageReader(exporter(tree).page())
            #expect(
                page.series(of: "node_filesystem_size_bytes") == [
                    #"node_filesystem_size_bytes{device="/dev/x",fstype="ext4",mountpoint="/"}"#
                ])
        }
    }

    @Test func withNothingThereThePageStillStands() throws {
        try FixtureTree.with(proc: [:], sys: [:]) { tree in
            let scrape = exporter(tree).scrape()
            #expect(scrape.failures.count == 13)
            #expect(try PageReader(scrape.page).samples["node_time_seconds"] != nil)
            let first = try #require(scrape.failures.first)
            #expect("\(first.error)" == "\(tree.proc)/stat: No such file or directory")
        }
    }

    /// Whatever the files say, the page can be read and has no series twice.
    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func damagedFilesNeverDamageThePage(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        try FixtureTree.with { tree in
            for round in 0..<10 {
                for (path, text) in Fixture.proc.sorted(by: { $0.key < $1.key }) {
                    try tree.write(damaged(Array(text.utf8), &generator), to: "proc/" + path)
                }
                let page = exporter(tree).page()
                #expect(throws: Never.self, "seed \(seed), round \(round)") { try PageReader(page) }
            }
        }
    }

    private func damaged(_ bytes: [UInt8], _ generator: inout SplitMix64) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 0...2, using: &generator) {
            guard !bytes.isEmpty else { break }
            let at = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<5, using: &generator) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes.removeSubrange(at...)
            case 2: bytes.insert(contentsOf: Array(" -1\n\"\\:{}".utf8).shuffled(using: &generator).prefix(3), at: at)
            case 3: bytes.insert(contentsOf: bytes[at...].prefix(60), at: at)
            default: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...30, using: &generator)))
            }
        }
        return bytes
    }

    /// The parser that the scraper uses reads the same samples.
    @Test func expositionReadsThePage() throws {
        let page = HostExporter().page()
        var rows = ParsedPage()
        var parser = ExpositionParser(format: .prometheusText)
        try parser.parse(page, into: &rows)
        let expected = try PageReader(page).samples
        #expect(rows.count == expected.count)
        for row in 0..<rows.count {
            let series = String(decoding: page[rows.seriesRange(row)], as: UTF8.self)
            #expect(expected[series] == rows.values[row], "\(series)")
        }
    }

    @Test func thisMachineGivesAPage() throws {
        let scrape = HostExporter().scrape()
        let page = try PageReader(scrape.page)
        let failed = Set(scrape.failures.map(\.collector)).subtracting(["pressure", "netclass"])
        #expect(failed.isEmpty, "\(scrape.failures)")
        #expect((page.samples["node_memory_MemTotal_bytes"] ?? 0) > 0)
        #expect(page.series(of: "node_uname_info").count == 1)
    }
}
