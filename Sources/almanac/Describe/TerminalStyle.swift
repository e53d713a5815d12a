import Glibc

/// What the terminal can show.
struct TerminalStyle: Equatable {
    var width = 80
    var isASCII = false
    var isColored = false

    /// Of standard output: its width if it is a terminal (or COLUMNS), Unicode if the locale says so, colour unless NO_COLOR is set.
    static func detect(environment: [String: String], forceASCII: Bool) -> TerminalStyle {
        let isTerminal = isatty(STDOUT_FILENO) == 1
        var size = winsize()
        var width = 80
        if isTerminal, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { width = Int(size.ws_col) }
        if let columns = environment["COLUMNS"].flatMap({ Int($0) }), columns > 0 { width = columns }
        let locale = environment["LC_ALL"].nonEmpty ?? environment["LC_CTYPE"].nonEmpty ?? environment["LANG"].nonEmpty ?? ""
        let hasUnicode = locale.isEmpty || locale.lowercased().contains("utf")
        return TerminalStyle(
            width: min(max(width, 40), 240), isASCII: forceASCII || !hasUnicode,
            isColored: isTerminal && environment["NO_COLOR"].nonEmpty == nil && environment["TERM"] != "dumb")
    }

    enum Color: String {
        case history = "36"
        case forecast = "33"
        case faint = "2"
        case strong = "1"
    }

    func paint(_ text: String, _ color: Color) -> String { isColored && !text.isEmpty ? "\u{1B}[\(color.rawValue)m\(text)\u{1B}[0m" : text }
}

extension String? {
    fileprivate var nonEmpty: String? { self?.isEmpty == false ? self : nil }
}
