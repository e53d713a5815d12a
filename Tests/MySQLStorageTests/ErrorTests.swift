import Storage
import Testing

@testable import MySQLStorage

@Suite struct MySQLErrorTests {
    @Test(
        arguments: [
            (1045, .unavailable, "db@h:3306 is refused"), (2003, .unavailable, "db@h:3306 cannot be reached"),
            (2006, .unavailable, "fails"), (1053, .unavailable, "fails"), (1290, .unavailable, "read-only"),
            (1021, .unavailable, "no space left"), (1114, .unavailable, "no space left"), (3, .unavailable, "no space left"),
            (1213, .unavailable, "held by other transactions"), (1205, .unavailable, "held by other transactions"),
            (1049, .unavailable, "does not exist"), (1142, .unavailable, "lacks a right"), (1040, .unavailable, "no connection left"),
            (1146, .schema, "not as this program left them"), (1194, .corrupt, "damaged"), (1406, .usage, "refuses a value"),
            (2026, .unavailable, "TLS fails"),
        ] as [(UInt32, StorageError.Code, String)])
    func meaning(_ code: UInt32, _ expected: StorageError.Code, _ text: String) throws {
        var options = MySQLOptions()
        options.host = "h"
        options.user = "db"
        let error = try #require(MySQLErrors(options).translated(MySQLFailure(code: code, message: "so it is")) as? StorageError)
        #expect(error.code == expected)
        #expect(error.message.contains(text) && error.message.hasSuffix(": so it is (code \(code))"), "\(error)")
    }

    @Test func lostOrContended() {
        for code in [2006, 2013, 1053, 1927] as [UInt32] { #expect(MySQLFailure(code: code, message: "").isLost) }
        for code in [1205, 1213] as [UInt32] {
            #expect(MySQLFailure(code: code, message: "").isContention && !MySQLFailure(code: code, message: "").isLost)
        }
        for code in [1045, 1290, 1114, 2003] as [UInt32] {
            #expect(!MySQLFailure(code: code, message: "").isContention && !MySQLFailure(code: code, message: "").isLost)
        }
    }

    @Test(arguments: ["almanac", "a-b_c$1", "", "a`b", "a b", "ä", String(repeating: "x", count: 65)])
    func databaseNames(_ name: String) {
        #expect((MySQLSchema.fault(inName: name) == nil) == ["almanac", "a-b_c$1"].contains(name))
    }

    @Test func poolSize() {
        var options = MySQLOptions()
        for (count, writers, readers) in [(1, 1, 1), (2, 1, 1), (4, 1, 3), (9, 3, 6)] {
            options.setPoolSize(count)
            #expect(options.writerConnections == writers && options.readerConnections == readers)
        }
    }
}
