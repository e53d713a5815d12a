/// Why a backfill cannot go on, and what to do about it.
package struct BackfillError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// A row that cannot be read; its place stands in the message.
        case badRow
        /// Options or inputs that make no job.
        case usage
        /// The state folder is of another job.
        case otherJob
        /// A file, store, topic or server does not answer.
        case unavailable
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
