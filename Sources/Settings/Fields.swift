typealias SendablePath<Root, Value> = any WritableKeyPath<Root, Value> & Sendable

/// The kinds of keys.
extension Field {
    /// One value that always is there.
    static func value<Value: Sendable>(
        _ name: String, _ path: SendablePath<Root, Value>, _ form: ValueForm<Value>, required: Bool = false, _ about: String
    ) -> Field {
        Field(
            name: name,
            read: { root, spot, loader in
                if let node = loader.winner(spot) {
                    if let value = parseValue(node, form, spot.path, &loader) { root[keyPath: path] = value }
                } else if required {
                    loader.report(spot.path, "is missing; give \(form.allowed)")
                }
            },
            show: { .scalar(form.format($0[keyPath: path])) },
            references: { key, variable, defaults in
                let text = required ? "" : form.format(defaults[keyPath: path])
                return [reference(key, variable, form, required ? "" : text, required ? about + " Required." : about)]
            })
    }

    /// One value that may be absent.
    static func optional<Value: Sendable>(
        _ name: String, _ path: SendablePath<Root, Value?>, _ form: ValueForm<Value>, _ about: String
    ) -> Field {
        Field(
            name: name,
            read: { root, spot, loader in
                guard let node = loader.winner(spot) else { return }
                if let value = parseValue(node, form, spot.path, &loader) { root[keyPath: path] = value }
            },
            show: { $0[keyPath: path].map { .scalar(form.format($0)) } },
            references: { key, variable, _ in [reference(key, variable, form, "", about)] })
    }

    /// The path of a file, which must be readable.
    static func file(_ name: String, _ path: SendablePath<Root, String>, required: Bool, _ about: String) -> Field {
        var field = value(name, path, .path, required: required, about)
        let plain = field.read
        field.read = { root, spot, loader in
            plain(&root, spot, &loader)
            guard loader.isGiven(spot.path), !root[keyPath: path].isEmpty else { return }
            root[keyPath: path] = loader.resolved(root[keyPath: path], givenAt: spot.path)
            _ = loader.content(of: root[keyPath: path], for: spot.path)
        }
        return field
    }

    static func optionalFile(_ name: String, _ path: SendablePath<Root, String?>, _ about: String) -> Field {
        var field = optional(name, path, .path, about)
        let plain = field.read
        field.read = { root, spot, loader in
            plain(&root, spot, &loader)
            guard let given = root[keyPath: path] else { return }
            let file = loader.resolved(given, givenAt: spot.path)
            root[keyPath: path] = file
            _ = loader.content(of: file, for: spot.path)
        }
        return field
    }

    /// A secret in the configuration itself.
    static func secret(_ name: String, _ path: SendablePath<Root, Secret?>, _ about: String) -> Field {
        var field = optional(name, path, .secret, about + " Better in a file.")
        field.isSecret = true
        return field
    }

    /// The same secret in a file: `name` ends in `_file` and stands behind the key for the secret itself.
    static func secretFile(_ name: String, _ path: SendablePath<Root, Secret?>) -> Field {
        let inlineName = String(name.dropLast("_file".count))
        return Field(
            name: name,
            read: { root, spot, loader in
                guard let node = loader.winner(spot), let text = parseValue(node, .path, spot.path, &loader) else { return }
                let inlineKey = String(spot.path.dropLast("_file".count))
                if loader.isGiven(inlineKey) {
                    if loader.isOverridden(inlineKey) && !loader.isOverridden(spot.path) { return }
                    if loader.isOverridden(inlineKey) == loader.isOverridden(spot.path) {
                        loader.report(spot.path, "give either \(inlineName) or \(name), not both")
                        return
                    }
                }
                guard let content = loader.content(of: loader.resolved(text, givenAt: spot.path), for: spot.path) else { return }
                let secret = content.trimmedOfLineEnds
                if secret.isEmpty { return loader.report(spot.path, "the file is empty") }
                root[keyPath: path] = Secret(secret)
            },
            show: { _ in nil },
            references: { key, variable, _ in
                [reference(key, variable, ValueForm.path, "", "A file that holds the \(inlineName.replacingUnderscores).")]
            })
    }

    /// A list of values; as a variable `a,b` or `[a, b]`.
    static func list<Value: Sendable>(
        _ name: String, _ path: SendablePath<Root, [Value]>, of form: ValueForm<Value>, _ about: String
    ) -> Field {
        Field(
            name: name,
            read: { root, spot, loader in
                guard let node = loader.winnerTree(spot) else { return }
                root[keyPath: path] = elements(of: node).enumerated().compactMap { i, element in
                    parseValue(element, form, "\(spot.path)[\(i)]", &loader)
                }
            },
            show: { .list($0[keyPath: path].map { .scalar(form.format($0)) }) },
            references: { key, variable, defaults in
                let texts = defaults[keyPath: path].map { form.format($0) }
                return [
                    KeyReference(
                        path: key, variable: variable, kind: .value, form: "list of \(form.name)",
                        defaultText: "[\(texts.joined(separator: ", "))]", about: about)
                ]
            })
    }

    /// Names with values, as labels; as a variable `a=b,c=d` or `{a: b}`.
    static func map(
        _ name: String, _ path: SendablePath<Root, [String: String]>, keys: ValueForm<String>, values: ValueForm<String>, _ about: String
    ) -> Field {
        Field(
            name: name,
            read: { root, spot, loader in
                guard let node = loader.winnerTree(spot) else { return }
                guard let pairs = pairs(of: node) else {
                    return loader.report(spot.path, "must be a section of names and values, such as {region: north}, not \(node.kind)")
                }
                for pair in pairs {
                    let key = "\(spot.path).\(pair.key)"
                    if pair.repeats != nil { loader.report(key, "is given twice", at: pair.place) }
                    let keyNode = RawNode(value: .scalar(pair.key), place: pair.place)
                    guard let name = parseValue(keyNode, keys, key, &loader), let value = parseValue(pair.value, values, key, &loader)
                    else { continue }
                    root[keyPath: path][name] = value
                }
            },
            show: { root in .map(root[keyPath: path].sorted { $0.key < $1.key }.map { ($0.key, .scalar($0.value)) }) },
            references: { key, variable, _ in
                [
                    KeyReference(
                        path: key, variable: variable, kind: .value, form: "\(keys.name): \(values.name)", defaultText: "{}", about: about)
                ]
            })
    }

    /// A section that always is there.
    static func section<Child>(_ name: String, _ path: SendablePath<Root, Child>, _ section: Section<Child>, _ about: String) -> Field {
        Field(
            name: name,
            read: { root, spot, loader in section.read(into: &root[keyPath: path], at: spot, &loader) },
            show: { section.show($0[keyPath: path]) },
            references: { key, variable, defaults in
                [KeyReference(path: key, variable: "", kind: .section, form: "section", defaultText: "", about: about)]
                    + section.references(path: key, variable: variable, defaults: defaults[keyPath: path])
            }, isSecret: section.holdsSecrets)
    }

    /// A section that is absent unless one of its keys is given.
    static func optionalSection<Child>(
        _ name: String, _ path: SendablePath<Root, Child?>, _ empty: Child, _ section: Section<Child>, _ about: String
    ) -> Field {
        Field(
            name: name,
            read: { root, spot, loader in
                if case nil = spot.node, !loader.hasOverrides(spot) { return }
                if case .some(.none) = spot.node?.value, !loader.hasOverrides(spot) { return }
                var child = empty
                section.read(into: &child, at: spot, &loader)
                root[keyPath: path] = child
            },
            show: { $0[keyPath: path].map { section.show($0) } },
            references: { key, variable, _ in
                [KeyReference(path: key, variable: "", kind: .section, form: "section", defaultText: "", about: about)]
                    + section.references(path: key, variable: variable, defaults: empty)
            }, isSecret: section.holdsSecrets)
    }

    /// A list of sections. Variables `..._0_KEY` set keys of its elements and add elements.
    static func sections<Child>(
        _ name: String, _ path: SendablePath<Root, [Child]>, _ empty: Child, _ section: Section<Child>, _ about: String
    ) -> Field {
        Field(
            name: name,
            read: { root, spot, loader in
                var nodes: [RawNode] = []
                if let node = loader.winnerTree(spot) {
                    switch node.value {
                    case .list(let elements): nodes = elements
                    case .none: break
                    default: loader.report(spot.path, "must be a list; begin each element with \"- \"", at: node.place)
                    }
                }
                var i = 0
                while i < nodes.count || loader.hasOverrides(spot.element(i, nil)) {
                    var child = empty
                    section.read(into: &child, at: spot.element(i, i < nodes.count ? nodes[i] : nil), &loader)
                    root[keyPath: path].append(child)
                    i += 1
                }
            },
            show: { .list($0[keyPath: path].map { section.show($0) }) },
            references: { key, variable, _ in
                [KeyReference(path: key, variable: variable, kind: .list, form: "list of sections", defaultText: "[]", about: about)]
                    + section.references(path: key + "[]", variable: variable + "_<n>", defaults: empty)
            }, isSecret: section.holdsSecrets)
    }
}

private func reference<Value>(_ path: String, _ variable: String, _ form: ValueForm<Value>, _ text: String, _ about: String) -> KeyReference
{
    KeyReference(path: path, variable: variable, kind: .value, form: form.name, defaultText: text, about: about)
}

/// Reads one scalar; reports what is wrong and gives nil.
private func parseValue<Value>(_ node: RawNode, _ form: ValueForm<Value>, _ path: String, _ loader: inout Loader) -> Value? {
    loader.note(path, node.place)
    guard case .scalar(let text) = node.value else {
        if case .none = node.value {
            loader.report(path, "has no value; give \(form.allowed), or remove the key")
        } else {
            loader.report(path, "must be \(form.allowed), not \(node.kind)")
        }
        return nil
    }
    if form.isSecret && text == Secret.mask {
        loader.report(path, "\(Secret.mask) stands for a secret where almanac prints one; it is none itself")
        return nil
    }
    do {
        if let value = try form.parse(text) { return value }
        loader.report(path, form.isSecret ? "is empty; give \(form.allowed)" : "\"\(text.prefix(100))\" is not \(form.allowed)")
    } catch {
        loader.report(path, error.message)
    }
    return nil
}

/// A list as it is; one value, also `a,b` of a variable, as a list.
private func elements(of node: RawNode) -> [RawNode] {
    switch node.value {
    case .list(let elements): return elements
    case .none: return []
    case .map: return [node]
    case .scalar(let text):
        if case .file = node.place { return [node] }
        return text.split(separator: ",").map { RawNode(value: .scalar($0.trimmedOfSpaces), place: node.place) }
    }
}

private func pairs(of node: RawNode) -> [RawPair]? {
    switch node.value {
    case .map(let pairs): return pairs
    case .none: return []
    case .list: return nil
    case .scalar(let text):
        if case .file = node.place { return nil }
        var pairs: [RawPair] = []
        for part in text.split(separator: ",") {
            guard let equals = part.firstIndex(of: "=") else { return nil }
            let value = RawNode(value: .scalar(part[part.index(after: equals)...].trimmedOfSpaces), place: node.place)
            pairs.append(RawPair(key: part[..<equals].trimmedOfSpaces, place: node.place, value: value))
        }
        return pairs
    }
}

extension StringProtocol {
    fileprivate var trimmedOfSpaces: String {
        let start = drop { $0.isWhitespace }
        guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(start[...last])
    }

    fileprivate var trimmedOfLineEnds: String {
        guard let last = lastIndex(where: { !$0.isNewline }) else { return "" }
        return String(self[...last])
    }

    fileprivate var replacingUnderscores: String { String(map { $0 == "_" ? " " : $0 }) }
}
