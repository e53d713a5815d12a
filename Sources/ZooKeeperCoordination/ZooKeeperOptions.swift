import Coordination

/// Where the ensemble is and what this process is called there.
package struct ZooKeeperOptions: Sendable {
    /// `host:port`, any of the ensemble's servers.
    package let hosts: [String]
    /// The folder that holds everything of this installation, "" or `/name/...`; it is made when missing.
    package let chroot: String
    /// What is asked for; the servers bound it to 2...20 of their ticks. After this time a process that has vanished is replaced.
    package var sessionTimeout: Duration = .seconds(6)
    package var credentials: ZooKeeperCredentials?
    /// Of this process: the same after a restart, different from every other's.
    package var memberName: String
    /// Those with the same group divide its names among them; nil for a process that takes no part and owns nothing.
    package var group: String? = "collect"
    /// How long a call waits for a connection before it fails.
    package var callTimeout: Duration = .seconds(10)

    /// - Parameter connection: `host1:2181,host2:2181/folder`, as the ZooKeeper clients take it.
    /// - Throws: `.invalid`, with what is wrong.
    package init(connection: String, memberName: String) throws(CoordinationError) {
        let slash = connection.firstIndex(of: "/") ?? connection.endIndex
        hosts = try connection[..<slash].split(separator: ",", omittingEmptySubsequences: false).map {
            host throws(CoordinationError) in try ZooKeeperOptions.checkedHost(String(host), in: connection)
        }
        chroot = try ZooKeeperOptions.checkedChroot(String(connection[slash...]), in: connection)
        if memberName.isEmpty || memberName.utf8.count > 200 {
            throw CoordinationError(.invalid, "a member's name has 1 to 200 bytes; give each process its own")
        }
        self.memberName = memberName
    }

    /// `host:port` for people.
    package var place: String { hosts.joined(separator: ",") + chroot }

    private static func checkedHost(_ host: String, in connection: String) throws(CoordinationError) -> String {
        // The port is behind the last colon; an IPv6 address stands in brackets.
        guard let colon = host.lastIndex(of: ":"), colon != host.startIndex, let port = UInt16(host[host.index(after: colon)...]), port > 0,
            host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else {
            throw CoordinationError(.invalid, "\"\(host)\" in \"\(connection)\" is no host:port; write host1:2181,host2:2181/folder")
        }
        return host
    }

    private static func checkedChroot(_ path: String, in connection: String) throws(CoordinationError) -> String {
        if path.isEmpty || path == "/" { return "" }
        let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        guard parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." && $0.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F } }) else {
            throw CoordinationError(.invalid, "\"\(path)\" in \"\(connection)\" is no folder; write /name or /name/name")
        }
        if parts.first == "zookeeper" {
            throw CoordinationError(.invalid, "\"\(path)\": /zookeeper belongs to ZooKeeper itself; choose another folder")
        }
        return path
    }
}

/// `user:password` for ZooKeeper's digest scheme. Does not print itself.
package struct ZooKeeperCredentials: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    let text: String

    /// - Throws: `.invalid`; the error does not hold the text.
    package init(_ text: String) throws(CoordinationError) {
        var trimmed = text[...]
        while trimmed.last == "\n" || trimmed.last == "\r\n" || trimmed.last == "\r" { trimmed = trimmed.dropLast() }
        guard let colon = trimmed.firstIndex(of: ":"), colon != trimmed.startIndex, trimmed.index(after: colon) != trimmed.endIndex,
            !trimmed.utf8.contains(where: { $0 < 0x20 })
        else { throw CoordinationError(.invalid, "ZooKeeper's credentials are one line, user:password") }
        self.text = String(trimmed)
    }

    package var description: String { "(credentials)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
