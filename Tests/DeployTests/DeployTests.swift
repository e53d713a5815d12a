import Foundation
import TestSupport
import Testing

/// What deploy/ and docs/OPERATIONS.md say against the program and the schemas: scripts/check-deploy.py, and that it sees what is wrong.
@Suite(.serialized) struct DeployTests {
    @Test func theDeploymentIsSound() throws {
        let result = try CheckDeploy.run(in: CheckDeploy.root)
        if result.code == CheckDeploy.unavailable { return CheckDeploy.say("skipped: \(result.output)") }
        #expect(result.code == 0, "scripts/check-deploy.py: \(result.output)")
    }

    struct Fault: CustomStringConvertible {
        var file: String
        var text: String
        var replacement: String
        /// What the report must say.
        var finding: String

        var description: String { "\(file): \(replacement)" }
    }

    static let faults = [
        Fault(
            file: "deploy/compose.yaml", text: "  serve:\n", replacement: "  serve:\n    restrat: always\n",
            finding: "services.serve: Unevaluated properties are not allowed ('restrat' was unexpected)"),
        Fault(
            file: "deploy/compose.yaml", text: "command: [store]", replacement: "command: [keep]", finding: "almanac has no command `keep`"),
        Fault(
            file: "deploy/compose.yaml", text: "apache/kafka:4.0.1", replacement: "apache/kafka:latest",
            finding: "apache/kafka:latest is not pinned"),
        Fault(
            file: "deploy/compose.yaml", text: "127.0.0.1:5002/-/ready", replacement: "127.0.0.1:5003/-/ready",
            finding: "the probe asks port 5003; almanac listens on 5002"),
        Fault(
            file: "deploy/compose.yaml", text: "ALMANAC_LOG_LEVEL:", replacement: "ALMANAC_LOGLEVEL:",
            finding: "ALMANAC_LOGLEVEL is the variable of no key"),
        Fault(
            file: "deploy/almanac.yaml", text: "kafka:29092", replacement: "kafka:19092",
            finding: "kafka listens on [9092, 9093, 29092], not on 19092"),
        Fault(
            file: "deploy/kubernetes/almanac.yaml", text: "retention: 1d", replacement: "retention: a day",
            finding: "messaging.kafka.topics.retention"),
        Fault(
            file: "deploy/kubernetes/analyze.yaml", text: "readOnlyRootFilesystem", replacement: "readOnlyRootFileSystem",
            finding: "'readOnlyRootFileSystem' was unexpected"),
        Fault(
            file: "deploy/kubernetes/disruption.yaml", text: "component: serve", replacement: "component: server",
            finding: "selects no Deployment"),
        Fault(
            file: "deploy/prometheus/alerts.yml", text: "almanac_store_lag_records", replacement: "almanac_store_lag",
            finding: "almanac has no metric almanac_store_lag"),
        Fault(
            file: "deploy/grafana/dashboards/almanac.json", text: "sum(almanac_collect_targets_up)",
            replacement: "sum(almanac_collect_targets_up",
            finding: "could not parse expression"),
        Fault(file: "deploy/Dockerfile", text: "USER 10001:10001", replacement: "USER root", finding: "USER is root"),
        Fault(
            file: "docs/OPERATIONS.md", text: "`almanac_kafka_retries_total`", replacement: "`almanac_kafka_repeats_total`",
            finding: "names the metric almanac_kafka_repeats_total"),
    ]

    /// All faults in one copy: the checks are independent of each other, and each run starts a process.
    @Test func faultsAreFound() throws {
        let copy = try CheckDeploy.copy()
        for fault in Self.faults {
            let text = copy.read(fault.file)
            let changed = text.replacingOccurrences(of: fault.text, with: fault.replacement)
            #expect(changed != text, "\(fault.file) has no '\(fault.text)' any more: renew this fault")
            try copy.write(changed, to: fault.file)
        }
        let result = try CheckDeploy.run(in: copy.path, options: ["--static"])
        if result.code == CheckDeploy.unavailable { return CheckDeploy.say("skipped: \(result.output)") }
        let missed = Self.faults.filter { !result.output.contains($0.finding) }.map(\.description)
        #expect(result.code == 1 && missed.isEmpty, "not found: \(missed); found: \(result.output)")
    }
}

enum CheckDeploy {
    static let unavailable: Int32 = 77
    /// The repository, also where it is built through symbolic links.
    static let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path
    /// The built program, beside the test bundle.
    private static let program =
        URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent("almanac").path

    static func run(in directory: String, options: [String] = []) throws -> (output: String, code: Int32) {
        let folder = try TemporaryDirectory()
        let tool = try ServerProcess(
            "/usr/bin/env", ["python3", "\(directory)/scripts/check-deploy.py", "--almanac", program] + options,
            output: folder.file("output"),
            environment: ["ALMANAC_DEPLOY_VENV": "\(root)/.build/deploy-venv"])
        let code = tool.end(0)
        // 127: there is no python3.
        return (tool.printed, code == 127 ? unavailable : code)
    }

    /// What the checks read.
    static func copy() throws -> TemporaryDirectory {
        let copy = try TemporaryDirectory()
        for name in ["deploy", "docs", "scripts", "Sources", "Package.swift", "README.md", ".dockerignore", ".gitignore"] {
            // Of a link the link would be copied, and the faults would be made in the repository.
            let source = URL(fileURLWithPath: "\(root)/\(name)").resolvingSymlinksInPath().path
            try FileManager.default.copyItem(atPath: source, toPath: copy.file(name))
        }
        try FileManager.default.createDirectory(atPath: copy.file("Tests"), withIntermediateDirectories: true)
        // Not the secrets that somebody has made there.
        let secrets = copy.file("deploy/secrets")
        for name in try FileManager.default.contentsOfDirectory(atPath: secrets) where !name.hasSuffix(".example") && name.contains("_") {
            try FileManager.default.removeItem(atPath: "\(secrets)/\(name)")
        }
        return copy
    }

    static func say(_ text: String) { FileHandle.standardError.write(Data("check-deploy: \(text)\n".utf8)) }
}
