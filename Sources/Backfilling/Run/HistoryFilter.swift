import History

/// What turns a stream of rows into lines of results.
package protocol HistoryFilter {
    /// Takes a piece of the input, cut anywhere. Throws `BackfillError` (`badRow`), "line N: ...".
    mutating func feed(_ bytes: ArraySlice<UInt8>) throws
    /// The end of the input; its last line need not end in a line end.
    mutating func finish() throws
    /// Lines of results; whoever takes them empties it.
    var output: TransformWriter { get set }
    /// Samples left out because another value of the same time came before.
    var conflicts: Int { get }
}
