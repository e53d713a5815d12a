/// As much of CQL as `MemoryCassandra` reads.
enum StatementText {
    /// Words, texts in quotes, numbers and signs.
    static func words(_ text: String) -> [String] {
        var words: [String] = []
        var word = ""
        var isQuoted = false
        func end() {
            if !word.isEmpty { words.append(word) }
            word = ""
        }
        for character in text {
            if isQuoted {
                word.append(character)
                if character == "'" {
                    isQuoted = false
                    end()
                }
            } else if character == "'" {
                end()
                word = "'"
                isQuoted = true
            } else if character.isWhitespace {
                end()
            } else if "(),=<>?".contains(character) {
                if character == "=", let last = words.last, word.isEmpty, last == "<" || last == ">" {
                    words[words.count - 1] = last + "="
                } else {
                    end()
                    words.append(String(character))
                }
            } else {
                word.append(character)
            }
        }
        end()
        return words
    }

    struct Term {
        var column: String
        var sign: String
        /// `?`, a number or a text in quotes.
        var value: String
    }

    static func terms(_ words: ArraySlice<String>) -> [Term] {
        var terms: [Term] = []
        var rest = Array(words)
        while rest.count >= 3 {
            terms.append(Term(column: rest[0], sign: rest[1], value: rest[2]))
            rest = Array(rest.dropFirst(3))
            if rest.first == "AND" || rest.first == "," { rest.removeFirst() } else { break }
        }
        return terms
    }

    static func bare(_ table: String) -> String { table.split(separator: ".").last.map(String.init) ?? table }
}
