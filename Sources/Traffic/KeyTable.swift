/// Routes with their vehicle types, interned to dense numbers by comparing bytes: no text is made for an event.
struct KeyTable: Sendable {
    private var table: [Int32] = [Int32](repeating: -1, count: 64)
    private var hashes: [UInt64] = []
    private var starts: [Int] = []
    private var routeCounts: [Int32] = []
    private var typeCounts: [Int32] = []
    private var bytes: [UInt8] = []
    /// Keeps chosen names from filling one part of the table.
    private let seed = UInt64.random(in: .min ... .max) | 1
    private(set) var routes: [String] = []
    private var routeIndex: [String: Int32] = [:]
    private(set) var names: [(route: Int32, type: String)] = []

    var count: Int { names.count }

    func route(_ key: Int32) -> String { routes[Int(names[Int(key)].route)] }
    func type(_ key: Int32) -> String { names[Int(key)].type }

    /// The key's number; the next one for a new key, nil if there are `limit` already.
    @inline(__always)
    mutating func index(route: UnsafeRawBufferPointer, type: UnsafeRawBufferPointer, limit: Int) -> Int32? {
        let hash = mixed(hashed(route, hashed(type, seed)))
        var slot = Int(truncatingIfNeeded: hash) & (table.count - 1)
        while table[slot] >= 0 {
            let key = Int(table[slot])
            if hashes[key] == hash, isEqual(key, route, type) { return Int32(key) }
            slot = (slot + 1) & (table.count - 1)
        }
        return names.count < limit ? add(route, type, hash) : nil
    }

    mutating func index(route: String, type: String) -> Int32 {
        var route = route
        var type = type
        return route.withUTF8 { r in type.withUTF8 { index(route: .init(r), type: .init($0), limit: .max) } } ?? 0
    }

    @inline(__always)
    private func isEqual(_ key: Int, _ route: UnsafeRawBufferPointer, _ type: UnsafeRawBufferPointer) -> Bool {
        guard Int(routeCounts[key]) == route.count, Int(typeCounts[key]) == type.count else { return false }
        return bytes.withUnsafeBytes { known in
            var at = starts[key]
            return KeyTable.isEqual(known, &at, route) && KeyTable.isEqual(known, &at, type)
        }
    }

    @inline(__always)
    private static func isEqual(_ known: UnsafeRawBufferPointer, _ at: inout Int, _ text: UnsafeRawBufferPointer) -> Bool {
        var i = 0
        while i + 8 <= text.count {
            if known.loadUnaligned(fromByteOffset: at + i, as: UInt64.self) != text.loadUnaligned(fromByteOffset: i, as: UInt64.self) {
                return false
            }
            i += 8
        }
        while i < text.count {
            if known[at + i] != text[i] { return false }
            i += 1
        }
        at += text.count
        return true
    }

    @inline(__always)
    private func hashed(_ text: UnsafeRawBufferPointer, _ start: UInt64) -> UInt64 {
        var hash = start ^ UInt64(text.count)
        var i = 0
        while i + 8 <= text.count {
            hash = folded(hash ^ text.loadUnaligned(fromByteOffset: i, as: UInt64.self))
            i += 8
        }
        var rest: UInt64 = 0
        while i < text.count {
            rest = rest << 8 | UInt64(text[i])
            i += 1
        }
        return folded(hash ^ rest)
    }

    @inline(__always)
    private func folded(_ x: UInt64) -> UInt64 {
        let (high, low) = x.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return high ^ low
    }

    private mutating func add(_ route: UnsafeRawBufferPointer, _ type: UnsafeRawBufferPointer, _ hash: UInt64) -> Int32 {
        let key = Int32(names.count)
        let routeName = String(decoding: route, as: UTF8.self)
        let index = routeIndex[routeName] ?? Int32(routes.count)
        if index == Int32(routes.count) {
            routes.append(routeName)
            routeIndex[routeName] = index
        }
        names.append((index, String(decoding: type, as: UTF8.self)))
        hashes.append(hash)
        starts.append(bytes.count)
        routeCounts.append(Int32(route.count))
        typeCounts.append(Int32(type.count))
        bytes.append(contentsOf: route)
        bytes.append(contentsOf: type)
        if names.count * 2 > table.count {
            table = [Int32](repeating: -1, count: table.count * 2)
            for i in names.indices { place(Int32(i), hashes[i]) }
        } else {
            place(key, hash)
        }
        return key
    }

    private mutating func place(_ key: Int32, _ hash: UInt64) {
        var slot = Int(truncatingIfNeeded: hash) & (table.count - 1)
        while table[slot] >= 0 { slot = (slot + 1) & (table.count - 1) }
        table[slot] = key
    }
}

@inline(__always)
func mixed(_ value: UInt64) -> UInt64 {
    var x = value
    x ^= x >> 32
    x = x &* 0xd6e8_feb8_6659_fd93
    x ^= x >> 32
    return x
}
