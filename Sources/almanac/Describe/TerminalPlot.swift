/// A plot of a history and the forecast behind it, in braille dots (2 x 4 a character) or plain ASCII.
struct TerminalPlot {
    var history: [Double]
    /// Expected value and interval of each step after the history.
    var forecast: [(expected: Double, lower: Double, upper: Double)]
    var style: TerminalStyle
    /// Lines of the plot itself.
    var height = 13

    private static let labelWidth = 11

    /// The lines, top to bottom, without axis labels of time. Empty for nothing to show.
    func lines() -> [String] {
        guard let range = valueRange, history.count + forecast.count > 1 else { return [] }
        let columns = max(10, style.width - TerminalPlot.labelWidth - 2)
        var canvas = DotCanvas(columns: columns, rows: height, dotsPerColumn: style.isASCII ? 1 : 2, dotsPerRow: style.isASCII ? 1 : 4)
        draw(on: &canvas, range)
        return (0..<height).map { row in label(row, range) + border + text(canvas, row) }
    }

    /// Where the forecast begins, in columns from the left of the plot's area.
    var boundary: Int {
        let columns = max(10, style.width - TerminalPlot.labelWidth - 2)
        let total = max(1, history.count + forecast.count - 1)
        return min(columns - 1, (history.count - 1) * (columns - 1) / total + 1)
    }

    static var leftMargin: Int { labelWidth + 2 }

    private var border: String { style.paint(style.isASCII ? " |" : " │", .faint) }

    private var valueRange: ClosedRange<Double>? {
        let all = history + forecast.flatMap { [$0.expected, $0.lower, $0.upper] }
        let finite = all.filter(\.isFinite)
        guard let low = finite.min(), let high = finite.max() else { return nil }
        if high - low > 0, (high - low).isFinite, (1e4 / (high - low)).isFinite { return low...high }
        let pad = max(low.magnitude * 0.05, 1)
        let lower = low - pad
        let upper = high + pad
        return lower.isFinite && upper.isFinite && (upper - lower).isFinite ? lower...upper : nil
    }

    private func draw(on canvas: inout DotCanvas, _ range: ClosedRange<Double>) {
        let total = Double(max(1, history.count + forecast.count - 1))
        let scale = Double(canvas.height - 1) / (range.upperBound - range.lowerBound)
        func x(_ i: Int) -> Int { Int((Double(i) / total * Double(canvas.width - 1)).rounded()) }
        func y(_ value: Double) -> Int { Int(((range.upperBound - value) * scale).rounded()) }
        for (i, step) in forecast.enumerated() where step.lower.isFinite && step.upper.isFinite {
            let from = x(history.count + i - 1) + 1
            for column in min(from, x(history.count + i))...x(history.count + i) { canvas.shade(column, y(step.upper), y(step.lower)) }
        }
        var last: (x: Int, y: Int)?
        for (i, value) in history.enumerated() {
            guard value.isFinite else {
                last = nil
                continue
            }
            let point = (x: x(i), y: y(value))
            canvas.line(last ?? point, point, .history)
            last = point
        }
        for (i, step) in forecast.enumerated() where step.expected.isFinite {
            let point = (x: x(history.count + i), y: y(step.expected))
            canvas.line(last ?? point, point, .forecast)
            last = point
        }
    }

    private func label(_ row: Int, _ range: ClosedRange<Double>) -> String {
        let marks: Set<Int> = [0, height / 2, height - 1]
        guard marks.contains(row), height > 1 else { return String(repeating: " ", count: TerminalPlot.labelWidth) }
        let share = Double(row) / Double(height - 1)
        let value = range.upperBound - (range.upperBound - range.lowerBound) * share
        return NumberText.format(value, digits: 4).padded(left: TerminalPlot.labelWidth)
    }

    /// One line, painted in runs.
    private func text(_ canvas: DotCanvas, _ row: Int) -> String {
        var out = ""
        var run = ""
        var runInk = DotCanvas.Ink.none
        func flush() {
            switch runInk {
            case .none: out += run
            case .history: out += style.paint(run, .history)
            case .forecast: out += style.paint(run, .forecast)
            case .band: out += style.paint(run, .faint)
            }
            run = ""
        }
        for column in 0..<canvas.columns {
            let (character, ink) = style.isASCII ? canvas.ascii(column, row) : canvas.braille(column, row)
            if ink != runInk { flush() }
            runInk = ink
            run.append(character)
        }
        flush()
        while !style.isColored, out.last == " " { out.removeLast() }
        return out
    }
}

/// Dots with ink, several to a character.
struct DotCanvas {
    enum Ink: UInt8, Comparable {
        case none, band, forecast, history

        static func < (a: Ink, b: Ink) -> Bool { a.rawValue < b.rawValue }
    }

    let columns: Int
    let rows: Int
    let width: Int
    let height: Int
    private let perColumn: Int
    private let perRow: Int
    private var dots: [Ink]

    init(columns: Int, rows: Int, dotsPerColumn: Int, dotsPerRow: Int) {
        self.columns = columns
        self.rows = rows
        perColumn = dotsPerColumn
        perRow = dotsPerRow
        width = columns * dotsPerColumn
        height = rows * dotsPerRow
        dots = Array(repeating: .none, count: width * height)
    }

    private mutating func set(_ x: Int, _ y: Int, _ ink: Ink) {
        guard (0..<width).contains(x), (0..<height).contains(y) else { return }
        dots[y * width + x] = max(dots[y * width + x], ink)
    }

    /// Every second dot from y to y2, staggered, so that lines show through; both ends are drawn.
    mutating func shade(_ x: Int, _ top: Int, _ bottom: Int) {
        guard top <= bottom else { return }
        let isSparse = perRow > 1
        for y in top...bottom where !isSparse || (x + y) % 2 == 0 || y == top || y == bottom { set(x, y, .band) }
    }

    /// Bresenham's line.
    mutating func line(_ from: (x: Int, y: Int), _ to: (x: Int, y: Int), _ ink: Ink) {
        let dx = abs(to.x - from.x)
        let dy = -abs(to.y - from.y)
        let sx = from.x < to.x ? 1 : -1
        let sy = from.y < to.y ? 1 : -1
        var (x, y, error) = (from.x, from.y, dx + dy)
        while true {
            set(x, y, ink)
            if x == to.x && y == to.y { return }
            let doubled = 2 * error
            if doubled >= dy {
                error += dy
                x += sx
            }
            if doubled <= dx {
                error += dx
                y += sy
            }
        }
    }

    func braille(_ column: Int, _ row: Int) -> (Character, Ink) {
        let bits: [[UInt32]] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]]
        var code: UInt32 = 0
        var ink = Ink.none
        for dy in 0..<perRow {
            for dx in 0..<perColumn {
                let dot = dots[(row * perRow + dy) * width + column * perColumn + dx]
                if dot == .none { continue }
                code |= bits[dy][dx]
                ink = max(ink, dot)
            }
        }
        guard code != 0, let scalar = Unicode.Scalar(0x2800 + code) else { return (" ", .none) }
        return (Character(scalar), ink)
    }

    func ascii(_ column: Int, _ row: Int) -> (Character, Ink) {
        let ink = dots[row * width + column]
        switch ink {
        case .none: return (" ", ink)
        case .band: return (":", ink)
        case .forecast: return ("+", ink)
        case .history: return ("*", ink)
        }
    }
}
