/// What this program is.
enum Version {
    static let number = "0.1.0"

    static var text: String { "almanac \(number) (Swift \(swift), \(platform))" }

    static var swift: String {
        #if compiler(>=6.4)
            "6.4 or later"
        #elseif compiler(>=6.3)
            "6.3"
        #else
            "6.2"
        #endif
    }

    static var platform: String {
        #if arch(x86_64)
            let architecture = "x86_64"
        #elseif arch(arm64)
            let architecture = "aarch64"
        #else
            let architecture = "unknown"
        #endif
        #if os(Linux)
            return "linux-\(architecture)"
        #elseif os(macOS)
            return "macos-\(architecture)"
        #else
            return architecture
        #endif
    }
}
