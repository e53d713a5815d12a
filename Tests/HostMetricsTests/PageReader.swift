/// A page in the text format, read by a second, strict implementation.
struct PageReader {
    struct Trouble: Error, CustomStringConvertible {
        let description: String
    }

    /// `name{a="b"}` with the labels as they stand on the page after sorting, and the value.
    private(set) var samples: [String: Double] = [:]
    private(set) var kinds: [String: String] = [:]
    private(set) var helped: Set<String> = []

    init(_ page: [UInt8]) throws {
        guard let text = String(validating: page, as: UTF8.self) else { throw Trouble(description: "not UTF-8") }
        guard page.last == UInt8(ascii: "\n") else { throw Trouble(description: "no line break at the end") }
        var family = ""
        var finished: Set<String> = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: true) {
            let words = line.split(separator: " ", maxSplits: 3)
            if line.hasPrefix("#") {
                guard words.count == 4 else { throw Trouble(description: "odd comment: \(line)") }
                let name = String(words[2])
                if words[1] == "HELP" {
                    guard helped.insert(name).inserted else { throw Trouble(description: "second HELP of \(name)") }
                } else {
                    guard kinds.updateValue(String(words[3]), forKey: name) == nil else {
                        throw Trouble(description: "second TYPE of \(name)")
                    }
                }
                if family != name { finished.insert(family) }
                family = name
                continue
            }
            let (name, labels, value) = try PageReader.sample(line)
            if kinds[name] == nil && family.isEmpty { throw Trouble(description: "no TYPE before \(line)") }
            if kinds[name] != nil && name != family { throw Trouble(description: "\(name) is not in one piece") }
            guard !finished.contains(name) else { throw Trouble(description: "\(name) is not in one piece") }
            let key = name + (labels.isEmpty ? "" : "{" + labels.sorted().joined(separator: ",") + "}")
            guard samples.updateValue(value, forKey: key) == nil else { throw Trouble(description: "\(key) twice") }
        }
    }

    /// The series of one family.
    func series(of family: String) -> Set<String> { Set(samples.keys.filter { $0.prefix { $0 != "{" } == family }) }

    private static func sample(_ line: Substring) throws -> (String, [String], Double) {
        var rest = line
        let name = rest.prefix { $0 != "{" && $0 != " " }
        guard name.wholeMatch(of: #/[a-zA-Z_:][a-zA-Z0-9_:]*/#) != nil else { throw Trouble(description: "odd name: \(line)") }
        rest.removeFirst(name.count)
        var labels: [String] = []
        if rest.first == "{" {
            rest.removeFirst()
            while rest.first != "}" {
                guard let match = rest.prefixMatch(of: #/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)",?/#) else {
                    throw Trouble(description: "odd labels: \(line)")
                }
                labels.append("\(match.1)=\"\(match.2)\"")
                rest = rest[match.range.upperBound...]
            }
            rest.removeFirst()
        }
        guard rest.first == " ", let value = Double(rest.dropFirst()) else { throw Trouble(description: "odd value: \(line)") }
        return (String(name), labels, value)
    }
}
