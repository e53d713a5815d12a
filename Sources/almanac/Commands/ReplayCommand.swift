import ArgumentParser
import TimeSeries

struct ReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Send the events of vehicles of a file to a running almanac.",
        discussion: """
            One event a line, as `almanac simulate vehicles --out` writes them and docs/formats/iot-data-event.md says; - reads standard input. What is not \
            acknowledged is sent again until it is, and events that come twice count once: a replay may be repeated. Lines that are no events are refused by \
            the server, which keeps them as dead letters. Events much older than the newest are late: a replay of another day wants an almanac without live \
            vehicles.

            Examples:
              almanac replay day.ndjson
              almanac replay day.ndjson --speed 60
              zcat day.ndjson.gz | almanac replay - --post https://almanac.example/api/v1/traffic/events --token-variable TOKEN
            """)

    @Argument(help: ArgumentHelp("The file; - for standard input.", valueName: "file"), completion: .file())
    var file: String

    @Option(help: "By the events' own times: realtime, a factor of it, or max, as fast as they are taken.")
    var speed = "max"

    @Option(help: "Time zone of timestamps that name none; for --speed alone.")
    var zone = "UTC"

    @OptionGroup var post: PostArguments

    func validate() throws { _ = try ReplaySpeed.factor(speed) }

    func run() async throws {
        var replay = EventReplay(
            lines: try LineReader(file), sink: try post.sink(), batch: post.batch, speed: try ReplaySpeed.factor(speed), zone: zone)
        try await replay.runUntilSignal()
    }
}
