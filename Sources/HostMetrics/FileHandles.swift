/// `/proc/sys/fs/file-nr`: open file handles of the whole machine, and how many there may be.
struct FileHandles: Equatable, Sendable {
    var allocated: UInt64
    var maximum: UInt64
}

func parseFileHandles(_ bytes: [UInt8]) throws(ParseFailure) -> FileHandles {
    var scanner = TextScanner(bytes)
    guard scanner.nextLine() else { throw ParseFailure(line: nil, reason: "the file is empty") }
    let allocated = try scanner.unsigned("the number of handles")
    _ = try scanner.unsigned("the number of free handles")
    return FileHandles(allocated: allocated, maximum: try scanner.unsigned("the largest number of handles"))
}

extension PageWriter {
    mutating func writeFileHandles(_ handles: FileHandles) {
        single("node_filefd_allocated", .gauge, "Open file handles.", .integer(handles.allocated))
        single("node_filefd_maximum", .gauge, "The largest number of file handles.", .integer(handles.maximum))
    }
}
