import Foundation
import NIOCore
import Testing

@testable import CassandraClient

/// Lines of a golden file: name, bytes or a number, what they mean.
struct Golden: Sendable, CustomTestStringConvertible {
    var name: String
    var hex: String
    var meaning: String

    var testDescription: String { name }
    var bytes: [UInt8] { Golden.bytes(hex) }

    static func load(_ file: String) -> [Golden] {
        guard let url = Bundle.module.url(forResource: "Golden/\(file)", withExtension: "txt"),
            let text = try? String(contentsOf: url, encoding: .utf8)
        else { return [] }
        return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            let parts = line.components(separatedBy: " | ")
            return Golden(name: parts[0], hex: parts.count > 1 ? parts[1] : "", meaning: parts.count > 2 ? parts[2] : "")
        }
    }

    static func bytes(_ hex: String) -> [UInt8] {
        var bytes: [UInt8] = []
        var digits = hex[...]
        while digits.count >= 2 {
            bytes.append(UInt8(digits.prefix(2), radix: 16) ?? 0)
            digits = digits.dropFirst(2)
        }
        return bytes
    }
}

func hexText(_ buffer: ByteBuffer) -> String { buffer.readableBytesView.map { hex(UInt64($0), 2) }.joined() }
