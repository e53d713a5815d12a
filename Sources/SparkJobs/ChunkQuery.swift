/// The query over sealed chunks that are sent with it: executors decode them and analyse what is in them.
package struct ChunkQuery: Sendable, Equatable {
    /// Spark's base64 may have an end of line after every 76 characters.
    private static let chunk = "replace(base64(data), '\\r\\n', '')"

    /// The command that every executor starts, as the shell takes it.
    package var command: String
    /// Its arguments.
    package var arguments: [String]

    package init(command: String, arguments: [String]) {
        self.command = command
        self.arguments = arguments
    }

    /// The name of the chunks' rows: `series` and `type` texts, `start` a number, `data` bytes. The server makes a view of the session of them while it
    /// reads the text, so queries at one time need names of their own.
    package static func source(part: Int) -> String { "almanac_chunks_\(part)" }

    /// One column `line`: results as `transform` wrote them, byte for byte.
    package func lines(part: Int) -> String {
        let fields = ["series", "type", "start"].map { (name: $0, sql: $0) } + [(name: "chunk", sql: ChunkQuery.chunk)]
        return TransformSQL.lines(
            fields, rows: "SELECT series, type, start, data FROM \(ChunkQuery.source(part: part))", order: "series, start",
            command: TransformSQL.commandLine(command, ["--chunks"] + arguments))
    }

    /// Results as typed columns, for Spark to write.
    package func table(part: Int) -> String { TransformSQL.table(lines(part: part)) }
}
