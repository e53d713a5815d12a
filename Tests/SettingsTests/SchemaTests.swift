import Foundation
import Testing

@testable import Settings

/// The description of the keys against everything that is made from it.
@Suite struct SchemaTests {
    /// A value other than the default, as text, by the form that the reference names.
    static func sample(_ reference: KeyReference) -> String? {
        let last = reference.path.split(separator: ".").last.map(String.init) ?? ""
        switch (reference.form, last) {
        case (_, "cert_file"), (_, "key_file"), (_, "ca_file"): return "/pem"
        case (_, let key) where key.hasSuffix("_file"): return "/secret"
        case ("duration", "timeout"): return "7s"
        case ("duration", "slide"): return "10s"
        case ("duration", _): return ["retention.", "_retention", "span"].contains { reference.path.contains($0) } ? "2h" : "7m"
        case ("size", _): return reference.path.hasPrefix("log.retention") ? "3GiB" : "3MiB"
        case ("integer", "min_insync_replicas"): return "1"
        case ("integer", _): return "77"
        case ("bool", _): return reference.defaultText == "true" ? "false" : "true"
        case ("text", "enters"): return "poi"
        case ("text", _), ("metric name", _), ("topic", _), ("host", _): return "sample"
        case ("secret", _): return "hush"
        case ("path", "path"): return "/other"
        case ("path", _): return "/elsewhere"
        case ("regex", _): return "node_.*"
        case ("URL", _): return "http://127.0.0.1:1234"
        case ("address:port", _): return "127.0.0.1:7"
        case ("list of duration", _): return "[7m]"
        case ("list of host:port", _): return "[127.0.0.1:1]"
        case ("list of coordinate", _): return "[1 2, 3 4, 5 6]"
        case (let form, _) where form.hasPrefix("list of"): return "[sample]"
        case ("number", _): return "7.5"
        case ("time zone", _): return "Europe/Rome"
        case ("keyspace", _): return "vehicles"
        case ("text: replicas", _): return "{dc1: 3}"
        case ("character", _): return ";"
        case ("label name: text", _), ("metric name: text", _), ("property: text", _): return "{a: b}"
        case ("i/n", _): return "1/3"
        case ("name", _): return "sample"
        case (let form, _) where form.contains(", "):
            return form.split(separator: ",").map { $0.drop { $0 == " " } }.last { $0 != reference.defaultText }.map(String.init)
        default: return nil
        }
    }

    static let root = URL(filePath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static let values = ConfigurationSchema.references.filter { $0.kind == .value }

    /// The environment that gives `reference` the text, and to its list elements what else they require.
    static func sources(_ reference: KeyReference, _ text: String) -> ConfigurationSources {
        var sources = ConfigurationSources(environment: [reference.variable.replacing("<n>", with: "0"): text])
        if reference.path.hasSuffix("enrich.join") { sources.environment["ALMANAC_JOINS_0_NAME"] = "sample" }
        if reference.path == "traffic.rules[].for" { sources.environment["ALMANAC_TRAFFIC_RULES_0_SPEED_ABOVE"] = "5" }
        sources.readFile = { _ in "from a file\n" }
        return sources
    }

    /// Without cross checks: what the key alone changes in the configuration.
    static func reads(_ reference: KeyReference, _ text: String) -> (Configuration, [Mistake]) {
        let loaded = Configuration.load(sources(reference, text))
        let key = reference.path.replacing("[]", with: "[0]")
        return (loaded.configuration, loaded.mistakes.filter { $0.key.hasPrefix(key) })
    }

    @Test(arguments: values.map(\.path))
    func everyKeyIsReadFromTheEnvironment(path: String) throws {
        let reference = try #require(SchemaTests.values.first { $0.path == path })
        let text = try #require(SchemaTests.sample(reference), "no sample for \(reference.form)")
        let (configuration, mistakes) = SchemaTests.reads(reference, text)
        #expect(mistakes == [])
        var before = Configuration.load(SchemaTests.sources(reference, "")).configuration
        // An element of a list comes into being by any key: compare against one that another key made.
        if path.contains("[]") { before = SchemaTests.elementOnly(reference) }
        #expect(configuration != before, "\(reference.variable) changes nothing")
    }

    /// The configuration with the list element of `reference` made by a sibling key that is not read successfully.
    static func elementOnly(_ reference: KeyReference) -> Configuration {
        let cut = reference.variable.lastRange(of: "<n>")
        let stem = cut.map { String(reference.variable[..<$0.upperBound]) } ?? reference.variable
        return Configuration.load(ConfigurationSources(environment: [stem.replacing("<n>", with: "0") + "_": "x"])).configuration
    }

    @Test(arguments: values.map(\.path))
    func everyKeyIsReadFromAFlagAndBeatsTheEnvironment(path: String) throws {
        let reference = try #require(SchemaTests.values.first { $0.path == path })
        let text = try #require(SchemaTests.sample(reference))
        var sources = SchemaTests.sources(reference, "not at all: [")
        let key = path.replacing("[]", with: "[0]")
        sources.flags = [.init(flag: "--set", key: key, text: text)]
        let byFlag = Configuration.load(sources)
        #expect(byFlag.mistakes.filter { $0.key == key } == [])
        #expect(byFlag.configuration == SchemaTests.reads(reference, text).0)
    }

    @Test func variablesAreUniqueAndWellFormed() {
        let variables = ConfigurationSchema.references.map(\.variable).filter { !$0.isEmpty }
        #expect(Set(variables).count == variables.count)
        for variable in variables { #expect(variable.allSatisfy { $0.isUppercase || $0.isNumber || "_<n>".contains($0) }, "\(variable)") }
        for name in ["ALMANAC_LISTEN", "ALMANAC_DATA", "ALMANAC_LOG_LEVEL"] { #expect(variables.contains(name)) }
    }

    @Test func everyKeySaysWhatItIsFor() {
        for reference in ConfigurationSchema.references {
            #expect(reference.about.count > 8 && reference.about.hasSuffix("."), "\(reference.path): \(reference.about)")
        }
    }

    @Test func theDefaultsOfTheReferenceAreWhatTheyAre() {
        for reference in SchemaTests.values where !reference.defaultText.isEmpty && !reference.path.contains("[]") {
            let (configuration, mistakes) = SchemaTests.reads(reference, reference.defaultText)
            #expect(mistakes == [])
            // A key of an optional section brings the section into being.
            if [".tls.", ".sasl."].contains(where: { reference.path.contains($0) }) { continue }
            #expect(configuration == Configuration(), "\(reference.path): \(reference.defaultText)")
        }
    }

    /// docs/CONFIGURATION.md holds the reference between two marks. `ALMANAC_UPDATE_GOLDEN=1 swift test` writes it anew.
    @Test func theDocumentIsCurrent() throws {
        let file = SchemaTests.root.appending(path: "docs/CONFIGURATION.md")
        var text = try String(contentsOf: file, encoding: .utf8)
        let begin = try #require(text.range(of: "<!-- keys: begin -->\n"))
        let end = try #require(text.range(of: "<!-- keys: end -->"))
        if ProcessInfo.processInfo.environment["ALMANAC_UPDATE_GOLDEN"] != nil {
            text.replaceSubrange(begin.upperBound..<end.lowerBound, with: "\n" + ReferenceText.markdown() + "\n")
            try text.write(to: file, atomically: true, encoding: .utf8)
            return
        }
        #expect(text[begin.upperBound..<end.lowerBound] == "\n" + ReferenceText.markdown() + "\n")
    }

    /// The example of the repository is read without mistakes or warnings, as it stands and with all comments of keys removed.
    @Test(arguments: [false, true])
    func theExampleIsRight(uncommented: Bool) throws {
        var text = try String(contentsOf: SchemaTests.root.appending(path: "almanac.example.yaml"), encoding: .utf8)
        if uncommented {
            // "#key" and "#  key" are keys; "# Text" is prose.
            text = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
                let space = line.prefix { $0 == " " }
                let rest = line.dropFirst(space.count)
                guard rest.hasPrefix("#"), !rest.hasPrefix("# ") || rest.hasPrefix("#  ") else { return String(line) }
                return String(space + rest.dropFirst())
            }.joined(separator: "\n")
        }
        var sources = ConfigurationSources(file: ("almanac.example.yaml", text))
        sources.readFile = { _ in "content\n" }
        let loaded = Configuration.load(sources)
        #expect(loaded.mistakes == [])
        #expect((loaded.configuration == Configuration()) == !uncommented)
    }
}

extension String {
    fileprivate func lastRange(of text: String) -> Range<String.Index>? { range(of: text, options: .backwards) }
}
