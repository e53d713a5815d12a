import Glibc

/// From the lines of a spectrum to the cycles behind them.
struct CycleSearch {
    /// A cycle that is not a harmonic of another.
    struct Cycle {
        /// In cycles per record.
        var frequency: Double
        /// Standard error of the frequency.
        var error: Double
        var isPulseTrain = false
    }

    /// A cycle must be seen this often.
    static let leastCycles = 4.0
    /// Probability of a line in noise, over all frequencies.
    static let chance = 1e-3
    /// Score of a pulse train, in standard deviations; the largest of all periods stays below 4.6 in 99.9 % of noise.
    static let leastPulseScore = 5.3
    static let mostLines = 8

    let spectrum: WhitenedSpectrum
    var cycles: [Cycle] = []

    /// Periods in samples of up to `limit` cycles, most certain first; empty for noise. `calendar` holds the periods that the calendar suggests,
    /// shortest first.
    static func periods(_ x: UnsafePointer<Double>, count: Int, limit: Int, calendar: [Double] = []) -> [Double] {
        guard let spectrum = WhitenedSpectrum(x, count: count) else { return [] }
        var search = CycleSearch(spectrum: spectrum)
        search.addPulseTrains()
        search.addLines()
        search.joinInnerPulses()
        search.joinHarmonics()
        search.addCalendar(calendar)
        return search.cycles.prefix(limit).map(search.period)
    }

    private init(spectrum: WhitenedSpectrum) { self.spectrum = spectrum }

    /// In samples. Schedules and clocks make whole periods: the nearest whole number is taken if it lies within two standard errors and
    /// half a percent.
    private func period(_ cycle: Cycle) -> Double {
        let period = Double(spectrum.count) / cycle.frequency
        let tolerance = min(2 * cycle.error / cycle.frequency, 0.005) * period
        return abs(period - period.rounded()) <= tolerance ? period.rounded() : period
    }

    private mutating func addPulseTrains() {
        let n = Double(spectrum.count)
        func cycle(_ period: Int) -> Cycle {
            Cycle(frequency: n / Double(period), error: 0.1 * n / Double(period * period), isPulseTrain: true)
        }
        let longest = Int(n / Self.leastCycles)
        let trains = PulseTrains(spectrum, longest: longest)
        guard let first = trains.strongest(above: Self.leastPulseScore) else { return }
        cycles.append(cycle(first))
        let others = PulseTrains(spectrum, longest: longest, without: n / Double(first))
        if let second = others.strongest(above: Self.leastPulseScore) { add(cycle(second)) }
    }

    private mutating func addLines() {
        var bursts: [Double] = []
        let lines = spectrum.lines(leastCycles: Self.leastCycles * 0.97, chance: Self.chance, limit: Self.mostLines)
        for line in lines {
            // Weaker lines beside one that is not steady belong to the same burst.
            if bursts.contains(where: { abs($0 - line.frequency) < 8 }) { continue }
            if spectrum.isSteady([line.frequency], ratio: line.ratio) {
                // The error of a maximum of the periodogram (Rife and Boorstyn 1974), and that of the parabola.
                add(Cycle(frequency: line.frequency, error: 0.39 / line.ratio.squareRoot() + 0.015))
            } else {
                bursts.append(line.frequency)
            }
        }
        if cycles.contains(where: \.isPulseTrain) { return }
        let weak = spectrum.weakFundamental(without: lines, leastCycles: Self.leastCycles * 0.97, chance: Self.chance)
        if let weak { add(Cycle(frequency: weak, error: 0.05)) }
    }

    /// Adds a cycle unless it is there already or a harmonic of one; drops those that are harmonics of it.
    mutating func add(_ cycle: Cycle) {
        if cycles.contains(where: { isSame(cycle, $0) || isHarmonic(cycle, of: $0) }) { return }
        cycles = cycles.filter { !isHarmonic($0, of: cycle) } + [cycle]
    }

    func isSame(_ a: Cycle, _ b: Cycle) -> Bool { abs(a.frequency - b.frequency) < 1.3 }

    /// A harmonic has an order of two or more and, near it, other harmonics that are not much weaker. A line that stands alone far up the
    /// spectrum is a cycle of its own: 60 beside 480.
    private func isHarmonic(_ cycle: Cycle, of base: Cycle) -> Bool {
        let order = (cycle.frequency / base.frequency).rounded()
        let tolerance = min(0.5 + 2 * order * base.error, base.frequency / 4)
        guard order >= 2, abs(cycle.frequency - order * base.frequency) <= tolerance else { return false }
        let own = spectrum.strongest(near: cycle.frequency).power
        let reach = order < 8 ? 2 : 4
        for step in -reach...reach where step != 0 && order + Double(step) >= 1 {
            let near = spectrum.strongest(near: (order + Double(step)) * base.frequency)
            if near.ratio >= 5, near.power * 3 >= own { return true }
        }
        return false
    }

    /// Lines that stand out of the harmonics of a pulse train at orders with a common divisor belong to a faster train within it.
    private mutating func joinInnerPulses() {
        guard let outer = cycles.first, outer.isPulseTrain else { return }
        var (divisor, inner) = (0, [Int]())
        for (i, cycle) in cycles.enumerated().dropFirst() {
            let order = (cycle.frequency / outer.frequency).rounded()
            guard abs(cycle.frequency - order * outer.frequency) < 0.6 else { continue }
            var (a, b) = (divisor, Int(order))
            while b != 0 { (a, b) = (b, a % b) }
            divisor = a
            inner.append(i)
        }
        guard inner.count >= 2, divisor >= 2 else { return }
        cycles = cycles.indices.filter { !inner.contains($0) }.map { cycles[$0] }
        cycles.append(
            Cycle(frequency: outer.frequency * Double(divisor), error: outer.error * Double(divisor), isPulseTrain: true))
    }

    /// Two or more lines that are harmonics of one missing fundamental become that fundamental.
    private mutating func joinHarmonics() {
        guard cycles.count >= 2, let strongest = cycles.first else { return }
        for divisor in 2...4 {
            let frequency = strongest.frequency / Double(divisor)
            guard frequency >= Self.leastCycles * 0.97 else { return }
            var sum = 0.0
            var terms = 0
            for order in 1...(2 * divisor) where order % divisor != 0 {
                // One strong line alone must not decide.
                sum += min(spectrum.strongest(near: frequency * Double(order)).ratio, 8)
                terms += 1
            }
            // The largest of some five ordinates, two of them independent, in place of one.
            let chance = IncompleteGamma.upper(a: Double(terms), x: max(sum - Double(terms), 0))
            if chance < 1e-4 {
                add(Cycle(frequency: frequency, error: strongest.error / Double(divisor)))
                return
            }
        }
    }
}
