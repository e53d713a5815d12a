/// What the configuration is read from. Flags beat environment beats file.
package struct ConfigurationSources: Sendable {
    /// A value given on the command line: `flag` is how the user wrote it, `key` the path it sets.
    package struct Flag: Sendable {
        package var flag: String
        package var key: String
        package var text: String

        package init(flag: String, key: String, text: String) {
            self.flag = flag
            self.key = key
            self.text = text
        }
    }

    /// The file's name as messages give it, and its text.
    package var file: (name: String, text: String)?
    package var environment: [String: String] = [:]
    package var flags: [Flag] = []
    /// Reads a whole file; throws what is wrong in words.
    package var readFile: @Sendable (_ path: String) throws -> String = { try FileText.read($0) }

    package init(file: (name: String, text: String)? = nil, environment: [String: String] = [:], flags: [Flag] = []) {
        self.file = file
        self.environment = environment
        self.flags = flags
    }
}

/// Where in the configuration a field stands.
struct Spot {
    /// What the file says there.
    var node: RawNode?
    /// `collect.scrape[2].interval`
    var path: String
    /// `ALMANAC_COLLECT_SCRAPE_2_INTERVAL`
    var variable: String

    func child(_ name: String, _ node: RawNode?) -> Spot {
        Spot(node: node, path: path.isEmpty ? name : "\(path).\(name)", variable: "\(variable)_\(name.uppercased())")
    }

    func element(_ index: Int, _ node: RawNode?) -> Spot {
        Spot(node: node, path: "\(path)[\(index)]", variable: "\(variable)_\(index)")
    }
}

/// The state of one reading: where values come from, and what was found wrong so far.
struct Loader {
    static let prefix = "ALMANAC"

    private let environment: [String: String]
    private let flags: [String: ConfigurationSources.Flag]
    private let readFile: @Sendable (String) throws -> String
    let file: (name: String, text: String)?
    private(set) var mistakes: [Mistake] = []
    private(set) var places: [String: Place] = [:]
    private(set) var usedVariables: Set<String> = []
    private(set) var usedFlags: Set<String> = []

    init(_ sources: ConfigurationSources) {
        // An empty variable is an unset one: `ALMANAC_DATA=${DATA:-}` must not mean "".
        environment = sources.environment.filter { $0.key.hasPrefix(Loader.prefix + "_") && !$0.value.isEmpty }
        flags = Dictionary(sources.flags.map { ($0.key, $0) }) { _, last in last }
        readFile = sources.readFile
        file = sources.file
    }

    /// The place of a key as it was given, or of the nearest section around it.
    func place(of path: String) -> Place {
        var path = path[...]
        while true {
            if let place = places[String(path)] { return place }
            guard let cut = path.lastIndex(where: { $0 == "." || $0 == "[" }) else { break }
            path = path[..<cut]
        }
        return .file(name: file?.name ?? "configuration", line: file == nil ? 0 : 1, column: 1)
    }

    func hasMistakes(under path: String) -> Bool { mistakes.contains { $0.key.hasPrefix(path) } }

    func isGiven(_ path: String) -> Bool { places[path] != nil }

    /// Whether the value at `path` came from a flag or the environment.
    func isOverridden(_ path: String) -> Bool {
        if case .file? = places[path] { return false }
        return places[path] != nil
    }

    mutating func report(_ path: String, _ message: String, at place: Place? = nil) {
        mistakes.append(Mistake(place: place ?? self.place(of: path), key: path, message: Secret.masked(message)))
    }

    mutating func note(_ path: String, _ place: Place) { places[path] = place }

    /// The value from the source that beats the others.
    mutating func winner(_ spot: Spot) -> RawNode? {
        if environment[spot.variable] != nil { usedVariables.insert(spot.variable) }
        var node = spot.node
        if let flag = flags[spot.path] {
            usedFlags.insert(spot.path)
            node = RawNode(value: .scalar(flag.text), place: .flag(flag.flag))
        } else if let text = environment[spot.variable] {
            node = RawNode(value: .scalar(text), place: .environment(spot.variable))
        }
        if let node { note(spot.path, node.place) }
        return node
    }

    /// Like `winner`, for lists and maps: a flag or variable that holds YAML (`[a, b]`, `{a: b}`) is read as such.
    mutating func winnerTree(_ spot: Spot) -> RawNode? {
        guard let node = winner(spot) else { return nil }
        guard isOverridden(spot.path), case .scalar(let text) = node.value, let first = text.first(where: { !$0.isWhitespace }) else {
            return node
        }
        guard first == "[" || first == "{" || first == "-" && text.contains("\n") else { return node }
        do {
            let place = node.place
            return try YAMLReader.read(text) { _, _ in place } ?? node
        } catch {
            report(spot.path, error.message, at: node.place)
            return nil
        }
    }

    /// Whether flags or variables add an element `index` to a list of sections.
    func hasOverrides(_ spot: Spot) -> Bool {
        environment.keys.contains { $0.hasPrefix(spot.variable + "_") } || flags.keys.contains { $0.hasPrefix(spot.path + ".") }
    }

    /// A path written in the file counts from the file's directory, any other from the working directory.
    func resolved(_ path: String, givenAt key: String) -> String {
        guard !path.hasPrefix("/"), !isOverridden(key), let name = file?.name, let slash = name.lastIndex(of: "/") else { return path }
        return name[...slash] + path
    }

    /// The text of a file that the configuration names; reports and gives nil if it cannot be read.
    mutating func content(of path: String, for key: String) -> String? {
        do {
            return try readFile(path)
        } catch {
            report(key, "\(error)")
            return nil
        }
    }

    var unusedVariables: [String] { environment.keys.filter { !usedVariables.contains($0) }.sorted() }
    var unusedFlags: [ConfigurationSources.Flag] { flags.values.filter { !usedFlags.contains($0.key) }.sorted { $0.flag < $1.flag } }
}
