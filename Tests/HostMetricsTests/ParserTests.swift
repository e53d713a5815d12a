import Testing

@testable import HostMetrics

/// Golden values of the parsers over the fixtures, and what they say of odd files.
@Suite struct ParserTests {
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test func stat() throws {
        let stat = try parseStat(bytes(Fixture.stat))
        #expect(
            stat.cpus == [
                CPUTicks(cpu: 0, ticks: [30609, 5, 2460, 54118, 1024, 0, 34, 46, 7, 3]),
                CPUTicks(cpu: 1, ticks: [30978, 7, 2336, 54624, 278, 0, 56, 47, 0, 0]),
            ])
        #expect(stat.interrupts == 392174)
        #expect(stat.contextSwitches == 461623)
        #expect(stat.bootTime == 1_795_217_536)
        #expect(stat.forks == 11431)
        #expect(stat.running == 5)
        #expect(stat.blocked == 1)
    }

    @Test func statOfAnOldKernelHasFewerColumns() throws {
        let stat = try parseStat(bytes("cpu0 1 2 3 4\n"))
        #expect(stat.cpus == [CPUTicks(cpu: 0, ticks: [1, 2, 3, 4, 0, 0, 0, 0, 0, 0])])
        #expect(stat.interrupts == nil)
    }

    @Test func loadAverage() throws {
        #expect(try parseLoadAverage(bytes(Fixture.loadavg)) == LoadAverage(one: 3.49, five: 1.86, fifteen: 0.81))
    }

    @Test func meminfo() throws {
        #expect(
            try parseMeminfo(bytes(Fixture.meminfo)) == [
                MemoryField(name: "MemTotal_bytes", value: 25_274_793_984),
                MemoryField(name: "MemFree_bytes", value: 23_147_700_224),
                MemoryField(name: "Active_anon_bytes", value: 1_077_248),
                MemoryField(name: "Committed_AS_bytes", value: 711_581_696),
                MemoryField(name: "VmallocTotal_bytes", value: 35_184_372_087_808),
                MemoryField(name: "HugePages_Total", value: 4),
                MemoryField(name: "HugePages_Free", value: 3),
                MemoryField(name: "Hugepagesize_bytes", value: 2_097_152),
                MemoryField(name: "DirectMap4k_bytes", value: 35_651_584),
            ])
    }

    @Test func diskstats() throws {
        let disks = try parseDiskstats(bytes(Fixture.diskstats))
        #expect(disks.map(\.device) == ["sda", "nvme0n1", "dm-0"])
        #expect(disks.map(\.values.count) == [17, 11, 15])
        #expect(
            disks.first?.values == [
                28129, 5991, 3_422_682, 23595, 15531, 33360, 3_580_560, 7629, 2, 13912, 31593, 3284, 7, 492720, 324, 1941, 43,
            ])
    }

    @Test func mounts() throws {
        let mounts = try parseMounts(bytes(Fixture.mounts), rootfs: "/")
        #expect(mounts.map(\.mountPoint) == ["/", "/run", "/data/my disk\t\\x", "/net/home"])
        #expect(mounts.map(\.device) == ["/dev/sda1", "tmpfs", "/dev/sdb1", "server:/export"])
        #expect(mounts.map(\.fileSystem) == ["ext4", "tmpfs", "xfs", "nfs4"])
        #expect(mounts.map(\.isReadOnly) == [false, false, true, false], "errors=remount-ro is not read-only")
    }

    @Test func mountsSeenFromAContainer() throws {
        let table = "/dev/a /host ext4 rw 0 0\n/dev/b /host/data ext4 rw 0 0\n/dev/c /hosts ext4 rw 0 0\nproc /host/proc/x ext4 rw 0 0\n"
        #expect(try parseMounts(bytes(table), rootfs: "/host").map(\.mountPoint) == ["/", "/data", "/hosts"])
    }

    @Test func mountPointThatIsNotUTF8KeepsItsPath() throws {
        let mounts = try parseMounts(bytes("/dev/a /x\\377y ext4 rw 0 0\n"), rootfs: "/")
        #expect(mounts.first?.path == [0x2F, 0x78, 0xFF, 0x79])
        #expect(mounts.first?.mountPoint == "/x\u{FFFD}y")
    }

    @Test func netDev() throws {
        let devices = try parseNetDev(bytes(Fixture.netDev))
        #expect(devices.map(\.device) == ["lo", "eth0", "vlan0:1"])
        #expect(devices[1].values == [166_333_615, 5149, 1, 2, 3, 4, 5, 6, 195943, 2830, 7, 8, 9, 10, 11, 12])
    }

    @Test func vmstat() throws {
        let fields = try parseVmstat(bytes(Fixture.vmstat))
        #expect(fields.map(\.name) == ["pgpgin", "pgpgout", "pswpin", "pswpout", "pgfault", "pgmajfault", "oom_kill"])
        #expect(fields.first?.value == .integer(1_740_929))
    }

    @Test func fileHandles() throws {
        #expect(try parseFileHandles(bytes(Fixture.fileNr)) == FileHandles(allocated: 1166, maximum: 9_223_372_036_854_775_807))
    }

    @Test func sockstat() throws {
        let statistics = try parseSockstat(bytes(Fixture.sockstat), pageSize: 4096)
        #expect(
            statistics.map(\.name) == [
                "sockets_used", "TCP_inuse", "TCP_orphan", "TCP_tw", "TCP_alloc", "TCP_mem", "TCP_mem_bytes", "UDP_inuse", "UDP_mem",
                "FRAG_inuse", "FRAG_memory",
            ])
        #expect(statistics[6].value == .integer(57344))
        #expect(statistics[8].value == .signed(-1))
    }

    @Test func pressure() throws {
        #expect(try parsePressure(bytes(Fixture.pressureIO)) == Pressure(some: 10_713_385, full: 9_552_130))
        #expect(try parsePressure(bytes("some avg10=0.00 total=7\n")) == Pressure(some: 7, full: nil))
    }

    @Test func netstat() throws {
        let snmp = try parseNetstat(bytes(Fixture.snmp))
        #expect(
            snmp.map(\.name) == [
                "Ip_Forwarding", "Icmp_InMsgs", "Icmp_InErrors", "Icmp_OutMsgs", "Tcp_ActiveOpens", "Tcp_CurrEstab", "Tcp_RetransSegs",
                "Tcp_InErrs", "UdpLite_InErrors",
            ])
        #expect(snmp[6].value == .integer(7))
        let netstat = try parseNetstat(bytes(Fixture.netstat))
        #expect(
            netstat.map(\.name) == [
                "TcpExt_SyncookiesSent", "TcpExt_ListenOverflows", "TcpExt_TCPTimeouts", "IpExt_InOctets", "IpExt_OutOctets",
            ])
        #expect(netstat.map(\.value) == [.integer(1), .integer(2), .integer(3), .integer(166_324_075), .integer(218_421)])
        let six = try parseNetstat6(bytes(Fixture.snmp6))
        #expect(six.map(\.name) == ["Ip6_InOctets", "Icmp6_InErrors", "Udp6_NoPorts", "UdpLite6_InErrors"])
        #expect(six.map(\.value) == [.integer(352), .integer(1), .integer(6), .integer(0)])
    }
}

/// Each odd file is refused with the line and what is wrong there.
@Suite struct MalformedFileTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let text: String
        let line: Int?
        let reason: String
        let parse: @Sendable ([UInt8]) throws(ParseFailure) -> Void
        var testDescription: String { name }

        init(
            _ name: String, _ text: String, _ line: Int?, _ reason: String,
            _ parse: @escaping @Sendable ([UInt8]) throws(ParseFailure) -> Void
        ) {
            (self.name, self.text, self.line, self.reason, self.parse) = (name, text, line, reason, parse)
        }
    }

    static let stat: @Sendable ([UInt8]) throws(ParseFailure) -> Void = { bytes throws(ParseFailure) in _ = try parseStat(bytes) }
    static let load: @Sendable ([UInt8]) throws(ParseFailure) -> Void = { bytes throws(ParseFailure) in _ = try parseLoadAverage(bytes) }
    static let memory: @Sendable ([UInt8]) throws(ParseFailure) -> Void = { bytes throws(ParseFailure) in _ = try parseMeminfo(bytes) }
    static let disk: @Sendable ([UInt8]) throws(ParseFailure) -> Void = { bytes throws(ParseFailure) in _ = try parseDiskstats(bytes) }
    static let mounts: @Sendable ([UInt8]) throws(ParseFailure) -> Void = { bytes throws(ParseFailure) in
        _ = try parseMounts(bytes, rootfs: "/")
    }
    static let net: @Sendable ([UInt8]) throws(ParseFailure) -> Void = { bytes throws(ParseFailure) in _ = try parseNetDev(bytes) }
    static let sockets: @Sendable ([UInt8]) throws(ParseFailure) -> Void = { bytes throws(ParseFailure) in
        _ = try parseSockstat(bytes, pageSize: 4096)
    }
    static let pressure: @Sendable ([UInt8]) throws(ParseFailure) -> Void = { bytes throws(ParseFailure) in _ = try parsePressure(bytes) }
    static let netstat: @Sendable ([UInt8]) throws(ParseFailure) -> Void = { bytes throws(ParseFailure) in _ = try parseNetstat(bytes) }

    static let cases: [Case] = [
        Case("stat: empty", "", nil, "no line of a processor", stat),
        Case("stat: word", "cpu0 1 2 x 4\n", 1, "\"x\" is not a number", stat),
        Case("stat: short", "ctxt 1\ncpu0 1 2 3\n", 2, "3 columns of a processor, 4 or more expected", stat),
        Case("stat: twice", "cpu0 1 2 3 4\ncpu0 1 2 3 4\n", nil, "a processor is listed twice", stat),
        Case("stat: too large", "cpu0 1 2 3 99999999999999999999\n", 1, "\"99999999999999999999\" is not a number", stat),
        Case("stat: no value", "cpu0 1 2 3 4\nctxt\n", 2, "the count of context switches is missing", stat),
        Case("loadavg: empty", "", nil, "the file is empty", load),
        Case("loadavg: two", "1 2\n", 1, "three load averages expected", load),
        Case("loadavg: not finite", "1 nan 3\n", 1, "\"nan\" is not a number", load),
        Case("meminfo: empty", "", nil, "the file is empty", memory),
        Case("meminfo: no colon", "MemTotal 1 kB\n", 1, "a name with a colon expected", memory),
        Case("meminfo: unit", "MemTotal: 1 MB\n", 1, "a unit other than kB", memory),
        Case("meminfo: name", "Mem-Total: 1 kB\n", 1, "an odd name", memory),
        Case("meminfo: twice", "A: 1 kB\nA: 1 kB\n", 2, "A_bytes is listed twice", memory),
        Case("meminfo: beyond 64 bits", "A: 18446744073709551615 kB\n", 1, "a value beyond 64 bits", memory),
        Case("diskstats: short", "8 0 sda 1 2 3\n", 1, "3 statistics, 11 or more expected", disk),
        Case("diskstats: twice", "8 0 x 1 1 1 1 1 1 1 1 1 1 1\n8 0 x 1 1 1 1 1 1 1 1 1 1 1\n", 2, "x is listed twice", disk),
        Case("diskstats: no name", "8 0\n", 1, "major, minor and name expected", disk),
        Case("mounts: short", "/dev/sda /\n", 1, "device, mount point, type and options expected", mounts),
        Case("net/dev: no colon", "eth0 1 2\n", 1, "a device with a colon expected", net),
        Case("net/dev: short", "eth0: 1 2\n", 1, "2 counters, 16 expected", net),
        Case("sockstat: no colon", "TCP inuse 1\n", 1, "a protocol with a colon expected", sockets),
        Case("sockstat: no value", "TCP: inuse\n", 1, "the value of TCP_inuse is missing", sockets),
        Case("sockstat: twice", "TCP: inuse 1 inuse 2\n", 1, "TCP_inuse is listed twice", sockets),
        Case("pressure: no total", "some avg10=0.00\n", 1, "total= is missing", pressure),
        Case("pressure: odd", "half total=1\n", nil, "neither some nor full", pressure),
        Case("netstat: odd pair", "Tcp: A B\nUdp: 1 2\n", 2, "a protocol with a colon, as on the line before, expected", netstat),
        Case("netstat: single", "Tcp: A B\n", 1, "a line of names without its values", netstat),
        Case("netstat: fewer", "Tcp: A B\nTcp: 1\n", 2, "fewer values than names", netstat),
        Case("netstat: more", "Tcp: A B\nTcp: 1 2 3\n", 2, "more values than names", netstat),
    ]

    @Test(arguments: cases) func isRefused(_ odd: Case) {
        #expect(throws: ParseFailure(line: odd.line, reason: odd.reason)) { try odd.parse(Array(odd.text.utf8)) }
    }
}
