/// The description of one section: its keys, and what must hold between them. Reading, printing and the reference all come from it.
struct Section<Root: Sendable>: Sendable {
    var fields: [Field<Root>]
    /// What must hold between keys. `path` is the section's.
    var check: @Sendable (_ root: Root, _ path: String, _ loader: inout Loader) -> Void

    init(
        _ fields: [Field<Root>], and more: [Field<Root>] = [],
        check: @escaping @Sendable (Root, String, inout Loader) -> Void = { _, _, _ in }
    ) {
        self.fields = fields + more
        self.check = check
    }

    /// Whether it has a key for a secret, itself or in a section of it.
    var holdsSecrets: Bool { fields.contains(where: \.isSecret) }

    /// Reads all keys into `root`, reports unknown and repeated ones.
    func read(into root: inout Root, at spot: Spot, _ loader: inout Loader) {
        var nodes: [String: RawNode] = [:]
        switch spot.node?.value {
        case nil, .some(.none): break
        case .map(let pairs)?:
            for pair in pairs {
                if let earlier = pair.repeats {
                    loader.report(spot.child(pair.key, nil).path, "is given twice; first at \(shortened(earlier))", at: pair.place)
                }
                if let field = fields.first(where: { $0.name == pair.key }) {
                    // What an earlier one of two like keys holds counts for nothing, but its mistakes are told.
                    if let shadowed = nodes[pair.key] {
                        var scratch = root
                        field.read(&scratch, spot.child(pair.key, shadowed), &loader)
                    }
                    nodes[pair.key] = pair.value
                } else {
                    loader.report(spot.child(pair.key, nil).path, unknown(pair.key), at: pair.place)
                }
            }
        case .scalar?, .list?:
            let names = fields.map(\.name).joined(separator: ", ")
            // In the place of a section with a secret, what was given may be the secret.
            var given = spot.node?.kind ?? ""
            if holdsSecrets, case .scalar? = spot.node?.value { given = "a single value" }
            return loader.report(spot.path, "must be a section of keys (\(names)), not \(given)", at: spot.node?.place)
        }
        if let node = spot.node { loader.note(spot.path, node.place) }
        for field in fields { field.read(&root, spot.child(field.name, nodes[field.name]), &loader) }
        check(root, spot.path, &loader)
    }

    private func shortened(_ place: Place) -> String {
        if case .file(_, let line, _) = place { return "line \(line)" }
        return "\(place)"
    }

    private func unknown(_ name: String) -> String {
        let names = fields.map(\.name)
        if name == "<<" { return "merge keys are not supported; name the value with an alias (*name) where it is needed" }
        if let near = Suggestion.nearest(to: name, in: names) {
            let known = names.count <= 10 ? " (known here: \(names.joined(separator: ", ")))" : ""
            return "unknown key; did you mean \"\(near)\"?" + known
        }
        let elsewhere = ConfigurationSchema.paths(endingIn: name).sorted { $0.utf8.count < $1.utf8.count }.prefix(3)
        let hint = elsewhere.isEmpty ? "" : "; it belongs to \(elsewhere.joined(separator: " or "))"
        return "unknown key\(hint) (known here: \(names.joined(separator: ", ")))"
    }

    func show(_ root: Root) -> ShownValue {
        .map(fields.compactMap { field in field.show(root).map { (field.name, $0) } })
    }

    func references(path: String, variable: String, defaults: Root) -> [KeyReference] {
        fields.flatMap { field in
            let spot = Spot(node: nil, path: path, variable: variable).child(field.name, nil)
            return field.references(spot.path, spot.variable, defaults)
        }
    }
}

/// One key of a section.
struct Field<Root: Sendable>: Sendable {
    var name: String
    var read: @Sendable (_ root: inout Root, _ spot: Spot, _ loader: inout Loader) -> Void
    /// nil: nothing is set.
    var show: @Sendable (_ root: Root) -> ShownValue?
    /// What the reference says of it and of all below it.
    var references: @Sendable (_ path: String, _ variable: String, _ defaults: Root) -> [KeyReference]
    var isSecret = false
}

extension Field {
    /// Printed only where it has a meaning.
    func shown(when condition: @escaping @Sendable (Root) -> Bool) -> Field {
        var field = self
        let plain = show
        field.show = { condition($0) ? plain($0) : nil }
        return field
    }
}

/// A line of the reference.
package struct KeyReference: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        case value, section, list
    }

    /// `collect.scrape[].interval`
    package var path: String
    /// `ALMANAC_COLLECT_SCRAPE_<n>_INTERVAL`
    package var variable: String
    package var kind: Kind
    /// "duration"
    package var form: String
    /// As it would be written; empty for none.
    package var defaultText: String
    package var about: String
}
