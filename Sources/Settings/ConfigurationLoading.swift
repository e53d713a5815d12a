import Glibc

/// A configuration with what was found wrong with it. It may be used only if `mistakes` is empty.
package struct LoadedConfiguration: Sendable {
    package var configuration: Configuration
    package var mistakes: [Mistake]
    /// What is probably not meant, but does not keep it from running.
    package var warnings: [String]

    package init(configuration: Configuration, mistakes: [Mistake], warnings: [String] = []) {
        self.configuration = configuration
        self.mistakes = mistakes
        self.warnings = warnings
    }
}

extension Configuration {
    /// Reads a configuration and reports every mistake in it, in the order of the file.
    package static func load(_ sources: ConfigurationSources) -> LoadedConfiguration {
        var loader = Loader(sources)
        var root: RawNode?
        if let (name, text) = sources.file {
            do {
                root = try YAMLReader.read(text) { .file(name: name, line: $0, column: $1) }
            } catch {
                return LoadedConfiguration(configuration: Configuration(), mistakes: [error])
            }
        }
        var configuration = Configuration()
        ConfigurationSchema.root.read(into: &configuration, at: Spot(node: root, path: "", variable: Loader.prefix), &loader)
        for flag in loader.unusedFlags {
            let known = ConfigurationSchema.settablePaths
            let near = Suggestion.nearest(to: flag.key, in: known).map { "; did you mean \"\($0)\"?" } ?? ""
            loader.report(flag.key, "unknown key\(near)", at: .flag(flag.flag))
        }
        var mistakes: [Mistake] = []
        for mistake in loader.mistakes.sorted(by: Mistake.precedes) where mistake != mistakes.last { mistakes.append(mistake) }
        return LoadedConfiguration(configuration: configuration, mistakes: mistakes, warnings: warnings(loader.unusedVariables))
    }

    /// Reads the file at `path` (nil: no file, only flags, environment and defaults).
    package static func load(
        path: String?, environment: [String: String], flags: [ConfigurationSources.Flag] = []
    ) -> LoadedConfiguration {
        var sources = ConfigurationSources(environment: environment, flags: flags)
        if let path {
            do {
                sources.file = (path, try FileText.read(path))
            } catch {
                let mistake = Mistake(place: .file(name: path, line: 0, column: 0), key: "", message: error.description)
                return LoadedConfiguration(configuration: Configuration(), mistakes: [mistake])
            }
        }
        return load(sources)
    }

    /// The variables that this program reads itself, and those that Kubernetes sets for a service called "almanac".
    private static func warnings(_ unused: [String]) -> [String] {
        let known = ConfigurationSchema.references.map(\.variable).filter { !$0.isEmpty && !$0.contains("<") }
        return unused.compactMap { name in
            if name == "ALMANAC_CONFIG" || name.hasPrefix("ALMANAC_PORT") || name.hasPrefix("ALMANAC_SERVICE_") { return nil }
            let near = Suggestion.nearest(to: name, in: known.map { $0.lowercased() }).map { "; did you mean \($0.uppercased())?" } ?? ""
            return "the environment variable \(name) names no key\(near)"
        }
    }

    /// The effective configuration as YAML, secrets masked.
    package var yaml: String { ConfigurationSchema.root.show(self).yaml() + "\n" }
}
