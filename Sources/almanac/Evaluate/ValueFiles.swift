import Foundation

/// Series for evaluations: CSV files below a folder, each with the header `value` and one value a line.
struct ValueFile {
    /// Path below the folder, with `/` between parts.
    let name: String
    let values: [Double]

    /// All files in order of their names. An empty line or one that is no number counts as missing (NaN).
    static func read(below directory: String) throws -> [ValueFile] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: directory, isDirectory: &isFolder), isFolder.boolValue,
            let walker = FileManager.default.enumerator(atPath: directory)
        else { throw Failure("\(directory) is no folder that can be read; give --data a folder of CSV files") }
        let names = walker.compactMap { $0 as? String }.filter { $0.hasSuffix(".csv") }.sorted()
        var files: [ValueFile] = []
        for name in names {
            let path = directory + "/" + name
            guard let bytes = FileManager.default.contents(atPath: path) else { throw Failure("\(path) cannot be read") }
            if let values = parse(bytes) { files.append(ValueFile(name: name, values: values)) }
        }
        if files.isEmpty { throw Failure("\(directory) holds no CSV file with the header 'value'") }
        return files
    }

    /// nil for a file of another form, such as a manifest.
    static func parse(_ bytes: Data) -> [Double]? {
        // A byte order mark and carriage returns come from other systems; the latter make one Character with the line feed.
        let text = String(decoding: bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes, as: UTF8.self)
        var lines = text.split(omittingEmptySubsequences: false, whereSeparator: { $0 == "\n" || $0 == "\r\n" })[...]
        guard let header = lines.popFirst(), header.trimmingCharacters(in: .whitespaces) == "value" else { return nil }
        while let last = lines.last, last.trimmingCharacters(in: .whitespaces).isEmpty { lines.removeLast() }
        return lines.map { Double($0.trimmingCharacters(in: .whitespaces)) ?? .nan }
    }
}
