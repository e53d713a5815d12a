import TimeSeries

/// Files of samples as an input: those of one series each are read one by one, any others are sorted by series first.
package enum FilesInput {
    /// - Parameters:
    ///   - input: a file, a folder or a pattern.
    ///   - grid: of files without a column of times: the time of the first row and the distance of rows.
    ///   - directory: the state folder.
    ///   - output: the folder of results, which must not be read as samples the next time; nil: there is none.
    /// Throws `BackfillError` for files that cannot be read as samples.
    package static func open(
        _ input: String, filter: SeriesFilter, badRows: BadRowReport, grid: (start: Milliseconds, step: Milliseconds)?, directory: String,
        output: String? = nil
    ) throws(BackfillError) -> any HistoryInput {
        if let output, FileSystem.isDirectory(input), FileSystem.isInside(output, of: input) {
            throw BackfillError(
                .usage, "the output \(output) lies in the input \(input): its results would be read as samples; name a folder outside of it"
            )
        }
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
