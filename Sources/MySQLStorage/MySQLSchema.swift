import CMariaDB
import Storage

/// The database and its tables: made, brought up to date, never emptied. docs/formats/mysql.md describes the result.
package enum MySQLSchema {
    /// The version that this program writes.
    package static var version: Int64 { Int64(MySQLTables.migrations.count) }

    /// What `install` found and did.
    package struct Report: Sendable, Equatable {
        package var hasMadeDatabase = false
        /// nil where there were no tables.
        package var versionBefore: Int64?
        package var version: Int64 = 0
        /// Missing tables were looked for, and made where there were none.
        package var hasRepaired = false
        /// One line for each thing, for people.
        package var lines: [String] = []
    }

    /// Makes the database if it is missing and its tables, or brings them up to date; changes nothing where all is as it should be.
    /// The user needs the right to CREATE, for a missing database on the server. Throws `StorageError`.
    package static func install(_ options: MySQLOptions) async throws -> Report {
        let errors = MySQLErrors(options)
        if let fault = fault(inName: options.database) { throw StorageError(.usage, fault) }
        let threads = try BlockingThreads(name: "mysql-init", count: 1, maximumWaiting: 1)
        let result: Result<Report, any Error>
        do {
            result = .success(
                try await threads.run {
                    do {
                        let hasMade = try makeDatabase(options)
                        var report = try migrate(try Connection(options, .writer), errors, lockTimeout: options.statementTimeout)
                        report.hasMadeDatabase = hasMade
                        report.lines = lines(report, options)
                        return report
                    } catch { throw errors.translated(error) }
                })
        } catch { result = .failure(error) }
        await threads.stop()
        return try result.get()
    }

    /// nil for a name that can be a database's without surprises on either server.
    static func fault(inName name: String) -> String? {
        let isFine = name.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == UInt8(ascii: "_")
                || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "$")
        }
        if isFine, (1...64).contains(name.utf8.count) { return nil }
        return "'\(name)' cannot be the name of the database: take up to 64 letters, digits, _, - and $"
    }

    private static func lines(_ report: Report, _ options: MySQLOptions) -> [String] {
        let name = "the database \(options.database) at \(options.place)"
        var lines = [report.hasMadeDatabase ? "made \(name)" : "\(name) is there"]
        switch report.versionBefore {
        case nil: lines.append("made the tables, version \(report.version)")
        case report.version?: lines.append("the tables have version \(report.version) already")
        case let before?: lines.append("brought the tables from version \(before) to \(report.version)")
        }
        return lines
    }

    /// True if it was not there. A user who may not see the whole server may still use a database that is there.
    private static func makeDatabase(_ options: MySQLOptions) throws -> Bool {
        do {
            _ = try Connection(options, .writer)
            return false
        } catch let failure as MySQLFailure where failure.code == 1049 {
            let connection = try Connection(options, .server)
            let changed = try connection.run(
                "CREATE DATABASE IF NOT EXISTS `\(options.database)` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
            return changed > 0
        }
    }

    // MARK: Migrations

    /// Brings the tables to this program's version. Of several processes one does it, the others wait for it.
    @discardableResult
    ///
    /// - Parameter repairs: makes tables again that are not there although their version says so.
    static func migrate(_ connection: Connection, _ errors: MySQLErrors, lockTimeout: Int, repairs: Bool = false) throws -> Report {
        if let found = try currentVersion(connection), found >= version, !repairs || found > version {
            if found > version { throw errors.newer(found, known: version) }
            return Report(versionBefore: found, version: found)
        }
        // Names of locks are the server's, not the database's, and have 64 characters at most. A lock goes with its connection.
        let lock = "CONCAT('almanac.', MD5(DATABASE()))"
        let seconds = max(1, lockTimeout - 1)
        guard try connection.integer("SELECT GET_LOCK(\(lock), \(seconds))") == 1 else { throw errors.lockHeld(seconds) }
        defer { _ = try? connection.integer("SELECT RELEASE_LOCK(\(lock))") }
        return try migrateLocked(connection, errors, repairs)
    }

    private static func migrateLocked(_ connection: Connection, _ errors: MySQLErrors, _ repairs: Bool) throws -> Report {
        let found = try currentVersion(connection)
        if found == nil {
            let foreign = try foreignTables(connection)
            if !foreign.isEmpty { throw errors.foreign(foreign) }
            try connection.run(
                """
                CREATE TABLE IF NOT EXISTS `almanac_schema` (
                    `version` INT NOT NULL, `applied` DATETIME(3) NOT NULL COMMENT 'UTC', PRIMARY KEY (`version`)
                ) ENGINE=InnoDB COMMENT='versions of the tables'
                """)
        }
        let from = found ?? 0
        if from > version { throw errors.newer(from, known: version) }
        let isRepair = repairs && from == version
        for (i, statements) in MySQLTables.migrations.enumerated().dropFirst(isRepair ? 0 : Int(from)) {
            for statement in statements { try connection.run(statement) }
            try connection.run("INSERT IGNORE INTO `almanac_schema` (`version`, `applied`) VALUES (\(i + 1), UTC_TIMESTAMP(3))")
        }
        // Numbers of series may be of a table that is no more: what the processes remember of them ends.
        if isRepair { try connection.run("UPDATE `almanac_state` SET `value` = `value` + 1 WHERE `name` = 'series_epoch'") }
        return Report(versionBefore: found, version: version, hasRepaired: isRepair)
    }

    /// nil without tables; 0 where the first migration was broken off.
    private static func currentVersion(_ connection: Connection) throws -> Int64? {
        do {
            return try connection.integer("SELECT MAX(`version`) FROM `almanac_schema`") ?? 0
        } catch let failure as MySQLFailure where failure.code == 1146 {
            return nil
        }
    }

    /// Tables with our names that are not ours.
    private static func foreignTables(_ connection: Connection) throws -> [String] {
        let ours = [
            "series", "series_seen", "window_statistics_latest", "window_statistics", "profiles_latest", "profiles", "forecasts_latest",
            "forecasts", "anomalies", "chunks", "model_states", "epochs", "almanac_state",
            "traffic_totals", "traffic_windows", "point_visits", "traffic_alerts", "checkpoints",
        ]
        var found: [String] = []
        let names = ours.map { "'\($0)'" }.joined(separator: ", ")
        try connection.query(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name IN (\(names)) ORDER BY 1",
            isKept: false
        ) { row in found.append(row.text(0) ?? "") }
        return found
    }
}
