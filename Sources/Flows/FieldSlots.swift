import Records

/// The fields that a flow names, numbered: a record is an array of their values, and no name is looked up for a record.
struct FieldSlots {
    struct Slot {
        var name: String
        /// The name's parts between dots, which go into nested objects.
        var path: [String]
    }

    private(set) var slots: [Slot] = []
    private var indexes: [String: Int] = [:]

    /// The number of a field.
    mutating func slot(_ name: String) -> Int {
        if let known = indexes[name] { return known }
        indexes[name] = slots.count
        slots.append(Slot(name: name, path: name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)))
        return slots.count - 1
    }

    func name(_ slot: Int) -> String { slots[slot].name }

    func read(_ json: JSONValue) -> [FieldValue] { slots.map { FieldValue(FieldSlots.find($0, in: json)) } }

    /// `columns[slot]` is the column of a field, or -1.
    func read(_ cells: [String], columns: [Int]) -> [FieldValue] {
        columns.map { cells.indices.contains($0) ? FieldValue(cell: cells[$0]) : .missing }
    }

    /// Where the fields stand in rows under this header.
    func columns(of header: [String]) -> [Int] { slots.map { slot in header.firstIndex(of: slot.name) ?? -1 } }

    /// A member with the whole name, dots and all, counts before the path.
    private static func find(_ slot: Slot, in json: JSONValue) -> JSONValue? {
        if let direct = json[slot.name] { return direct }
        if slot.path.count < 2 { return nil }
        return find(slot.path[...], in: json)
    }

    static func find(_ path: ArraySlice<String>, in json: JSONValue) -> JSONValue? {
        var at = json
        for part in path {
            if let member = at[part] {
                at = member
            } else if let elements = at.arrayValue, let i = Int(part), elements.indices.contains(i) {
                at = elements[i]
            } else {
                return nil
            }
        }
        return at
    }
}
