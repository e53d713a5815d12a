/// The reference of all keys as Markdown, for docs/CONFIGURATION.md.
package enum ReferenceText {
    /// One table per section, in the order of the schema.
    package static func markdown() -> String {
        var sections: [(title: String, about: String, rows: [KeyReference])] = [("Top level", "", [])]
        var indexes: [String: Int] = ["": 0]
        for reference in ConfigurationSchema.references {
            let cut = reference.path.lastIndex(of: ".")
            let parent = cut.map { String(reference.path[..<$0]) } ?? ""
            switch reference.kind {
            case .section, .list:
                let title = reference.kind == .list ? reference.path + "[]" : reference.path
                indexes[title] = sections.count
                let isList = reference.kind == .list
                let variable = isList ? " A list; whole, as YAML, in `\(reference.variable)`." : ""
                sections.append(("`\(title)`", reference.about + variable, []))
            case .value:
                if let i = indexes[parent] { sections[i].rows.append(reference) }
            }
        }
        return sections.map(table).joined(separator: "\n")
    }

    private static func table(_ section: (title: String, about: String, rows: [KeyReference])) -> String {
        var text = "### \(section.title)\n\n"
        if !section.about.isEmpty { text += section.about + "\n\n" }
        if section.rows.isEmpty { return text }
        text += "| Key | Value | Default | Variable | Meaning |\n|---|---|---|---|---|\n"
        for row in section.rows {
            let key = row.path.split(separator: ".").last.map(String.init) ?? row.path
            let standard = row.defaultText.isEmpty ? "" : "`\(row.defaultText)`"
            text += "| `\(key)` | \(row.form) | \(standard) | `\(row.variable)` | \(escaped(row.about)) |\n"
        }
        return text
    }

    private static func escaped(_ text: String) -> String {
        text.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
    }
}
