import Foundation
import Records
import Storage
import StorageContract
import TestSupport
import Testing
import TimeSeries

@testable import MySQLStorage

/// What people see who open the database in Adminer.
@Suite(.needsMariaDB, .mariaDB, .serialized) struct AdminerTests {
    private static let adminer = "/usr/share/adminer/adminer.php"
    private static let browser = "/usr/bin/chromium"
    static var isInstalled: Bool {
        ["/usr/bin/php", "/usr/bin/curl"].allSatisfy { ServerProcess.isInstalled($0) } && FileManager.default.fileExists(atPath: adminer)
    }
    static var hasBrowser: Bool { ServerProcess.isInstalled(browser) }

    private static let series = key("http_requests_total", [("instance", "10.0.0.7:9100"), ("job", "shop")], type: .counter)

    /// Fills a database and serves Adminer; `body` gets its address and the database's options.
    private func withAdminer(_ body: (String, MySQLOptions, TemporaryDirectory) async throws -> Void) async throws {
        let server = try MariaDBTrait.current()
        let folder = try TemporaryDirectory()
        let port = freePort()
        try await withStore(server) { store in
            var batch = StoreBatch()
            for i in 0..<5 as Range<Int64> {
                let time = start + i * 5 * minute
                batch.windows.append(windows(AdminerTests.series, at: time, value: 12.5))
                batch.forecasts.append(forecast(AdminerTests.series, at: time, value: 12.5))
            }
            batch.profiles.append(profile(AdminerTests.series, at: start))
            batch.chunks.append(chunk(AdminerTests.series, from: start - hour, to: start))
            batch.trafficTotals = [ResultStoreContract.total(day: "2025-10-14")]
            batch.trafficWindows = [ResultStoreContract.window(at: start + 10 * second)]
            batch.visits = [ResultStoreContract.visit("2b9e7a52-0000-4000-8000-000000000001", entered: start)]
            batch.alerts = [ResultStoreContract.alert(onset: start)]
            try await store.write(batch)
            let php = try ServerProcess(
                "/usr/bin/php", ["-S", "127.0.0.1:\(port)", AdminerTests.adminer], output: folder.file("php.log"), directory: folder.path)
            defer { php.end() }
            try await eventually("Adminer is served") { canConnect(port) }
            try await body("http://127.0.0.1:\(port)/", store.options, folder)
        }
    }

    private func query(_ options: MySQLOptions) -> String {
        "?server=127.0.0.1%3A\(options.port)&username=\(options.user)&db=\(options.database)"
    }

    @Test(.enabled(if: AdminerTests.isInstalled, "php, curl or adminer is not installed")) func tablesAndRows() async throws {
        try await withAdminer { address, options, folder in
            func curl(_ arguments: String...) throws -> String {
                let jar = folder.file("cookies")
                return try runTool("/usr/bin/curl", ["-sS", "-L", "-m", "30", "-b", jar, "-c", jar] + arguments)
            }
            let login = try curl(
                "--data-urlencode", "auth[driver]=server", "--data-urlencode", "auth[server]=127.0.0.1:\(options.port)",
                "--data-urlencode", "auth[username]=\(options.user)", "--data-urlencode", "auth[password]=\(MariaDBServer.password)",
                "--data-urlencode", "auth[db]=\(options.database)", address)
            #expect(login.contains("Database: \(options.database)"), "\(login.prefix(2000))")
            for table in ["series", "window_statistics", "window_statistics_latest_view", "chunks", "forecasts_latest_view"] {
                #expect(login.contains("select=\(table)'") || login.contains("select=\(table)\""), "the list lacks \(table)")
            }
            func page(_ table: String) throws -> String {
                let page = try curl(address + query(options) + "&select=\(table)")
                #expect(!page.contains("class='error'") && !page.contains("Warning:"), "\(table): \(page.suffix(3000))")
                return page
            }
            let notation = "http_requests_total{instance=&quot;10.0.0.7:9100&quot;,job=&quot;shop&quot;}"
            let series = try page("series")
            #expect(series.contains(notation) && series.contains(AdminerTests.series.id.description))
            let statistics = try page("window_statistics")
            #expect(statistics.contains("2025-10-14 00:20:00.000") && statistics.contains("12.5"), "times can be read in the table")
            let views = [
                "window_statistics_latest_view", "window_statistics_view", "forecasts_latest_view", "forecasts_view", "chunks_view",
            ]
            for view in views {
                let page = try page(view)
                #expect(page.contains(notation) && page.contains("2025-10-1"), "\(view)")
            }
            #expect(try page("profiles_latest_view").contains("stationary"))
            #expect(try page("series_view").contains("counter"))
            let traffic = [
                ("traffic_totals", "2025-10-14"), ("traffic_windows", "2025-10-14 00:00:10.000"), ("point_visits", "33.877495"),
                ("traffic_alerts", "speed 131.5 km/h above 110"),
            ]
            for (table, text) in traffic {
                for name in [table, table + "_view"] {
                    let page = try page(name)
                    #expect(page.contains("Route-37") && page.contains(text), "\(name)")
                }
            }
        }
    }

    /// A real browser logs in and sees the rows. The picture goes to the folder that ALMANAC_TEST_ARTIFACTS names, if it is set.
    @Test(.enabled(if: AdminerTests.isInstalled && AdminerTests.hasBrowser, "php, adminer or chromium is not installed"))
    func screenshot() async throws {
        try await withAdminer { address, options, folder in
            func escaped(_ text: String) -> String {
                text.replacing("&", with: "&amp;").replacing("\"", with: "&quot;").replacing("'", with: "&#39;")
            }
            let fields = [
                ("driver", "server"), ("server", "127.0.0.1:\(options.port)"), ("username", options.user),
                ("password", MariaDBServer.password), ("db", options.database),
            ]
            let inputs = fields.map { "<input type=hidden name=\"auth[\($0.0)]\" value=\"\(escaped($0.1))\">" }.joined()
            let target = escaped(address + "?select=window_statistics_latest_view")
            try folder.write(
                "<form method=post action=\"\(target)\">\(inputs)</form><script>document.forms[0].submit()</script>", to: "login.html")
            func browse(_ arguments: String...) throws -> String {
                try runTool(
                    AdminerTests.browser,
                    [
                        "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1500,700",
                        "--virtual-time-budget=8000", "--user-data-dir=\(folder.file("profile"))",
                    ] + arguments + ["file://" + folder.file("login.html")])
            }
            let picture = folder.file("adminer.png")
            let seen = try browse("--dump-dom")
            #expect(seen.contains("http_requests_total{instance=\"10.0.0.7:9100\",job=\"shop\"}"), "\(seen.prefix(3000))")
            #expect(seen.contains("2025-10-14 00:20:00.000"))
            _ = try browse("--screenshot=\(picture)")
            let bytes = try Data(contentsOf: URL(fileURLWithPath: picture))
            #expect(bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]) && bytes.count > 20_000, "\(bytes.count) bytes")
            if let place = ProcessInfo.processInfo.environment["ALMANAC_TEST_ARTIFACTS"] {
                try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
                try bytes.write(to: URL(fileURLWithPath: place + "/adminer.png"))
            }
        }
    }
}
