import Coordination
import Logging
import Testing

@testable import ZooKeeperCoordination

@Suite struct ZooKeeperOptionsTests {
    @Test(arguments: [
        ("a:2181", ["a:2181"], ""), ("a:1,b:2,[::1]:3/almanac", ["a:1", "b:2", "[::1]:3"], "/almanac"), ("a:1/", ["a:1"], ""),
        ("a:1/x/y", ["a:1"], "/x/y"),
    ]) func connections(_ text: String, _ hosts: [String], _ chroot: String) throws {
        let options = try ZooKeeperOptions(connection: text, memberName: "m")
        #expect(options.hosts == hosts && options.chroot == chroot)
    }

    @Test(arguments: [
        "", "a", "a:", ":1", "a:0", "a:70000", "a:x", "a:1,", ",a:1", "a:1,,b:2", "a b:1", "a:1//", "a:1/x/", "a:1/../x", "a:1/zookeeper/x",
        "/x",
    ]) func badConnections(_ text: String) {
        let error = #expect(throws: CoordinationError.self) { try ZooKeeperOptions(connection: text, memberName: "m") }
        #expect(error?.code == .invalid)
    }

    @Test func membersNeedNames() {
        #expect(throws: CoordinationError.self) { try ZooKeeperOptions(connection: "a:1", memberName: "") }
        #expect(throws: CoordinationError.self) {
            try ZooKeeperOptions(connection: "a:1", memberName: String(repeating: "x", count: 201))
        }
    }

    @Test func credentialsDoNotPrintThemselves() throws {
        let secret = try ZooKeeperCredentials("user:pass:word\n")
        #expect(secret.text == "user:pass:word")
        var options = try ZooKeeperOptions(connection: "a:1", memberName: "m")
        options.credentials = secret
        var dumped = ""
        dump(options, to: &dumped)
        for text in ["\(secret)", "\(options)", String(reflecting: options), dumped] { #expect(!text.contains("pass:word"), "\(text)") }
    }

    @Test(arguments: ["", "user", "user:", ":password", "a:b\nc:d", "a:\u{0}"]) func badCredentials(_ text: String) {
        let error = #expect(throws: CoordinationError.self) { try ZooKeeperCredentials(text) }
        #expect(error?.code == .invalid)
        if text.contains("\n") { #expect(error?.description.contains(text) == false) }
    }
}

@Suite struct ZooKeeperLogTests {
    @Test func linesOfTheClientAreRead() {
        let line = "2026-01-02 03:04:05,678:12(0x7f):ZOO_ERROR@handle_socket_error_msg@3: Socket [127.0.0.1:1] zk retcode=-4"
        let (level, text) = ZooKeeperLog.parse(line)
        #expect(level == .warning && text == "handle_socket_error_msg@3: Socket [127.0.0.1:1] zk retcode=-4")
        #expect(ZooKeeperLog.parse("x:ZOO_WARN@f: y").level == .notice)
        #expect(ZooKeeperLog.parse("odd").text == "odd")
    }

    @Test func aFloodIsCountedNotLogged() {
        var limit = ZooKeeperLog.RateLimit()
        let first = (0..<100).compactMap { _ in limit.admit(atSecond: 7) }
        #expect(first == Array(repeating: 0, count: ZooKeeperLog.linesPerSecond))
        #expect(limit.admit(atSecond: 8) == 100 - ZooKeeperLog.linesPerSecond)
        #expect(limit.admit(atSecond: 8) == 0)
    }
}
