import NIOSSL

/// How a cluster is reached and used. Times in milliseconds.
package struct CassandraOptions: Sendable {
    /// Some nodes; the others are found through them.
    package var contactPoints: [NodeAddress]
    package var credentials: Credentials?
    package var tls = CassandraTLS()
    /// Requests go to nodes of this datacentre; nil for that of the first node that answers.
    package var localDatacenter: String?
    /// Ask nodes elsewhere when no local one answers.
    package var usesRemoteDatacenters = false
    /// The newest version of the protocol to offer.
    package var version = ProtocolVersion.v5

    package var consistency = Consistency.localQuorum
    package var serialConsistency = Consistency.localSerial
    /// Rows of one page.
    package var pageSize: Int32 = 5000
    /// Attempts that a request gets in all.
    package var maximumAttempts = 3
    /// Until one attempt counts as lost.
    package var attemptTimeout: Int64 = 12_000
    /// Until a request with all its attempts is given up.
    package var requestTimeout: Int64 = 30_000

    package var connectTimeout: Int64 = 5000
    package var connectionsPerNode = 1
    /// Requests under way on one connection; more wait.
    package var maximumStreams = 1024
    /// Requests that wait for one connection; more are refused.
    package var maximumQueue = 16_384
    /// The longest frame that is taken.
    package var maximumFrame = 64 << 20
    package var maximumOrphans = 512
    package var heartbeatInterval: Int64 = 15_000
    package var heartbeatTimeout: Int64 = 10_000
    /// The first pause before connecting again, and the longest.
    package var reconnectFirst: Int64 = 100
    package var reconnectLimit: Int64 = 10_000
    /// Between an event of the cluster and looking at its tables, so that many events are one look.
    package var refreshPause: Int64 = 500
    /// How long a change of the schema may take to reach all nodes.
    package var schemaAgreementTimeout: Int64 = 10_000
    /// Statements that may be prepared.
    package var maximumStatements = 1000
    /// How often deadlines are looked at.
    package var tick: Int64 = 50

    package init(contactPoints: [NodeAddress]) { self.contactPoints = contactPoints }

    /// Throws `usage` with what is wrong.
    package func check() throws(CassandraError) {
        if contactPoints.isEmpty { throw CassandraError(.usage, "Cassandra needs the address of a node, host:port") }
        guard (1...32_767).contains(maximumStreams), (1...64).contains(connectionsPerNode), maximumQueue >= 0 else {
            throw CassandraError(.usage, "from 1 to 32767 requests on one of 1 to 64 connections are possible")
        }
        guard (1 << 16...FrameHeader.maximumBody).contains(maximumFrame) else {
            throw CassandraError(
                .usage, "frames of at most \(maximumFrame) bytes: a number from 65536 to \(FrameHeader.maximumBody) is needed")
        }
        let times = [
            attemptTimeout, requestTimeout, connectTimeout, heartbeatTimeout, reconnectFirst, reconnectLimit, schemaAgreementTimeout, tick,
        ]
        if times.contains(where: { $0 < 1 || $0 > 86_400_000 }) || !(0...86_400_000).contains(heartbeatInterval) {
            throw CassandraError(.usage, "the times for Cassandra must be from 1 ms to one day")
        }
        if pageSize < 1 || maximumAttempts < 1 { throw CassandraError(.usage, "pages and attempts must be at least 1") }
    }

    func settings(_ version: ProtocolVersion, events: [String] = []) -> Connection.Machine.Settings {
        var settings = Connection.Machine.Settings()
        settings.version = version
        settings.startup = [("DRIVER_NAME", "Almanac"), ("DRIVER_VERSION", "1")]
        settings.credentials = credentials
        settings.events = events
        settings.maximumStreams = maximumStreams
        settings.maximumQueue = maximumQueue
        settings.maximumFrame = maximumFrame
        settings.maximumOrphans = maximumOrphans
        settings.handshakeTimeout = connectTimeout
        settings.heartbeatInterval = heartbeatInterval
        settings.heartbeatTimeout = heartbeatTimeout
        return settings
    }
}

/// Encryption of the connections.
package struct CassandraTLS: Sendable, Equatable {
    package enum Mode: String, Sendable, CaseIterable {
        /// Plain text.
        case disabled
        /// Encrypted, whoever answers.
        case required
        /// Encrypted, and the node's certificate must be signed by the CA.
        case authority
        /// And it must bear the node's name or address.
        case verified
    }

    package var mode = Mode.disabled
    /// PEM files. Without a CA file the system's authorities count.
    package var caFile: String?
    /// The client's own certificate and key, where nodes ask for them.
    package var certificateFile: String?
    package var keyFile: String?

    package init() {}

    /// Nil for plain text. Throws `usage` for files that cannot be read.
    func context() throws(CassandraError) -> NIOSSLContext? {
        if mode == .disabled { return nil }
        do {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.certificateVerification =
                switch mode {
                case .verified: .fullVerification
                case .authority: .noHostnameVerification
                default: .none
                }
            if let caFile { configuration.trustRoots = .file(caFile) }
            if let certificateFile {
                configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(certificateFile).map { .certificate($0) }
            }
            if let keyFile { configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: keyFile, format: .pem)) }
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw CassandraError(.usage, "the TLS files for Cassandra cannot be used: \(error)")
        }
    }
}
