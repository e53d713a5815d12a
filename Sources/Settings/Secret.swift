/// A token or password. It never shows itself: every way of printing it gives `<secret>`.
package struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package static let mask = "<secret>"

    private let text: String

    package init(_ text: String) { self.text = text }

    /// The text itself, for the one place that needs it.
    package func reveal() -> String { text }

    /// `text` with what stands before an `@` masked, up to the quote, space or slash before it, and what follows the `?` of a URL: a mistake quotes
    /// what was given, and that may be `http://user:password@host/?token=...`.
    static func masked(_ text: String) -> String {
        guard text.contains("@") || text.contains("?") else { return text }
        func ends(_ character: Character) -> Bool { character == "\"" || character == "'" || character.isWhitespace }
        var words: [String] = []
        var word = ""
        for character in text {
            if !ends(character) {
                word.append(character)
                continue
            }
            words += [maskedWord(word), String(character)]
            word = ""
        }
        return (words + [maskedWord(word)]).joined()
    }

    private static func maskedWord(_ word: String) -> String {
        var word = word
        if word.contains("://"), let question = word.firstIndex(of: "?") { word = word[...question] + mask }
        guard let at = word.lastIndex(of: "@") else { return word }
        let start = word.firstRange(of: "://")?.upperBound ?? word.startIndex
        return start < at ? word[..<start] + mask + word[at...] : word
    }

    package var description: String { Secret.mask }
    package var debugDescription: String { Secret.mask }
    package var customMirror: Mirror { Mirror(reflecting: Secret.mask) }
}
