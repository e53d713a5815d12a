/// The name of a node that the service numbers: `<id>~<token>-<ten digits>`. The token tells a node of this session from one of the same
/// process' former session, and lets a creation whose answer was lost be found again.
package struct SequentialName: Hashable, Sendable, Comparable {
    package var id: String
    package var token: String
    package var sequence: Int64

    package init(id: String, token: String, sequence: Int64) {
        self.id = id
        self.token = token
        self.sequence = sequence
    }

    /// Reads a node's name; nil when it was not made by `prefix`.
    package init?(_ node: String) {
        guard let dash = node.lastIndex(of: "-"), let tilde = node[..<dash].lastIndex(of: "~"),
            let sequence = Int64(node[node.index(after: dash)...]), sequence >= 0, let id = SequentialName.decoded(node[..<tilde])
        else { return nil }
        self.init(id: id, token: String(node[node.index(after: tilde)..<dash]), sequence: sequence)
    }

    /// What a node's name begins with, before the service adds the digits.
    package static func prefix(id: String, token: String) -> String { encoded(id) + "~" + token + "-" }

    package var description: String {
        let digits = "\(sequence)"
        let zeros = String(repeating: "0", count: max(0, 10 - digits.utf8.count))
        return SequentialName.prefix(id: id, token: token) + zeros + digits
    }

    package static func < (a: SequentialName, b: SequentialName) -> Bool { a.sequence < b.sequence }

    /// Any text as part of a path: bytes but letters, digits and `._:@-` become `%` and two hexadecimal digits.
    package static func encoded(_ text: String) -> String {
        let isDots = !text.isEmpty && text.utf8.allSatisfy { $0 == UInt8(ascii: ".") }
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if isPlain(byte) && !isDots {
                bytes.append(byte)
            } else {
                bytes += [UInt8(ascii: "%"), hexDigit(byte >> 4), hexDigit(byte & 15)]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    package static func decoded(_ text: some StringProtocol) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "@"), UInt8(ascii: "-"): true
        default: false
        }
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }
}

/// The order of an election: who came first leads; everyone else watches the one before, so that an end wakes one process, not all
/// (the recipe of the ZooKeeper documentation).
package enum ElectionOrder {
    package enum Place: Hashable, Sendable {
        case leader
        /// Behind the candidate with this name.
        case follower(of: String)
        /// Not on the list.
        case absent
    }

    /// The place of the candidate with the node name `own` among the node names `candidates`; names that are none of ours do not count.
    package static func place(of own: String, among candidates: [String]) -> Place {
        guard let ownSequence = SequentialName(own)?.sequence, candidates.contains(own) else { return .absent }
        var predecessor: (sequence: Int64, node: String)?
        for node in candidates {
            guard let sequence = SequentialName(node)?.sequence, sequence < ownSequence else { continue }
            if sequence > predecessor?.sequence ?? -1 { predecessor = (sequence, node) }
        }
        return predecessor.map { .follower(of: $0.node) } ?? .leader
    }
}
