import Foundation
import Glibc
import TimeSeries

/// A file of samples with what was found out about it.
struct InputFile: Sendable {
    var path: String
    /// Under the folder that was named; what a series without a name is called after.
    var relative: String
    var size: Int
    var modified: Int64
    var layout: RowLayout

    /// The series of a file that names none: the file's name as a metric name, its folder and what the name lost as labels.
    var fallback: LabelSet {
        let parts = relative.split(separator: "/").map(String.init)
        var stem = parts.last ?? relative
        for suffix in [".csv", ".tsv", ".txt"] where stem.lowercased().hasSuffix(suffix) { stem.removeLast(suffix.count) }
        var name = String(
            decoding: stem.utf8.map { c in
                (c | 0x20 >= 0x61 && c | 0x20 <= 0x7A) || (c >= 0x30 && c <= 0x39) || c == UInt8(ascii: "_") ? c : UInt8(ascii: "_")
            }, as: UTF8.self)
        if name.utf8.first.map({ $0 >= 0x30 && $0 <= 0x39 }) ?? true { name = "_" + name }
        var labels: [Label] = []
        if name != stem { labels.append(Label("file", stem)) }
        if parts.count > 1 { labels.append(Label("folder", parts.dropLast().joined(separator: "/"))) }
        return LabelSet(name: name, labels)
    }
}

/// Finds the files of an input: a file, a folder with all `.csv` and `.tsv` files below it, or a pattern with `*`, `?` and `[...]`.
enum InputFiles {
    /// Sorted by path. Throws `BackfillError` where there is none, or one that makes no sense.
    static func find(_ input: String, hasTypeColumn: Bool = false) throws(BackfillError) -> [InputFile] {
        var status = stat()
        if stat(input, &status) == 0 {
            if status.st_mode & S_IFMT == S_IFDIR { return try folder(input, hasTypeColumn) }
            return [try file(input, relative: input.split(separator: "/").last.map(String.init) ?? input, hasTypeColumn)]
        }
        guard input.contains(where: { "*?[".contains($0) }) else { throw FileSystem.failure("cannot be read", input) }
        let paths = matches(input)
        if paths.isEmpty { throw BackfillError(.usage, "\(input): no file matches this pattern") }
        let common = commonFolder(paths)
        var files: [InputFile] = []
        for path in paths { files.append(try file(path, relative: String(path.dropFirst(common.utf8.count)), hasTypeColumn)) }
        return files
    }

    private static func folder(_ path: String, _ hasTypeColumn: Bool) throws(BackfillError) -> [InputFile] {
        var root = path
        while root.count > 1, root.hasSuffix("/") { root.removeLast() }
        var names: [String] = []
        try collect("", below: root, into: &names)
        names.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        if names.isEmpty { throw BackfillError(.usage, "\(path): there is no .csv or .tsv file below this folder") }
        var files: [InputFile] = []
        for name in names { files.append(try file("\(root)/\(name)", relative: name, hasTypeColumn)) }
        return files
    }

    /// Regular files below a folder; links to folders are not followed, so that there is an end.
    private static func collect(_ folder: String, below root: String, into names: inout [String]) throws(BackfillError) {
        let path = folder.isEmpty ? root : "\(root)/\(folder)"
        let entries: [String]
        do { entries = try FileManager.default.contentsOfDirectory(atPath: path) } catch {
            throw BackfillError(.unavailable, "the folder \(path) cannot be read; what is in it would be missing")
        }
        for entry in entries {
            let name = folder.isEmpty ? entry : "\(folder)/\(entry)"
            var own = stat()
            guard lstat("\(root)/\(name)", &own) == 0 else { continue }
            if own.st_mode & S_IFMT == S_IFDIR {
                try collect(name, below: root, into: &names)
                continue
            }
            let lower = entry.lowercased()
            guard lower.hasSuffix(".csv") || lower.hasSuffix(".tsv") else { continue }
            var status = stat()
            guard stat("\(root)/\(name)", &status) == 0 else { throw FileSystem.failure("cannot be read", "\(root)/\(name)") }
            switch status.st_mode & S_IFMT {
            case S_IFREG: names.append(name)
            case S_IFDIR: break
            default: throw BackfillError(.usage, "\(root)/\(name) is no file (a pipe, a socket or a device); take it out of the folder")
            }
        }
    }

    private static func matches(_ pattern: String) -> [String] {
        var found = glob_t()
        defer { globfree(&found) }
        guard glob(pattern, 0, nil, &found) == 0 else { return [] }
        return (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].map { String(cString: $0) } }.filter { path in
            var status = stat()
            return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        }
    }

    /// The folder, with its slash, that all paths begin with.
    private static func commonFolder(_ paths: [String]) -> String {
        guard var common = paths.first.map({ Array($0.utf8) }) else { return "" }
        for path in paths {
            let length = zip(common, path.utf8).prefix { $0 == $1 }.count
            common.removeLast(common.count - length)
        }
        let end = common.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
        return String(decoding: common[..<end], as: UTF8.self)
    }

    /// Files that are packed or of another encoding are named as such: what their first line looks like helps nobody.
    private static func foreign(_ head: [UInt8]) -> String? {
        if head.starts(with: [0x1F, 0x8B]) { return "is compressed by gzip: unpack it first (gunzip -k)" }
        if head.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) { return "is compressed by zstd: unpack it first (zstd -d)" }
        if head.starts(with: [0x50, 0x41, 0x52, 0x31]) { return "is Parquet: `almanac backfill --spark` reads it" }
        if head.starts(with: [0xFF, 0xFE]) || head.starts(with: [0xFE, 0xFF]) { return "is UTF-16: save it as UTF-8" }
        return head.contains(0) ? "is no text: it has null bytes" : nil
    }

    private static func file(_ path: String, relative: String, _ hasTypeColumn: Bool) throws(BackfillError) -> InputFile {
        let file = try LineFile(path)
        if path.lowercased().hasSuffix(".tsv") {
            return InputFile(
                path: path, relative: relative, size: file.size, modified: file.modified, layout: .transform(hasType: hasTypeColumn))
        }
        let head = try file.head(1 << 16)
        if head.isEmpty { throw BackfillError(.usage, "\(path) is empty") }
        if let foreign = foreign(head) { throw BackfillError(.usage, "\(path) \(foreign)") }
        if file.size > head.count, !head.contains(0x0A) {
            throw BackfillError(.usage, "\(path): the first line is longer than 64 KiB; is this CSV with an end to each line?")
        }
        do {
            let result: Result<RowLayout, BackfillError> = head.withUnsafeBytes { raw in
                do throws(BackfillError) { return .success(try RowLayout.detect(raw)) } catch { return .failure(error) }
            }
            return InputFile(path: path, relative: relative, size: file.size, modified: file.modified, layout: try result.get())
        } catch {
            throw BackfillError(error.code, "\(path): \(error.message)")
        }
    }
}
