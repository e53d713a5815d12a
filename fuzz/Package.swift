// swift-tools-version: 6.2
import PackageDescription

// A package of its own, since all of it is compiled with libFuzzer's instrumentation; the folders of Sources are links to the product's.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility"),
    .unsafeFlags(["-sanitize=fuzzer", "-parse-as-library"]),
]

let package = Package(
    name: "fuzz",
    platforms: [.macOS(.v15)],
    targets: [
        .target(name: "TimeSeries"),
        .target(name: "Exposition"),
        .target(name: "Records", dependencies: ["TimeSeries"]),
        .target(name: "Traffic", dependencies: ["TimeSeries", "Records"]),
        .target(name: "Flows", dependencies: ["TimeSeries", "Records"]),
        .executableTarget(
            name: "Fuzz", dependencies: ["TimeSeries", "Exposition", "Records", "Traffic", "Flows"],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]),
    ]
)

for target in package.targets { target.swiftSettings = settings }
