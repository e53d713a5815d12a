import Glibc
import Telemetry

/// What Prometheus' client libraries say of their own process, and which program it is.
enum ProcessMetrics {
    static func register(_ registry: MetricRegistry) {
        registry.gauge(
            "almanac_build_info", help: "Always 1; the labels say what is running.",
            labels: [("version", Version.number), ("swift", Version.swift)]
        ).set(1)
        let start = SystemClock().now()
        registry.gauge("process_start_time_seconds", help: "When the process began, seconds since 1970.").set(Double(start) / 1000)
        let memory = registry.gauge("process_resident_memory_bytes", help: "Memory of the process.")
        let files = registry.gauge("process_open_fds", help: "Open files and sockets.")
        let cpu = registry.gauge("almanac_process_cpu_seconds", help: "User and system time of the process since it began.")
        registry.onCollect {
            if let bytes = residentBytes() { memory.set(Double(bytes)) }
            if let count = openFiles() { files.set(Double(count)) }
            var usage = rusage()
            if getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 { cpu.set(seconds(usage.ru_utime) + seconds(usage.ru_stime)) }
        }
    }

    private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }

    /// The second number of /proc/self/statm, in pages.
    private static func residentBytes() -> Int? {
        let fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var buffer = [UInt8](repeating: 0, count: 128)
        let n = read(fd, &buffer, buffer.count)
        let numbers = String(decoding: buffer.prefix(max(0, n)), as: UTF8.self).split(separator: " ")
        guard numbers.count > 1, let pages = Int(numbers[1]) else { return nil }
        return pages * sysconf(Int32(_SC_PAGESIZE))
    }

    private static func openFiles() -> Int? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // Less ".", ".." and the directory itself.
        return max(0, count - 3)
    }
}
