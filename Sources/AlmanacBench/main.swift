/// The benchmarks that the README quotes. Build in release: `make bench`. Names as arguments choose some: windows, line, memory, profile.
import Foundation

let chosen = Set(CommandLine.arguments.dropFirst())
func isChosen(_ name: String) -> Bool { chosen.isEmpty || chosen.contains(name) }

var report = Report()
do {
    if isChosen("windows") { windowBenchmarks(&report) }
    if isChosen("profile") { profileBenchmarks(&report) }
    if isChosen("line") { try await lineBenchmark(&report) }
    if isChosen("memory") { try memoryBenchmark(&report) }
} catch {
    FileHandle.standardError.write(Data("the benchmark failed: \(error)\n".utf8))
    exit(1)
}
