/// A configuration value as it was written, with its place; of YAML only what a configuration needs.
struct RawNode: Sendable {
    enum Value: Sendable {
        /// No value: `key:` and nothing behind it.
        case none
        case scalar(String)
        case list([RawNode])
        case map([RawPair])
    }

    var value: Value
    var place: Place

    /// "a list", "a text", ... for messages.
    var kind: String {
        switch value {
        case .none: return "nothing"
        case .scalar(let text): return "\"\(text.prefix(40))\""
        case .list: return "a list"
        case .map: return "a section of keys"
        }
    }
}

struct RawPair: Sendable {
    var key: String
    var place: Place
    var value: RawNode
    /// The place of an earlier pair with the same key.
    var repeats: Place?
}
