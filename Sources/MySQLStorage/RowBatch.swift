import CMariaDB

/// Rows on their way to the server, column by column, as array binding wants them. Every value takes a slot of eight bytes; texts lie
/// one after the other in one piece of memory and their slots say where.
final class RowBatch {
    enum Kind: Sendable {
        case integer
        case double
        case text
        case bytes

        fileprivate var isVariable: Bool { self == .text || self == .bytes }

        fileprivate var wireType: enum_field_types {
            switch self {
            case .integer: MYSQL_TYPE_LONGLONG
            case .double: MYSQL_TYPE_DOUBLE
            case .text: MYSQL_TYPE_STRING
            case .bytes: MYSQL_TYPE_BLOB
            }
        }
    }

    private let kinds: [Kind]
    private let capacity: Int
    private let slots: UnsafeMutablePointer<UInt64>
    private let lengths: UnsafeMutablePointer<UInt>
    /// 1 for null: what both an indicator and `is_null` mean by it.
    private let nulls: UnsafeMutablePointer<CChar>
    private var texts: [UInt8] = []
    private var column = 0
    private(set) var rows = 0
    /// Bytes that the rows take on the wire, about.
    private(set) var bytes = 0

    init(_ kinds: [Kind], capacity: Int) {
        self.kinds = kinds
        self.capacity = max(1, capacity)
        let count = max(1, kinds.count * self.capacity)
        slots = .allocate(capacity: count)
        slots.initialize(repeating: 0, count: count)
        lengths = .allocate(capacity: count)
        lengths.initialize(repeating: 0, count: count)
        nulls = .allocate(capacity: count)
        nulls.initialize(repeating: 0, count: count)
    }

    deinit {
        slots.deallocate()
        lengths.deallocate()
        nulls.deallocate()
    }

    var isFull: Bool { rows == capacity }

    func removeAll() {
        texts.removeAll(keepingCapacity: true)
        (column, rows, bytes) = (0, 0, 0)
    }

    // MARK: Values, from the first column on

    /// The place of the next value. Values beyond the row or the capacity land on the last place instead of outside the memory.
    private func next(_ size: Int) -> Int {
        let place = min(column, kinds.count - 1) * capacity + min(rows, capacity - 1)
        column += 1
        bytes += size
        return place
    }

    func append(_ value: Int64) {
        let place = next(9)
        slots[place] = UInt64(bitPattern: value)
        nulls[place] = 0
    }

    func append(_ value: Int) { append(Int64(value)) }

    func append(orNull value: Int64?) {
        if let value { append(value) } else { nulls[next(1)] = 1 }
    }

    /// What is not finite is stored as null.
    func append(_ value: Double?) {
        let place = next(9)
        let isThere = value?.isFinite ?? false
        slots[place] = isThere ? (value ?? 0).bitPattern : 0
        nulls[place] = isThere ? 0 : 1
    }

    func append(_ value: String?) {
        guard var text = value else {
            nulls[next(1)] = 1
            return
        }
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    func append(_ value: [UInt8]) { value.withUnsafeBytes { append($0) } }

    private func append(_ raw: UnsafeRawBufferPointer) {
        let place = next(raw.count + 9)
        slots[place] = UInt64(texts.count)
        lengths[place] = UInt(raw.count)
        nulls[place] = 0
        texts.append(contentsOf: raw)
    }

    func endRow() {
        column = 0
        rows += 1
    }

    // MARK: Parameters

    /// The parameters of a statement that takes `count` rows, starting with row `from`.
    func withBinds(from: Int, count: Int, _ body: (UnsafeMutablePointer<MYSQL_BIND>) throws -> Void) rethrows {
        try texts.withUnsafeMutableBytes { texts in
            var binds = [MYSQL_BIND](repeating: MYSQL_BIND(), count: kinds.count * count)
            for row in 0..<count {
                for (i, kind) in kinds.enumerated() {
                    let place = i * capacity + from + row
                    let at = row * kinds.count + i
                    binds[at].buffer_type = kind.wireType
                    binds[at].is_null = nulls + place
                    binds[at].length = lengths + place
                    binds[at].buffer = UnsafeMutableRawPointer(slots + place)
                    if kind.isVariable {
                        binds[at].buffer = pointer(place, texts)
                        binds[at].buffer_length = lengths[place]
                    }
                }
            }
            try binds.withUnsafeMutableBufferPointer { if let start = $0.baseAddress { try body(start) } }
        }
    }

    /// The parameters of a statement that takes one row and is run once for each: each parameter is an array.
    func withArrayBinds(_ body: (UnsafeMutablePointer<MYSQL_BIND>) throws -> Void) rethrows {
        try texts.withUnsafeMutableBytes { texts in
            var binds = [MYSQL_BIND](repeating: MYSQL_BIND(), count: kinds.count)
            let variable = kinds.indices.filter { kinds[$0].isVariable }
            let pointers = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: max(1, variable.count * rows))
            defer { pointers.deallocate() }
            for (nth, i) in variable.enumerated() {
                for row in 0..<rows { pointers[nth * rows + row] = pointer(i * capacity + row, texts) }
                binds[i].buffer = UnsafeMutableRawPointer(pointers + nth * rows)
            }
            for (i, kind) in kinds.enumerated() {
                binds[i].buffer_type = kind.wireType
                binds[i].length = lengths + i * capacity
                binds[i].u.indicator = nulls + i * capacity
                if !kind.isVariable { binds[i].buffer = UnsafeMutableRawPointer(slots + i * capacity) }
            }
            try binds.withUnsafeMutableBufferPointer { if let start = $0.baseAddress { try body(start) } }
        }
    }

    /// Never null: the library takes a null pointer for a null value.
    private func pointer(_ place: Int, _ texts: UnsafeMutableRawBufferPointer) -> UnsafeMutableRawPointer {
        if nulls[place] == 0, lengths[place] > 0, let start = texts.baseAddress { return start + Int(slots[place]) }
        return UnsafeMutableRawPointer(slots + place)
    }
}
