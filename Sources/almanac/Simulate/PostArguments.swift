import ArgumentParser
import Settings

/// Where events of vehicles are posted, and how.
struct PostArguments: ParsableArguments {
    static let defaultURL = "http://127.0.0.1:5002/api/v1/traffic/events"

    @Option(help: ArgumentHelp("Post there; default: \(PostArguments.defaultURL).", valueName: "url"))
    var post: String?

    @Option(help: ArgumentHelp("A file with the bearer token to show.", valueName: "file"), completion: .file())
    var tokenFile: String?

    @Option(help: ArgumentHelp("The environment variable with the bearer token to show.", valueName: "name"))
    var tokenVariable: String?

    @Option(help: ArgumentHelp("A file with the certificates to trust, beside the system's.", valueName: "file"), completion: .file())
    var caFile: String?

    @Option(help: ArgumentHelp("Events in one request, at most.", valueName: "n"))
    var batch = 1_000

    func validate() throws {
        guard (1...100_000).contains(batch) else { throw ValidationError("--batch \(batch): give 1 to 100000") }
        if let post, !post.hasPrefix("http://"), !post.hasPrefix("https://") {
            throw ValidationError("--post \(post): give a URL such as \(PostArguments.defaultURL)")
        }
    }

    func sink() throws -> EventPoster {
        var token: String?
        if let tokenFile {
            do { token = String(try FileText.read(tokenFile).prefix { !$0.isNewline }) } catch { throw Failure("--token-file: \(error)") }
        } else if let tokenVariable {
            guard let value = Output.environment[tokenVariable], !value.isEmpty else {
                throw Failure("--token-variable \(tokenVariable): is not set")
            }
            token = value
        }
        return try EventPoster(url: post ?? PostArguments.defaultURL, token: token, caFile: caFile)
    }
}

/// How fast simulated or replayed time goes.
enum ReplaySpeed {
    /// The factor of real time; nil: as fast as it goes.
    static func factor(_ text: String) throws -> Double? {
        switch text {
        case "realtime": return 1
        case "max": return nil
        default:
            guard let factor = Double(text), factor > 0, factor <= 1e9 else {
                throw ValidationError("--speed \(text): give realtime, max or a factor above 0 such as 60")
            }
            return factor
        }
    }
}
