/// Pieces of SQL text that what they hold cannot break out of.
package enum SQLText {
    /// A string literal. With Spark's default `spark.sql.parser.escapedStringLiterals=false` a backslash escapes.
    package static func literal(_ text: String) -> String {
        var out = "'"
        for scalar in text.unicodeScalars {
            switch scalar {
            case "'": out += "\\'"
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case "\0": out += "\\0"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "'"
    }

    /// A quoted identifier.
    package static func identifier(_ name: String) -> String { "`" + name.replacing("`", with: "``") + "`" }

    /// A name of a table, whose parts are between points: `catalog.schema.table`. A part may stand in backticks, and then hold points.
    package static func table(_ name: String) throws(SparkJobError) -> String {
        var parts: [String] = []
        var part = ""
        var isQuoted = false
        for character in name {
            switch character {
            case "`": isQuoted.toggle()
            case "." where !isQuoted:
                parts.append(part)
                part = ""
            default: part.append(character)
            }
        }
        parts.append(part)
        guard !isQuoted, parts.allSatisfy({ !$0.isEmpty }) else {
            throw SparkJobError("'\(name)' is no name of a table: give table, schema.table or catalog.schema.table")
        }
        return parts.map(identifier).joined(separator: ".")
    }
}

/// What makes no job, and what to do about it.
package struct SparkJobError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
