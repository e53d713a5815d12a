import Glibc

/// The names of the system, as uname(2) gives them.
struct SystemNames: Equatable, Sendable {
    var system = ""
    var node = ""
    var release = ""
    var version = ""
    var machine = ""
    var domain = ""

    /// Asks the kernel.
    static func current() throws(HostFileError) -> SystemNames {
        var names = utsname()
        guard uname(&names) == 0 else { throw HostFileError(path: "uname", line: nil, reason: errnoText(errno)) }
        // Linux's struct is six fields of one length; by position, since the last field's name differs between C headers.
        return withUnsafeBytes(of: &names) { bytes in
            let length = bytes.count / 6
            func field(_ index: Int) -> String {
                String(decoding: bytes[(index * length)..<((index + 1) * length)].prefix { $0 != 0 }, as: UTF8.self)
            }
            return SystemNames(system: field(0), node: field(1), release: field(2), version: field(3), machine: field(4), domain: field(5))
        }
    }
}

extension PageWriter {
    mutating func writeUname(_ names: SystemNames) {
        family("node_uname_info", .gauge, "The names of the system; the value is always 1.")
        let labels = LabelText(
            ("domainname", names.domain), ("machine", names.machine), ("nodename", names.node), ("release", names.release),
            ("sysname", names.system), ("version", names.version))
        sample("node_uname_info", labels, .integer(1))
    }
}
