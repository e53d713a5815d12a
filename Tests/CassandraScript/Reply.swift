import NIOCore

@testable import CassandraClient

/// Frames as a node sends them.
enum Reply {
    static func frame(
        _ opcode: Opcode, _ body: ByteBuffer = ByteBuffer(), stream: Int16, version: UInt8 = 4, flags: UInt8 = 0
    ) -> ByteBuffer {
        var out = ByteBuffer()
        out.writeMultipleIntegers(version | 0x80, flags, stream, opcode.rawValue, UInt32(body.readableBytes))
        out.writeImmutableBuffer(body)
        return out
    }

    static func body(_ fill: (inout ByteBuffer) -> Void) -> ByteBuffer {
        var body = ByteBuffer()
        fill(&body)
        return body
    }

    static let supported = body { $0.writeInteger(UInt16(0)) }
    static let void = body { $0.writeInteger(Int32(1)) }

    static func error(_ code: ServerError.Code, _ message: String = "no", _ more: (inout ByteBuffer) -> Void = { _ in }) -> ByteBuffer {
        body {
            $0.writeInteger(code.rawValue)
            $0.writeInteger(UInt16(message.utf8.count))
            $0.writeString(message)
            more(&$0)
        }
    }

    static func string(_ text: String) -> ByteBuffer {
        body {
            $0.writeInteger(UInt16(text.utf8.count))
            $0.writeString(text)
        }
    }

    /// A result with these columns.
    static func rows(
        _ columns: [(String, UInt16)], _ rows: [[CQLValue]], pagingState: [UInt8]? = nil, keyspace: String = "k", table: String = "t"
    ) -> ByteBuffer {
        body { out in
            out.writeMultipleIntegers(Int32(2), Int32(pagingState == nil ? 1 : 3), Int32(columns.count))
            if let pagingState { out.writeCQLBytes(pagingState) }
            for name in [keyspace, table] { out.writeImmutableBuffer(string(name)) }
            for (name, type) in columns {
                out.writeImmutableBuffer(string(name))
                if type >> 8 != 0 { out.writeMultipleIntegers(type >> 8, type & 0xFF) } else { out.writeInteger(type) }
            }
            out.writeInteger(Int32(rows.count))
            for row in rows { for value in row { value.write(into: &out) } }
        }
    }
}
