// swift-tools-version: 6.2
import PackageDescription

// One loop gives every target the same settings: Swift 6 mode, warnings are errors.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let grdbSQLite: Target.Dependency = .product(name: "GRDBSQLite", package: "GRDB.swift")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let hummingbirdTLS: Target.Dependency = .product(name: "HummingbirdTLS", package: "hummingbird")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
let nioHTTP: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioCompression: Target.Dependency = .product(name: "NIOHTTPCompression", package: "swift-nio-extras")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
// Spark Connect speaks gRPC, which doubles a first build: it is there only for builds with --traits Spark.
let spark: TargetDependencyCondition? = .when(traits: ["Spark"])
let grpc: Target.Dependency = .product(name: "GRPCCore", package: "grpc-swift-2", condition: spark)
let grpcTransport: Target.Dependency = .product(
    name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport", condition: spark)
let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf", condition: spark)
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")

let package = Package(
    name: "almanac",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "almanac", targets: ["almanac"]),
        .executable(name: "almanac-bench", targets: ["AlmanacBench"]),
    ],
    traits: [
        .trait(name: "Spark", description: "The client of Spark Connect: backfill --spark and spark-stream.")
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Floor 1
        .target(name: "TimeSeries"),
        .target(name: "Telemetry"),
        // Floor 2
        .target(name: "Analytics", dependencies: ["TimeSeries"]),
        .target(name: "Exposition"),
        .target(name: "Records", dependencies: ["TimeSeries"]),
        // Floor 3
        .target(name: "Messaging", dependencies: ["TimeSeries", "Telemetry", logging]),
        .target(name: "Storage", dependencies: ["TimeSeries", "Records", "Telemetry", grdb, grdbSQLite, logging]),
        .target(name: "Coordination", dependencies: ["TimeSeries"]),
        .target(name: "HTTPKit", dependencies: ["Records", "Telemetry", hummingbird, hummingbirdTLS, nioCore, nioSSL, logging, lifecycle]),
        .target(name: "Fetching", dependencies: ["TimeSeries", httpClient, nioCore, nioPosix, nioHTTP, nioSSL, nioCompression]),
        // Floor 4: one driver each, behind its contract; the C libraries are Debian's
        .systemLibrary(
            name: "CRdKafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"]), .brew(["librdkafka"])]),
        .systemLibrary(
            name: "CMariaDB", pkgConfig: "libmariadb", providers: [.apt(["libmariadb-dev"]), .brew(["mariadb-connector-c"])]),
        .systemLibrary(name: "CZooKeeper", providers: [.apt(["libzookeeper-mt-dev"]), .brew(["zookeeper"])]),
        .target(name: "CassandraClient", dependencies: ["Telemetry", nioCore, nioPosix, nioTLS, nioSSL, logging]),
        .target(
            name: "CassandraStorage", dependencies: ["CassandraClient", "Storage", "Records", "TimeSeries", "Telemetry", logging]),
        .target(name: "KafkaMessaging", dependencies: ["Messaging", "TimeSeries", "Telemetry", "CRdKafka", logging]),
        .target(name: "MySQLStorage", dependencies: ["Storage", "Records", "TimeSeries", "Telemetry", "CMariaDB", logging]),
        // Empty without the trait, but for the reader of Arrow and the addresses
        .target(name: "SparkProto", dependencies: [protobuf], exclude: ["spark_connect.proto"]),
        .target(name: "SparkClient", dependencies: ["SparkProto", protobuf, grpc, grpcTransport]),
        .target(name: "ZooKeeperCoordination", dependencies: ["Coordination", "TimeSeries", "Telemetry", "CZooKeeper", logging]),
        // Floor 5
        .target(name: "Traffic", dependencies: ["TimeSeries", "Records"]),
        .target(name: "TrafficSimulation", dependencies: ["TimeSeries", "Traffic"]),
        .target(name: "Flows", dependencies: ["TimeSeries", "Records"]),
        .target(name: "History", dependencies: ["TimeSeries", "Analytics", "Records"]),
        // Floor 6
        .target(name: "HostMetrics", dependencies: []),
        .target(
            name: "Collecting",
            dependencies: [
                "TimeSeries", "Telemetry", "Exposition", "Records", "Messaging", "Coordination", "HostMetrics", "Fetching", "Flows",
                nioCore, nioHTTP, logging,
            ]),
        .target(
            name: "Analyzing",
            dependencies: [
                "TimeSeries", "Telemetry", "Analytics", "History", "Records", "Messaging", "Storage", "Coordination", "Traffic", logging,
            ]),
        .target(name: "Notifying", dependencies: ["TimeSeries", "Telemetry", "Records", "Messaging", "Fetching", nioHTTP, logging]),
        .target(name: "Backfilling", dependencies: ["TimeSeries", "Telemetry", "Records", "Messaging", "Storage", "History", logging]),
        .target(name: "Storing", dependencies: ["TimeSeries", "Telemetry", "Records", "Messaging", "Storage", logging]),
        .target(
            name: "Serving",
            dependencies: [
                "TimeSeries", "Telemetry", "Records", "Messaging", "Storage", "HTTPKit", "Traffic", hummingbird, nioCore, logging,
                lifecycle,
            ],
            resources: [.embedInCode("Resources/index.html"), .embedInCode("Resources/openapi.json")]),
        .target(name: "SparkJobs"),
        .target(name: "Settings", dependencies: ["TimeSeries", yams]),
        // Floor 7
        .executableTarget(
            name: "AlmanacBench",
            dependencies: [
                "TimeSeries", "Telemetry", "Analytics", "Exposition", "Records", "Messaging", "Storage", "Collecting", "Analyzing",
                "HostMetrics", "KafkaMessaging", "MySQLStorage", "CassandraClient", "Traffic", "History", "Backfilling", logging,
            ]),
        .executableTarget(
            name: "almanac",
            dependencies: [
                "TimeSeries", "Telemetry", "Analytics", "Exposition", "Records", "Messaging", "Storage", "Coordination", "HTTPKit",
                "HostMetrics", "Collecting", "Analyzing", "Storing", "Serving", "Settings", "KafkaMessaging", "MySQLStorage",
                "CassandraClient", "CassandraStorage", "SparkClient", "SparkJobs", "ZooKeeperCoordination", "Fetching", "Flows",
                "Notifying", "Traffic",
                "Backfilling", "History", "TrafficSimulation", hummingbird, arguments,
                httpClient, nioCore, nioHTTP, nioSSL, logging, lifecycle,
            ]),
        // What the tests share: servers, temporary folders, and the contract suites that each driver must pass
        .target(name: "TestSupport", dependencies: [logging], path: "Tests/TestSupport"),
        .target(name: "MessagingContract", dependencies: ["Messaging", "TimeSeries", "TestSupport"], path: "Tests/MessagingContract"),
        .target(
            name: "StorageContract", dependencies: ["Storage", "Records", "TimeSeries", "TestSupport"], path: "Tests/StorageContract"),
        .target(
            name: "CoordinationContract", dependencies: ["Coordination", "TimeSeries", "TestSupport"], path: "Tests/CoordinationContract"),
        .target(name: "TrafficTruth", dependencies: ["Storage", "Records", "TimeSeries"], path: "Tests/TrafficTruth"),
        .testTarget(name: "TimeSeriesTests", dependencies: ["TimeSeries", "TestSupport"]),
        .testTarget(name: "TelemetryTests", dependencies: ["Telemetry"]),
        .testTarget(name: "AnalyticsTests", dependencies: ["Analytics", "TimeSeries", "TestSupport"], resources: [.copy("Golden")]),
        .testTarget(name: "ExpositionTests", dependencies: ["Exposition", "TestSupport"], resources: [.copy("OpenMetrics")]),
        .testTarget(name: "RecordsTests", dependencies: ["Records", "TestSupport", "TimeSeries"]),
        .testTarget(
            name: "MessagingTests", dependencies: ["Messaging", "MessagingContract", "TestSupport", "TimeSeries", "Telemetry", logging]),
        .testTarget(
            name: "KafkaMessagingTests",
            dependencies: [
                "KafkaMessaging", "Messaging", "MessagingContract", "TestSupport", "TimeSeries", "Telemetry", "CRdKafka", logging,
            ]),
        .testTarget(
            name: "StorageTests",
            dependencies: [
                "Storage", "StorageContract", "TestSupport", "Storing", "Messaging", "Records", "TimeSeries", "Telemetry", grdb, logging,
            ]),
        .testTarget(
            name: "MySQLStorageTests",
            dependencies: [
                "MySQLStorage", "Storage", "StorageContract", "TestSupport", "Records", "TimeSeries", "Telemetry", logging,
            ]),
        .target(
            name: "CassandraScript", dependencies: ["CassandraClient", nioCore, nioPosix, nioSSL], path: "Tests/CassandraScript"),
        .testTarget(
            name: "CassandraClientTests",
            dependencies: ["CassandraClient", "CassandraScript", "TestSupport", "Telemetry", nioCore, nioPosix, nioSSL, logging],
            resources: [.copy("Golden")]),
        .testTarget(
            name: "CassandraStorageTests",
            dependencies: [
                "almanac", "CassandraStorage", "CassandraClient", "CassandraScript", "Storage", "StorageContract", "TestSupport", "Records",
                "TimeSeries", "Telemetry",
                nioCore, nioPosix, nioSSL, logging,
            ]),
        .testTarget(
            name: "ZooKeeperCoordinationTests",
            dependencies: [
                "ZooKeeperCoordination", "Coordination", "CoordinationContract", "TestSupport", "TimeSeries", "Telemetry", logging,
            ]),
        .testTarget(name: "CoordinationTests", dependencies: ["Coordination", "CoordinationContract", "TestSupport", "TimeSeries"]),
        .testTarget(
            name: "HTTPKitTests",
            dependencies: [
                "HTTPKit", "Records", "Telemetry", nioCore, logging, .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "NIOEmbedded", package: "swift-nio"), nioPosix, hummingbird,
            ]),
        .testTarget(name: "HostMetricsTests", dependencies: ["HostMetrics", "Exposition", "TestSupport"]),
        .testTarget(
            name: "CollectingTests",
            dependencies: [
                "Collecting", "Coordination", "Fetching", "Flows", "Messaging", "MessagingContract", "Records", "TimeSeries", "Telemetry",
                "Exposition", "TestSupport", logging,
            ]),
        .testTarget(
            name: "NotifyingTests",
            dependencies: ["Notifying", "Messaging", "Records", "TimeSeries", "Telemetry", "TestSupport", nioCore, logging]),
        .testTarget(name: "TrafficTests", dependencies: ["Traffic", "Records", "TimeSeries", "TestSupport"]),
        .testTarget(name: "TrafficSimulationTests", dependencies: ["TrafficSimulation", "Traffic", "TimeSeries"]),
        .testTarget(name: "FlowsTests", dependencies: ["Flows", "Records", "TimeSeries", "TestSupport"]),
        .testTarget(name: "HistoryTests", dependencies: ["History", "Analytics", "Records", "TestSupport", "TimeSeries"]),
        .testTarget(
            name: "BackfillingTests",
            dependencies: ["Backfilling", "History", "Messaging", "Storage", "Records", "TestSupport", "TimeSeries", "Telemetry", logging]),
        .testTarget(
            name: "AnalyzingTests",
            dependencies: [
                "Analyzing", "Analytics", "Records", "Messaging", "MessagingContract", "Storage", "StorageContract", "Storing",
                "TestSupport", "TimeSeries", "Telemetry", "Coordination", "Traffic", "TrafficSimulation", "TrafficTruth", logging,
            ]),
        .testTarget(
            name: "ServingTests",
            dependencies: [
                "Serving", "Storage", "Messaging", "Records", "TimeSeries", "Telemetry", "HTTPKit", "Traffic", "TestSupport", logging,
                lifecycle,
                .product(name: "HummingbirdTesting", package: "hummingbird"), hummingbird,
            ]),
        .testTarget(
            name: "SparkClientTests", dependencies: ["SparkClient", "SparkProto", "TestSupport", protobuf], resources: [.copy("Golden")]),
        .testTarget(name: "SparkJobsTests", dependencies: ["SparkJobs"], resources: [.copy("Golden")]),
        // Against a real Spark: make test-spark
        .testTarget(
            name: "SparkConnectTests",
            dependencies: [
                "SparkClient", "SparkJobs", "TestSupport", "Traffic", "TrafficSimulation", "Records", "TimeSeries",
            ]),
        .testTarget(name: "SparkTests", dependencies: ["almanac", "SparkClient", "TestSupport", "Records"]),
        .testTarget(name: "SettingsTests", dependencies: ["Settings", "TimeSeries", "TestSupport"], resources: [.copy("Golden")]),
        .testTarget(
            name: "TopologyTests",
            dependencies: [
                "TestSupport", "almanac", "KafkaMessaging", "MySQLStorage", "CassandraStorage", "CassandraClient", "Storage", "Messaging",
                "Records",
                "TimeSeries", "Telemetry", "Analyzing", "Traffic", "TrafficSimulation", "TrafficTruth", "CRdKafka", logging,
            ]),
        .testTarget(name: "DeployTests", dependencies: ["TestSupport", "Settings", "almanac"]),
        .testTarget(
            name: "EndToEndTests",
            dependencies: ["almanac", "TrafficTruth", "Records", "TimeSeries", "Messaging", "Storage", "Telemetry", "TestSupport", logging]),
        .testTarget(
            name: "AlmanacTests",
            dependencies: [
                "almanac", "Fetching", "Settings", "Analyzing", "Collecting", "Coordination", "HTTPKit", "Serving", "Records", "TimeSeries",
                "Messaging", "Storage", "Telemetry", "TestSupport", nioHTTP, logging,
            ]),
    ]
)

for target in package.targets where target.type != .system {
    target.swiftSettings = (target.swiftSettings ?? []) + settings
}
