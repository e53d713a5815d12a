/// One line of `/proc/net/dev`: 8 counters of what was received, then 8 of what was sent.
struct NetworkCounters: Equatable, Sendable {
    var device: String
    var values: [UInt64]
}

/// Parses `/proc/net/dev` (proc_net(5)). Counters after the known 16 are left alone.
func parseNetDev(_ bytes: [UInt8]) throws(ParseFailure) -> [NetworkCounters] {
    var devices: [NetworkCounters] = []
    var seen = Set<String>()
    var scanner = TextScanner(bytes)
    while scanner.nextLine() {
        // The two lines of the heading have a bar.
        if scanner.line <= 2 && scanner.rest.contains(UInt8(ascii: "|")) { continue }
        if scanner.rest.allSatisfy({ $0 == UInt8(ascii: " ") }) { continue }
        guard let name = scanner.prefix(toLast: UInt8(ascii: ":")), !name.isEmpty else {
            throw scanner.failure("a device with a colon expected")
        }
        var values: [UInt64] = []
        values.reserveCapacity(networkColumns.count)
        while values.count < networkColumns.count, let value = try scanner.unsignedIfAny() { values.append(value) }
        guard values.count == networkColumns.count else { throw scanner.failure("\(values.count) counters, 16 expected") }
        let device = name.text
        guard seen.insert(device).inserted else { throw scanner.failure("\(device) is listed twice") }
        devices.append(NetworkCounters(device: device, values: values))
    }
    return devices
}

/// The columns of the file in its order.
private let networkColumns: [(name: String, help: String)] = [
    ("node_network_receive_bytes_total", "Bytes received."),
    ("node_network_receive_packets_total", "Packets received."),
    ("node_network_receive_errs_total", "Packets received with an error."),
    ("node_network_receive_drop_total", "Packets received and dropped."),
    ("node_network_receive_fifo_total", "Packets lost because the receive queue overran."),
    ("node_network_receive_frame_total", "Packets received with a bad frame."),
    ("node_network_receive_compressed_total", "Compressed packets received."),
    ("node_network_receive_multicast_total", "Multicast packets received."),
    ("node_network_transmit_bytes_total", "Bytes sent."),
    ("node_network_transmit_packets_total", "Packets sent."),
    ("node_network_transmit_errs_total", "Packets that could not be sent."),
    ("node_network_transmit_drop_total", "Packets dropped before they were sent."),
    ("node_network_transmit_fifo_total", "Packets lost because the send queue overran."),
    ("node_network_transmit_colls_total", "Collisions while sending."),
    ("node_network_transmit_carrier_total", "Packets lost because the carrier was lost."),
    ("node_network_transmit_compressed_total", "Compressed packets sent."),
]

extension PageWriter {
    mutating func writeNetDev(_ devices: [NetworkCounters]) {
        guard !devices.isEmpty else { return }
        let labels = devices.map { LabelText(("device", $0.device)) }
        for (index, column) in networkColumns.enumerated() {
            family(column.name, .counter, column.help)
            for (device, labels) in zip(devices, labels) { sample(column.name, labels, .integer(device.values[index])) }
        }
    }
}
