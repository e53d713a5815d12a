/// The pages of a result.
package struct CassandraPages: AsyncSequence, Sendable {
    package typealias Element = Rows
    package typealias Failure = CassandraError

    let session: CassandraSession
    let statement: PreparedStatement
    let values: BoundValues
    let options: RequestOptions

    package func makeAsyncIterator() -> Iterator { Iterator(pages: self, options: options) }

    package struct Iterator: AsyncIteratorProtocol {
        fileprivate let pages: CassandraPages
        fileprivate var options: RequestOptions
        private var isDone = false

        fileprivate init(pages: CassandraPages, options: RequestOptions) {
            self.pages = pages
            self.options = options
        }

        package mutating func next() async throws -> Rows? {
            try await next(isolation: nil)
        }

        package mutating func next(isolation actor: isolated (any Actor)?) async throws(CassandraError) -> Rows? {
            if isDone { return nil }
            let rows = try await pages.session.execute(pages.statement, pages.values, options)
            options.pagingState = rows.pagingState
            isDone = rows.pagingState == nil
            return rows
        }
    }
}
