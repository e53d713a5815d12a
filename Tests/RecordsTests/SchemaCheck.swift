import Records

/// Checks a value against the few words of JSON Schema that our schema files use.
struct SchemaCheck {
    private let root: JSONValue

    init(_ root: JSONValue) { self.root = root }

    func faults(_ value: JSONValue) -> [String] { faults(value, root, "$") }

    private func faults(_ value: JSONValue, _ schema: JSONValue, _ path: String) -> [String] {
        var faults: [String] = []
        if let reference = schema["$ref"]?.stringValue, let name = reference.split(separator: "/").last {
            guard let definition = root["$defs"]?[String(name)] else { return ["\(path): \(reference) is not defined"] }
            faults += self.faults(value, definition, path)
        }
        if let constant = schema["const"], constant != value { faults.append("\(path): not \(constant.jsonText)") }
        if let options = schema["enum"]?.arrayValue, !options.contains(value) { faults.append("\(path): not one of them") }
        let types = schema["type"]?.arrayValue?.compactMap(\.stringValue) ?? schema["type"]?.stringValue.map { [$0] }
        if let types, !types.contains(where: { isOf($0, value) }) { faults.append("\(path): no \(types)") }
        if let minimum = schema["minimum"]?.doubleValue, let number = value.doubleValue, number < minimum {
            faults.append("\(path): below \(minimum)")
        }
        if let members = value.objectValue {
            for name in schema["required"]?.arrayValue?.compactMap(\.stringValue) ?? [] where value[name] == nil {
                faults.append("\(path): lacks \(name)")
            }
            for (name, member) in members {
                if let own = schema["properties"]?[name] { faults += self.faults(member, own, "\(path).\(name)") }
            }
        }
        if let elements = value.arrayValue, let items = schema["items"] {
            for (i, element) in elements.enumerated() { faults += self.faults(element, items, "\(path)[\(i)]") }
        }
        for part in schema["allOf"]?.arrayValue ?? [] {
            guard let condition = part["if"], let then = part["then"] else { continue }
            if self.faults(value, condition, path).isEmpty { faults += self.faults(value, then, path) }
        }
        return faults
    }

    private func isOf(_ type: String, _ value: JSONValue) -> Bool {
        switch type {
        case "object": value.objectValue != nil
        case "array": value.arrayValue != nil
        case "string": value.stringValue != nil
        case "integer": value.int64Value != nil
        case "number": value.doubleValue != nil
        case "boolean": value.boolValue != nil
        case "null": value == .null
        default: false
        }
    }
}
