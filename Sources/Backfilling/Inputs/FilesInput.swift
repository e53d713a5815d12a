import TimeSeries

/// Files of samples as an input: those of one series each are read one by one, any others are sorted by series first.
package enum FilesInput {
    /// - Parameters:
    ///   - input: a file, a folder or a pattern.
    ///   - grid: of files without a column of times: the time of the first row and the distance of rows.
    ///   - directory: the state folder.
    /// Throws `BackfillError` for files that cannot be read as samples.
    package static func open(
        _ input: String, filter: SeriesFilter, badRows: BadRowReport, grid: (start: Milliseconds, step: Milliseconds)?, directory: String
    ) throws(BackfillError) -> any HistoryInput {
        let files = try InputFiles.find(input)
        if grid == nil, let file = files.first(where: { $0.layout.time == nil }) {
            throw BackfillError(
                .usage, "\(file.path) has no column of times; give the distance of its rows with --step, such as --step 60s")
        }
        if files.allSatisfy(\.layout.keys.isEmpty) {
            return SeriesFilesInput(files: files, grid: grid, filter: filter, badRows: badRows)
        }
        if let file = files.first(where: { $0.layout.time == nil }) {
            throw BackfillError(.usage, "\(file.path) has no column of times, but others beside it name series; give it alone")
        }
        return RowFilesInput(files: files, filter: filter, directory: directory)
    }
}
