import ArgumentParser

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Print the version, the Swift it was built with, and the platform.",
        discussion: """
            Example:
              almanac version
            """)

    func run() { Output.line(Version.text) }
}
