/// What comes back while Spark works on a query.
package enum SparkEvent: Sendable {
    case batch(ArrowBatch)
    case progress(SparkProgress)
}

/// How far Spark is with a query: tasks over all stages known so far. More stages may come.
package struct SparkProgress: Sendable, Equatable {
    package var tasks: Int64
    package var done: Int64
    package var running: Int64
    package var bytesRead: Int64

    package init(tasks: Int64, done: Int64, running: Int64, bytesRead: Int64) {
        self.tasks = tasks
        self.done = done
        self.running = running
        self.bytesRead = bytesRead
    }
}

/// A plan that Spark takes, as far as this client speaks its language.
package indirect enum SparkPlan: Sendable, Equatable {
    case sql(String)
    /// Text over rows that come with it, which it knows as a table of this name, which no other query
    /// of the session has at the same time; `arrow` as `ArrowWriter` writes them. A server takes plans
    /// of 128 MiB unless told otherwise (spark.connect.grpc.maxInboundMessageSize).
    case sqlOver(String, name: String, arrow: [UInt8])
    /// Files or another source, by the name of its format.
    /// - schema: in DDL; nil: Spark finds it out.
    case read(format: String, schema: String?, options: [String: String], paths: [String], isStreaming: Bool)
    /// Rows of the plan with a watermark on a column, `delay` behind the newest.
    case watermark(SparkPlan, column: String, delay: String)
    /// Rows whose columns of these names were not there before; forgotten when the watermark has passed them.
    case distinct(SparkPlan, columns: [String])
}

/// A streaming query to be started.
package struct SparkStream: Sendable, Equatable {
    package enum Trigger: Sendable, Equatable {
        /// All there is, then the end.
        case availableNow
        /// Milliseconds.
        case every(Int64)
    }

    package var name: String
    package var plan: SparkPlan
    package var format: String
    package var options: [String: String]
    /// `append` or `update`.
    package var outputMode: String
    package var trigger: Trigger

    package init(name: String, plan: SparkPlan, format: String, options: [String: String], outputMode: String, trigger: Trigger) {
        self.name = name
        self.plan = plan
        self.format = format
        self.options = options
        self.outputMode = outputMode
        self.trigger = trigger
    }
}

/// A run of a streaming query.
package struct SparkQueryID: Sendable, Hashable {
    package var id: String
    package var run: String

    package init(id: String, run: String) {
        self.id = id
        self.run = run
    }
}
