import ArgumentParser
import Settings
import TimeSeries
import Traffic
import TrafficSimulation

struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate", abstract: "Make believable data, and know what must come out of it.", subcommands: [Vehicles.self])

    struct Vehicles: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "A fleet of connected vehicles that reports where it is, how fast, and with how much fuel.",
            discussion: """
                Vehicles drive on winding roads in both directions, wait in rush hours and behind incidents, refuel, rest, and change roads at \
                junctions. The same options and --seed give the same events, to the byte. With --truth a file tells what the analysis must answer \
                (docs/formats/traffic-truth.md). Without options the fleet drives now and posts to the Almanac on this machine; Ctrl-C ends it.

                Examples:
                  almanac simulate vehicles
                  almanac simulate vehicles --preset italy --vehicles 2000 --interval 1s
                  almanac simulate vehicles --duration 24h --out day.ndjson --truth day.truth.ndjson --late 0.01 --duplicates 0.02
                  almanac simulate vehicles --vehicles 1000 --speed max --duration 6h --start 2026-10-25T00:00:00+02:00
                """)

        @OptionGroup(title: "The fleet") var fleet: FleetArguments
        @OptionGroup(title: "What goes wrong on the way (shares from 0 to 1)") var delivery: DeliveryArguments
        @OptionGroup(title: "Where it goes") var target: TargetArguments
        @OptionGroup(title: "The truth") var truth: TruthArguments

        func validate() throws {
            try fleet.validate(isFile: target.out != nil)
            try delivery.validate()
            _ = try truth.analysis()
        }

        func run() async throws {
            let plan = try fleet.plan(now: SystemClock().now(), isFile: target.out != nil)
            var options = plan.options
            options.delivery = try delivery.options(truth.allowedLateness.milliseconds)
            if plan.speed != 1, target.out == nil, let end = plan.end, end > SystemClock().now() {
                Output.error("almanac: the simulated time goes beyond now; Almanac refuses events from the future")
            }
            let simulation: Simulation
            do {
                simulation = try Simulation(options, truth: truth.file == nil ? nil : try truth.analysis())
            } catch let error as SimulationError {
                throw Failure("\(error)")
            }
            let sink = try target.sink()
            let run = SimulationRun(
                simulation: simulation, plan: plan, sink: sink, batch: target.batch, truth: try truth.file.map { try FileSink($0) },
                status: target.out == "-" ? .error : .output)
            try await run.runUntilSignal()
        }
    }

    struct FleetArguments: ParsableArguments {
        @Option(help: "The region: us (Route-37, Route-82, Route-43) or italy (A24, SS5, GRA).")
        var preset = "us"

        @Option(help: "How many vehicles.")
        var vehicles = 100

        @Option(help: ArgumentHelp("Between two reports of a vehicle, give or take a fifth.", valueName: "duration"))
        var interval = DurationArgument(milliseconds: 5_000)

        @Option(help: "Another number, another day.")
        var seed: UInt64 = 1

        @Option(help: ArgumentHelp("Time of the first events: ISO 8601 or now; default: now, or so that it ends now.", valueName: "time"))
        var start: String?

        @Option(help: ArgumentHelp("Simulated time; default: without end in real time, else 24h.", valueName: "duration"))
        var duration: DurationArgument?

        @Option(help: ArgumentHelp("End after as many events.", valueName: "n"))
        var events: Int?

        @Option(help: "realtime, max, or a factor of real time; default: realtime, into a file max.")
        var speed: String?

        @Option(help: ArgumentHelp("Coordinates as strings or as numbers.", valueName: "strings|numbers"))
        var form = "strings"

        @Option(
            help: ArgumentHelp("Timestamps: iso, epoch (milliseconds) or local (whole seconds, no zone).", valueName: "iso|epoch|local"))
        var time = "iso"

        @Option(help: "Time zone of timestamps and, in the truth, of days; default: UTC (us), Europe/Rome (italy).")
        var zone: String?

        /// nil: as fast as it goes.
        func factor(isFile: Bool) throws -> Double? {
            guard let speed else { return isFile ? nil : 1 }
            return try ReplaySpeed.factor(speed)
        }

        func validate(isFile: Bool) throws {
            guard FleetPreset.named(preset) != nil else { throw ValidationError("--preset \(preset): give us or italy") }
            guard (1...5_000_000).contains(vehicles) else { throw ValidationError("--vehicles \(vehicles): give 1 to 5000000") }
            guard (events ?? 1) > 0 else { throw ValidationError("--events: give a number above 0") }
            guard EventForm.Coordinates(rawValue: form) != nil else { throw ValidationError("--form \(form): give strings or numbers") }
            guard EventForm.Time(rawValue: time) != nil else { throw ValidationError("--time \(time): give iso, epoch or local") }
            _ = try factor(isFile: isFile)
            if let start, start != "now", TimeText.parse(start) == nil {
                throw ValidationError("--start \(start): give now or a time such as 2026-01-31T12:00:00Z")
            }
        }

        func validate() throws {}

        func plan(now: Milliseconds, isFile: Bool) throws -> SimulationPlan {
            let speed = try factor(isFile: isFile)
            var options = SimulationOptions()
            options.fleet.preset = FleetPreset.named(preset) ?? .us
            options.fleet.vehicles = vehicles
            options.fleet.interval = interval.milliseconds
            options.fleet.seed = seed
            options.zone = zone
            options.form = EventForm(
                coordinates: EventForm.Coordinates(rawValue: form) ?? .strings, time: EventForm.Time(rawValue: time) ?? .iso)
            let isFast = speed.map { $0 > 1 } ?? true
            let length = duration?.milliseconds ?? (isFast ? 86_400_000 : nil)
            // Faster than real time it would soon be in the future, which is refused: it ends now instead.
            let usual = isFast ? now - (length ?? 0) : now
            options.fleet.start = start.flatMap { $0 == "now" ? now : TimeText.parse($0) } ?? usual
            return SimulationPlan(
                options: options, end: length.map { options.fleet.start + $0 }, events: events, speed: speed)
        }
    }

    struct DeliveryArguments: ParsableArguments {
        @Option(help: ArgumentHelp("Events that come twice.", valueName: "share"))
        var duplicates = 0.0

        @Option(help: ArgumentHelp("Events that come out of order, by up to 4 s.", valueName: "share"))
        var disorder = 0.0

        @Option(help: ArgumentHelp("Events that come late, by up to half of --allowed-lateness.", valueName: "share"))
        var late = 0.0

        @Option(help: ArgumentHelp("Events that come too late, by twice --allowed-lateness or more.", valueName: "share"))
        var tooLate = 0.0

        @Option(help: ArgumentHelp("Events that are broken, in twenty ways.", valueName: "share"))
        var malformed = 0.0

        func validate() throws { _ = try options(600_000) }

        func options(_ allowedLateness: Milliseconds) throws -> DeliveryOptions {
            for (name, share) in [
                ("duplicates", duplicates), ("disorder", disorder), ("late", late), ("too-late", tooLate), ("malformed", malformed),
            ] {
                guard (0...1).contains(share) else { throw ValidationError("--\(name) \(share): give a share from 0 to 1") }
            }
            guard disorder + late + tooLate + malformed <= 1 + 1e-9 else {
                throw ValidationError("--disorder, --late, --too-late and --malformed together are more than 1")
            }
            var options = DeliveryOptions()
            options.duplicates = duplicates
            options.disorder = disorder
            options.late = late
            options.tooLate = tooLate
            options.malformed = malformed
            options.allowedLateness = allowedLateness
            return options
        }
    }

    struct TargetArguments: ParsableArguments {
        @Option(help: ArgumentHelp("Write to a file, one event a line; - for standard output.", valueName: "file"), completion: .file())
        var out: String?

        @OptionGroup var post: PostArguments

        var batch: Int { post.batch }

        func validate() throws {
            guard out == nil || post.post == nil else { throw ValidationError("give --out or --post, not both") }
        }

        func sink() throws -> any EventSink {
            if let out { return try FileSink(out) }
            return try post.sink()
        }
    }

    struct TruthArguments: ParsableArguments {
        @Option(
            name: .customLong("truth"), help: ArgumentHelp("Write what the analysis must answer.", valueName: "file"), completion: .file())
        var file: String?

        @Option(help: ArgumentHelp("As in the analysis' configuration.", valueName: "duration"))
        var allowedLateness = DurationArgument(milliseconds: 600_000)

        @Option(help: ArgumentHelp("A window's length and slide; may be given several times; default: 30s/10s.", valueName: "length/slide"))
        var window: [String] = []

        @Option(
            help: ArgumentHelp(
                "A point of interest, a circle; may be given several times; default: the trucks of Route-37 within 30 km.",
                valueName: "name,latitude,longitude,km"))
        var point: [String] = []

        @Option(help: ArgumentHelp("Less fuel than this counts as low.", valueName: "percent"))
        var lowFuel = 15.0

        func validate() throws { _ = try analysis() }

        func analysis() throws -> TrafficOptions {
            var options = TrafficOptions()
            options.allowedLateness = allowedLateness.milliseconds
            options.lowFuel = lowFuel
            if !window.isEmpty {
                options.windows = try window.map { text in
                    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { DurationText.parse(String($0)) ?? 0 }
                    guard parts.count == 2, parts[1] > 0, parts[0] >= parts[1], parts[0] % parts[1] == 0 else {
                        throw ValidationError("--window \(text): give a length that is a multiple of the slide, such as 30s/10s")
                    }
                    return TrafficOptions.Window(length: parts[0], slide: parts[1])
                }
            }
            if !point.isEmpty {
                options.points = try point.map { text in
                    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
                    let numbers = parts.dropFirst().compactMap { Double($0) }
                    guard parts.count == 4, numbers.count == 3, numbers[2] > 0, numbers[0].magnitude <= 90, numbers[1].magnitude <= 180
                    else { throw ValidationError("--point \(text): give name,latitude,longitude,km such as tivoli,41.963,12.798,5") }
                    return PointOfInterest(
                        name: String(parts[0]), area: .circle(latitude: numbers[0], longitude: numbers[1], radius: numbers[2]))
                }
            }
            return options
        }
    }
}
