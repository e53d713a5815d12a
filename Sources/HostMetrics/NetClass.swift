import Glibc

/// What `/sys/class/net/DEVICE/` says about a network device. What the device cannot say (a carrier while it is down) is nil.
struct NetworkDevice: Equatable, Sendable {
    var device: String
    var isUp: Bool
    var carrier: UInt64?
    var mtu: UInt64?
    /// Bytes a second; nil when unknown.
    var speed: UInt64?
    /// Packets received that no protocol took; node exporter counts it among the traffic.
    var unhandled: UInt64?
}

/// Reads the devices in `classPath`. A device that vanishes meanwhile is left out.
func readNetworkDevices(_ classPath: String) throws(HostFileError) -> [NetworkDevice] {
    guard let directory = opendir(classPath) else { throw HostFileError(path: classPath, line: nil, reason: errnoText(errno)) }
    defer { closedir(directory) }
    var devices: [NetworkDevice] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
            pointer.withMemoryRebound(to: UInt8.self, capacity: MemoryLayout.size(ofValue: pointer.pointee)) { String(cString: $0) }
        }
        if name.hasPrefix(".") { continue }
        let path = classPath + "/" + name + "/"
        guard let state = try? readHostFile(path + "operstate") else { continue }
        // 1 Mbit/s is 125,000 bytes a second; an unknown speed reads -1 and is refused as a number.
        let megabits = readNumber(path + "speed").flatMap { $0 < UInt64(UInt32.max) ? $0 : nil }
        devices.append(
            NetworkDevice(
                device: name, isUp: state.starts(with: "up".utf8), carrier: readNumber(path + "carrier"), mtu: readNumber(path + "mtu"),
                speed: megabits.map { $0 * 125_000 }, unhandled: readNumber(path + "statistics/rx_nohandler")))
    }
    return devices.sorted { $0.device < $1.device }
}

private func readNumber(_ path: String) -> UInt64? {
    guard let bytes = try? readHostFile(path) else { return nil }
    return decimalNumber(bytes.prefix { $0 != UInt8(ascii: "\n") })
}

extension PageWriter {
    mutating func writeNetClass(_ devices: [NetworkDevice]) {
        let labels = devices.map { LabelText(("device", $0.device)) }
        func write(_ name: String, _ kind: MetricKind, _ help: String, _ page: inout PageWriter, _ value: (NetworkDevice) -> UInt64?) {
            guard devices.contains(where: { value($0) != nil }) else { return }
            page.family(name, kind, help)
            for (device, labels) in zip(devices, labels) {
                if let value = value(device) { page.sample(name, labels, .integer(value)) }
            }
        }
        write("node_network_up", .gauge, "1 if the device is up.", &self) { $0.isUp ? 1 : 0 }
        write("node_network_carrier", .gauge, "1 if the device has a carrier.", &self, \.carrier)
        write("node_network_mtu_bytes", .gauge, "The largest packet.", &self, \.mtu)
        write("node_network_speed_bytes", .gauge, "The speed of the link in bytes a second.", &self, \.speed)
        write("node_network_receive_nohandler_total", .counter, "Packets received that no protocol took.", &self, \.unhandled)
    }
}
