import Glibc
import Synchronization

/// The metrics of the machine this process runs on, under node exporter's names, in the Prometheus text format.
/// Reads the files of `/proc` and `/sys`. A file that is missing or odd costs its collector
/// (`node_scrape_collector_success` 0), never the page. Pages may be asked for from several threads.
package struct HostExporter: Sendable {
    private let procRoot: String
    private let sysRoot: String
    private let rootfs: String
    private let memory: Memory

    /// What is kept from page to page.
    private final class Memory: Sendable {
        let ticks = Mutex(CPUTicksGuard())
        let filesystems: FilesystemProbe
        init(_ filesystems: FilesystemProbe) { self.filesystems = filesystems }
    }

    /// - Parameter rootfs: where the host's root is mounted, if this process runs in a container.
    package init(procRoot: String = "/proc", sysRoot: String = "/sys", rootfs: String = "/") {
        self.init(procRoot: procRoot, sysRoot: sysRoot, rootfs: rootfs, filesystems: FilesystemProbe())
    }

    init(procRoot: String, sysRoot: String, rootfs: String, filesystems: FilesystemProbe) {
        func trimmed(_ path: String) -> String { path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path }
        self.procRoot = trimmed(procRoot)
        self.sysRoot = trimmed(sysRoot)
        self.rootfs = trimmed(rootfs)
        memory = Memory(filesystems)
    }

    /// The page for one scrape. Blocks the calling thread: about a millisecond, and one second at most when a network filesystem
    /// stops answering, once until it answers again.
    package func page() -> [UInt8] { scrape().page }

    /// The page, and why collectors that failed did: for the log.
    package func scrape() -> HostScrape {
        var collection = Collection()
        collectProcessors(&collection)
        collection.run("loadavg", "\(procRoot)/loadavg", parseLoadAverage) { $0.writeLoadAverage($1) }
        collection.run("meminfo", "\(procRoot)/meminfo", parseMeminfo) { $0.writeMeminfo($1) }
        collection.run("diskstats", "\(procRoot)/diskstats", parseDiskstats) { $0.writeDiskstats($1) }
        collection.run("filesystem", collectFilesystems)
        collection.run("netdev", "\(procRoot)/net/dev", parseNetDev) { $0.writeNetDev($1) }
        collection.run("netclass", collectNetClass)
        collection.run("netstat", collectNetstat)
        collection.run("sockstat", collectSockstat)
        collection.run("vmstat", "\(procRoot)/vmstat", parseVmstat) { $0.writeVmstat($1) }
        collection.run("pressure", collectPressure)
        collection.run("filefd", "\(procRoot)/sys/fs/file-nr", parseFileHandles) { $0.writeFileHandles($1) }
        collection.run("uname", collectUname)
        collection.run("time", collectTime)
        return collection.finish()
    }

    /// `/proc/stat` feeds two of node exporter's collectors and is read once.
    private func collectProcessors(_ collection: inout Collection) {
        var stat: KernelStat?
        collection.run("cpu", "\(procRoot)/stat", parseStat) { page, parsed in
            stat = parsed
            page.writeCPU(memory.ticks.withLock { $0.steady(parsed.cpus) })
        }
        collection.run("stat") { page throws(HostFileError) in
            guard let stat else { throw HostFileError(path: "\(procRoot)/stat", line: nil, reason: "not usable, see the collector cpu") }
            page.writeKernelCounters(stat)
        }
    }

    /// Process 1 sees the host's mounts even where this process lives in a container that shares the host's processes.
    private func collectFilesystems(_ page: inout PageWriter) throws(HostFileError) {
        func parse(_ bytes: [UInt8]) throws(ParseFailure) -> [Mount] { try parseMounts(bytes, rootfs: rootfs) }
        let own = "\(procRoot)/self/mounts"
        let bytes: [UInt8]
        do { bytes = try readHostFile("\(procRoot)/1/mounts") } catch { bytes = try readHostFile(own) }
        let mounts: [Mount]
        do { mounts = try parse(bytes) } catch { throw HostFileError(path: own, line: error.line, reason: error.reason) }
        page.writeFilesystems(mounts, memory.filesystems.usage(of: mounts, rootfs: rootfs))
    }

    /// Without IPv6 there is no `snmp6`.
    private func collectNetstat(_ page: inout PageWriter) throws(HostFileError) {
        var fields = try parseHostFile("\(procRoot)/net/snmp", parseNetstat)
        fields += try parseHostFile("\(procRoot)/net/netstat", parseNetstat)
        if isThere("\(procRoot)/net/snmp6") { fields += try parseHostFile("\(procRoot)/net/snmp6", parseNetstat6) }
        page.writeNetstat(fields)
    }

    /// Without IPv6 there is no `sockstat6`.
    private func collectSockstat(_ page: inout PageWriter) throws(HostFileError) {
        let pageSize = UInt64(max(sysconf(Int32(_SC_PAGESIZE)), 0))
        func parse(_ bytes: [UInt8]) throws(ParseFailure) -> [SocketStatistic] { try parseSockstat(bytes, pageSize: pageSize) }
        var statistics = try parseHostFile("\(procRoot)/net/sockstat", parse)
        let known = Set(statistics.map(\.name))
        if isThere("\(procRoot)/net/sockstat6") {
            statistics += try parseHostFile("\(procRoot)/net/sockstat6", parse).filter { !known.contains($0.name) }
        }
        page.writeSockstat(statistics)
    }

    /// Kernels before 4.20, and those built without it, have no `/proc/pressure`.
    private func collectPressure(_ page: inout PageWriter) throws(HostFileError) {
        page.writePressure(
            cpu: try parseHostFile("\(procRoot)/pressure/cpu", parsePressure),
            memory: try parseHostFile("\(procRoot)/pressure/memory", parsePressure),
            io: try parseHostFile("\(procRoot)/pressure/io", parsePressure))
    }

    private func collectNetClass(_ page: inout PageWriter) throws(HostFileError) {
        page.writeNetClass(try readNetworkDevices("\(sysRoot)/class/net"))
    }

    private func collectUname(_ page: inout PageWriter) throws(HostFileError) { page.writeUname(try SystemNames.current()) }

    private func collectTime(_ page: inout PageWriter) {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let microseconds = UInt64(max(now.tv_sec, 0)) * 1_000_000 + UInt64(now.tv_nsec) / 1000
        page.single("node_time_seconds", .gauge, "The time of the machine, in seconds since 1970.", .decimal(microseconds, digits: 6))
    }

    private func isThere(_ path: String) -> Bool { access(path, F_OK) == 0 }
}

/// One page of the host exporter.
package struct HostScrape: Sendable {
    package let page: [UInt8]
    /// The collectors that gave nothing, in the order of the page. On a usual kernel there is none.
    package let failures: [(collector: String, error: HostFileError)]
}

/// The page while it grows, and how each collector fared.
private struct Collection {
    private var page = PageWriter()
    private var outcomes: [(labels: LabelText, nanoseconds: UInt64, succeeded: Bool)] = []
    private var failures: [(collector: String, error: HostFileError)] = []

    /// A collector of one file.
    mutating func run<Parsed>(
        _ collector: String, _ path: String, _ parse: ([UInt8]) throws(ParseFailure) -> Parsed,
        _ write: (inout PageWriter, Parsed) -> Void
    ) {
        run(collector) { page throws(HostFileError) in write(&page, try parseHostFile(path, parse)) }
    }

    mutating func run(_ collector: String, _ body: (inout PageWriter) throws(HostFileError) -> Void) {
        let start = monotonicNanoseconds()
        let mark = page.bytes.count
        var succeeded = true
        do {
            try body(&page)
        } catch {
            page.truncate(to: mark)
            failures.append((collector, error))
            succeeded = false
        }
        outcomes.append((LabelText(("collector", collector)), monotonicNanoseconds() - start, succeeded))
    }

    mutating func finish() -> HostScrape {
        page.family("node_scrape_collector_duration_seconds", .gauge, "How long the collector took.")
        for outcome in outcomes {
            page.sample("node_scrape_collector_duration_seconds", outcome.labels, .decimal(outcome.nanoseconds, digits: 9))
        }
        page.family("node_scrape_collector_success", .gauge, "1 if the collector succeeded.")
        for outcome in outcomes { page.sample("node_scrape_collector_success", outcome.labels, .integer(outcome.succeeded ? 1 : 0)) }
        return HostScrape(page: page.bytes, failures: failures)
    }
}
