import Foundation

/// Files of a small machine with two processors, as its kernel (6.1) writes them.
enum Fixture {
    static let stat = """
        cpu  61587 12 4796 108742 1302 0 90 93 7 3
        cpu0 30609 5 2460 54118 1024 0 34 46 7 3
        cpu1 30978 7 2336 54624 278 0 56 47 0 0
        intr 392174 0 0 9 0 0 0 0 0 0 0 0 0
        ctxt 461623
        btime 1795217536
        processes 11431
        procs_running 5
        procs_blocked 1
        softirq 98124 0 22021 3 3128 0 0 4 31000 0 41968

        """

    static let loadavg = "3.49 1.86 0.81 5/212 11431\n"

    static let meminfo = """
        MemTotal:       24682416 kB
        MemFree:        22605176 kB
        Active(anon):       1052 kB
        Committed_AS:     694904 kB
        VmallocTotal:   34359738367 kB
        HugePages_Total:       4
        HugePages_Free:        3
        Hugepagesize:       2048 kB
        DirectMap4k:       34816 kB

        """

    static let diskstats = """
           7       0 loop0 1 0 8 0 0 0 0 0 0 0 0 0 0 0 0 0 0
           8       0 sda 28129 5991 3422682 23595 15531 33360 3580560 7629 2 13912 31593 3284 7 492720 324 1941 43
           8       1 sda1 28000 5991 3422000 23500 15531 33360 3580560 7629 0 13912 31593 0 0 0 0 0 0
         259       0 nvme0n1 10 0 80 4 0 0 0 0 0 4 4
         259       1 nvme0n1p1 10 0 80 4 0 0 0 0 0 4 4
         253       0 dm-0 5 0 40 1 6 0 48 2 0 3 3 1 0 8 1

        """

    static let mounts = #"""
        proc /proc proc rw,relatime 0 0
        /dev/sda1 / ext4 rw,relatime,errors=remount-ro 0 0
        tmpfs /run tmpfs rw,nosuid 0 0
        none /run/credentials/systemd-sysusers.service ramfs ro,nosuid 0 0
        /dev/sdb1 /data/my\040disk\011\134x xfs ro,noatime 0 0
        /dev/sdb1 /data/my\040disk\011\134x xfs ro,noatime 0 0
        overlay /var/lib/docker/overlay2/abc/merged overlay rw 0 0
        server:/export /net/home nfs4 rw,vers=4.2 0 0

        """#

    static let netDev = """
        Inter-|   Receive                                                |  Transmit
         face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
            lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0
          eth0:166333615    5149    1    2    3     4          5         6   195943    2830    7    8    9    10      11         12
        vlan0:1: 5 1 0 0 0 0 0 0 6 1 0 0 0 0 0 0

        """

    static let vmstat = """
        nr_free_pages 5651294
        pgpgin 1740929
        pgpgout 1804664
        pswpin 0
        pswpout 3
        pgalloc_dma 512
        pgfault 11503044
        pgmajfault 1387
        oom_kill 2
        numa_hit 99

        """

    static let fileNr = "1166\t0\t9223372036854775807\n"

    static let sockstat = """
        sockets: used 25
        TCP: inuse 1 orphan 0 tw 2 alloc 4 mem 14
        UDP: inuse 0 mem -1
        FRAG: inuse 0 memory 0

        """

    static let sockstat6 = """
        TCP6: inuse 3
        UDP6: inuse 0

        """

    static let pressureCPU = """
        some avg10=0.00 avg60=10.41 avg300=21.54 total=137558601
        full avg10=0.00 avg60=0.00 avg300=0.00 total=0

        """
    static let pressureMemory = """
        some avg10=0.00 avg60=0.00 avg300=0.00 total=5
        full avg10=0.00 avg60=0.00 avg300=0.00 total=4

        """
    static let pressureIO = """
        some avg10=0.00 avg60=0.18 avg300=0.44 total=10713385
        full avg10=0.00 avg60=0.04 avg300=0.25 total=9552130

        """

    static let snmp = """
        Ip: Forwarding DefaultTTL InReceives
        Ip: 2 64 5205
        Icmp: InMsgs InErrors OutMsgs
        Icmp: 1 0 9
        IcmpMsg: InType3
        IcmpMsg: 1
        Tcp: RtoAlgorithm MaxConn ActiveOpens CurrEstab RetransSegs InErrs
        Tcp: 1 -1 12 2 7 0
        UdpLite: InDatagrams InErrors
        UdpLite: 0 0

        """

    static let netstat = """
        TcpExt: SyncookiesSent ListenOverflows TW TCPTimeouts
        TcpExt: 1 2 12 3
        IpExt: InOctets OutOctets InNoECTPkts
        IpExt: 166324075 218421 5205
        MPTcpExt: MPCapableSYNRX
        MPTcpExt: 0

        """

    static let snmp6 = """
        Ip6InReceives                   \t4
        Ip6InOctets                     \t352
        Icmp6InErrors                   \t1
        Udp6NoPorts                     \t6
        UdpLite6InErrors                \t0

        """

    /// Below the root of `/proc`, by path.
    static let proc: [String: String] = [
        "stat": stat, "loadavg": loadavg, "meminfo": meminfo, "diskstats": diskstats, "1/mounts": mounts, "net/dev": netDev,
        "vmstat": vmstat, "sys/fs/file-nr": fileNr, "net/sockstat": sockstat, "net/sockstat6": sockstat6, "pressure/cpu": pressureCPU,
        "pressure/memory": pressureMemory, "pressure/io": pressureIO, "net/snmp": snmp, "net/netstat": netstat, "net/snmp6": snmp6,
    ]

    /// Below the root of `/sys`, by path.
    static let sys: [String: String] = [
        "class/net/eth0/operstate": "up\n", "class/net/eth0/carrier": "1\n", "class/net/eth0/mtu": "1400\n",
        "class/net/eth0/speed": "1000\n", "class/net/eth0/statistics/rx_nohandler": "8\n",
        "class/net/lo/operstate": "unknown\n", "class/net/lo/mtu": "65536\n", "class/net/lo/speed": "-1\n",
        "class/net/bonding_masters": "bond0\n",
    ]
}

/// A temporary folder with `proc` and `sys`.
struct FixtureTree {
    private let root: URL
    var proc: String { root.appendingPathComponent("proc").path }
    var sys: String { root.appendingPathComponent("sys").path }

    /// Runs `body` with the tree, then removes it.
    static func with<Result>(
        proc: [String: String] = Fixture.proc, sys: [String: String] = Fixture.sys, _ body: (FixtureTree) throws -> Result
    ) throws -> Result {
        let tree = FixtureTree(root: FileManager.default.temporaryDirectory.appendingPathComponent("host-metrics-\(UUID().uuidString)"))
        defer { try? FileManager.default.removeItem(at: tree.root) }
        for (path, text) in proc { try tree.write(Array(text.utf8), to: "proc/" + path) }
        for (path, text) in sys { try tree.write(Array(text.utf8), to: "sys/" + path) }
        return try body(tree)
    }

    private init(root: URL) { self.root = root }

    func write(_ bytes: [UInt8], to path: String) throws {
        let file = root.appendingPathComponent(path)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
    }

    func remove(_ path: String) throws { try FileManager.default.removeItem(at: root.appendingPathComponent(path)) }
}
