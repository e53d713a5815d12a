import CMariaDB
import Storage

/// What the server or the client library answered: a number of theirs and a text without secrets.
struct MySQLFailure: Error, Sendable, Equatable {
    var code: UInt32
    var message: String

    /// The connection is of no more use.
    var isLost: Bool { MySQLFailure.lost.contains(code) }

    /// Another transaction was in the way; the same again may go through.
    var isContention: Bool { code == 1213 || code == 1205 || code == 1020 || code == 3572 }

    /// What a session keeps for as long as it lives, while a new one may have it otherwise: rights, as they were at its beginning, and a server that
    /// has become a read-only replica, behind an address that leads to the new primary by now.
    var isOfSession: Bool { MySQLFailure.ofSession.contains(code) }

    private static let ofSession: Set<UInt32> = [1290, 1792, 1836, 3100, 1044, 1142, 1143, 1227, 1370, 1410]

    /// A table or the whole database is gone.
    var isMissingTable: Bool { code == 1146 || code == 1046 }

    /// 1927, 4031 and the 107x are the ways of several servers to say that a connection was ended; after 1243 and 1615 prepared
    /// statements are of no more use.
    private static let lost: Set<UInt32> = [
        UInt32(CR_SERVER_GONE_ERROR), UInt32(CR_SERVER_LOST), UInt32(CR_COMMANDS_OUT_OF_SYNC), 2055, 1053, 1077, 1078, 1079, 1080, 1152,
        1158, 1159, 1160, 1161, 1184, 1243, 1615, 1927, 3169, 4031,
    ]
}

/// Says what a failure means for whoever runs the store.
struct MySQLErrors: Sendable {
    /// user@host:port
    let place: String
    let database: String

    init(_ options: MySQLOptions) {
        place = options.place
        database = options.database
    }

    func translated(_ error: any Error) -> any Error {
        guard let failure = error as? MySQLFailure else { return error }
        let (code, text) = meaning(failure.code)
        return StorageError(code, "\(text): \(failure.message) (code \(failure.code))")
    }

    private var name: String { "the database \(database) at \(place)" }

    /// Numbers below 1000 are the operating system's as the server passes them on, from 2000 to 2999 the client library's.
    private func meaning(_ code: UInt32) -> (StorageError.Code, String) {
        switch code {
        case 1045, 1130, 1251, 1275, 1524, 1698, 1862, 2049, 2058, 2059, 2061, 3118, 3955, 4151:
            (.unavailable, "\(place) is refused by the server. Check user, password and from where the user may connect")
        case 1049: (.unavailable, "\(name) does not exist. Run `almanac init`, or make it with CREATE DATABASE")
        case 1044, 1142, 1143, 1227, 1370, 1410: (.unavailable, "\(name) cannot be used: the user lacks a right. GRANT it")
        case 1290, 1792, 1836, 3100: (.unavailable, "\(name) is read-only; nothing was written")
        case 3, 5, 20, 28, 1021, 1026, 1030, 1114, 1131, 3019:
            (.unavailable, "\(name) has no space left or cannot write its files. Free some space; nothing was half-written")
        case 1040, 1203, 1226: (.unavailable, "\(place): the server has no connection left. Raise max_connections or make the pool smaller")
        case 1205, 1213, 1020, 3572: (.unavailable, "\(name) is held by other transactions")
        case 1969, 3024, 1317, 3167: (.unavailable, "\(name): a statement was broken off")
        case 2002, 2003, 2004, 2005: (.unavailable, "\(place) cannot be reached. Is the server running, are host and port right?")
        case 2026: (.unavailable, "\(place): TLS fails. Check the certificate authority and the host's name in the server's certificate")
        case 1054, 1146, 1051, 1109, 1305, 1356, 1072, 1091, 1060, 1061:
            (.schema, "the tables of \(name) are not as this program left them")
        case 126, 127, 134, 145, 1033, 1034, 1035, 1194, 1195, 1712, 1877, 1812, 1815:
            (.corrupt, "\(name) is damaged. CHECK TABLE tells which table; restore it from a back-up")
        case 1048, 1153, 1264, 1265, 1292, 1366, 1367, 1406, 1300, 1690, 2020, 3140: (.usage, "\(name) refuses a value")
        default: (.unavailable, "\(name) fails")
        }
    }

    func corrupt(_ detail: String) -> StorageError { StorageError(.corrupt, "\(name) is damaged: \(detail)") }

    func newer(_ found: Int64, known: Int64) -> StorageError {
        StorageError(
            .schema,
            "\(name) was made by a newer version of this program (its schema has version \(found), this one knows up to \(known)); "
                + "nothing was changed. Update the program or name another database")
    }

    func foreign(_ tables: [String]) -> StorageError {
        StorageError(
            .usage,
            "\(name) has tables of another program (\(tables.joined(separator: ", "))); nothing was changed. Name another database")
    }

    func lockHeld(_ seconds: Int) -> StorageError {
        StorageError(.unavailable, "\(name): another process has been changing the schema for \(seconds) s; waiting for it")
    }

    func tooLarge(_ bytes: Int, limit: Int) -> StorageError {
        StorageError(
            .usage, "\(name) refuses a row of \(bytes) bytes: the limit is \(limit), half of the server's max_allowed_packet. Raise it")
    }
}
