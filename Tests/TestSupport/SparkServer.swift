import Foundation
import Glibc
import Synchronization

/// A Spark Connect server of its own on 127.0.0.1, out of PyPI's pyspark, with its files in a temporary folder.
package final class SparkServer: Sendable {
    package let port: Int
    private let home: String
    private let master: String
    private let folder: TemporaryDirectory
    private let process = Mutex<ServerProcess?>(nil)

    /// Where pyspark lies: `ALMANAC_TEST_SPARK_HOME`, which `make test-spark` sets; nil: not installed.
    package static var home: String? {
        ProcessInfo.processInfo.environment["ALMANAC_TEST_SPARK_HOME"].flatMap {
            ServerProcess.isInstalled($0 + "/bin/spark-submit") ? $0 : nil
        }
    }

    /// - Parameter master: `local[CORES]`, or `local-cluster[EXECUTORS,CORES,MEBIBYTES]`, whose executors are processes of their own.
    package init(master: String = "local[2]") throws {
        self.master = master
        guard let home = SparkServer.home else { throw ToolFailure(description: "ALMANAC_TEST_SPARK_HOME names no pyspark") }
        self.home = home
        folder = try TemporaryDirectory()
        port = freePort()
    }

    package var address: String { "sc://127.0.0.1:\(port)" }
    package var printed: String { folder.read("log") }
    package func file(_ name: String) -> String { folder.file(name) }

    /// Starts it and waits until it listens.
    /// - Parameter path: folders of programs that its executors find, before all others.
    package func start(path: String? = nil) async throws {
        let settings = [
            "spark.connect.grpc.binding.port=\(port)", "spark.connect.grpc.binding.address=127.0.0.1", "spark.ui.enabled=false",
            "spark.local.dir=\(folder.file("local"))", "spark.sql.warehouse.dir=\(folder.file("warehouse"))",
            "spark.sql.shuffle.partitions=2", "spark.driver.bindAddress=127.0.0.1",
        ]
        var environment = ["SPARK_LOCAL_IP": "127.0.0.1", "SPARK_HOME": try ownHome()]
        if let path { environment["PATH"] = path + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin") }
        // spark-submit becomes the server: nothing is left behind when it ends.
        let started = try ServerProcess(
            home + "/bin/spark-submit",
            ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "--master", master, "--driver-memory", "2g"]
                + settings.flatMap { ["--conf", $0] } + ["spark-internal"],
            output: folder.file("log"), directory: folder.path, environment: environment)
        process.withLock { $0 = started }
        let deadline = ContinuousClock.now + .seconds(120)
        while !canConnect(port) {
            guard started.isRunning, ContinuousClock.now < deadline else {
                throw ToolFailure(description: "Spark does not start: \(printed.suffix(3000))")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Spark by another path: a cluster's workers keep their files in a folder `work` of it.
    private func ownHome() throws -> String {
        let own = folder.file("home")
        if FileManager.default.fileExists(atPath: own) { return own }
        try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
        for entry in try FileManager.default.contentsOfDirectory(atPath: home) where entry != "work" {
            try FileManager.default.createSymbolicLink(atPath: "\(own)/\(entry)", withDestinationPath: "\(home)/\(entry)")
        }
        return own
    }

    package var pid: Int32? { process.withLock { $0?.pid } }

    /// SIGKILL: the driver is lost.
    package func kill() { _ = process.withLock { $0.take() }?.end(SIGKILL) }

    deinit { kill() }
}
