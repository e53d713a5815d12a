import Glibc

/// Cycles that people and schedules make: their periods are known, only whether they are there is not.
extension CycleSearch {
    /// Takes found cycles that the record cannot tell from a calendar period for it, tests the other periods, and drops what is only the
    /// side band of a shorter one: a day whose shape changes over the week has lines a week's frequency beside its own.
    mutating func addCalendar(_ periods: [Double]) {
        let frequencies = periods.filter { $0 >= 3 }.map { Double(spectrum.count) / $0 }
        for (i, frequency) in frequencies.enumerated() {
            let shorter = i > 0 ? frequencies[i - 1] : nil
            let isTestable = frequency >= Self.leastCycles * 0.97
            if isTestable { take(frequency, beside: shorter) }
            guard let shorter, cycles.contains(where: { $0.frequency == shorter }) else { continue }
            cycles = cycles.filter { !isSideBand($0.frequency, of: shorter, by: frequency) }
        }
    }

    private mutating func take(_ frequency: Double, beside shorter: Double?) {
        let cycle = Cycle(frequency: frequency, error: 0.02)
        let isFound = cycles.contains { abs($0.frequency - frequency) < 0.6 }
        guard isFound || isEvident(frequency, beside: shorter) else { return }
        cycles = [cycle] + cycles.filter { !isSame($0, cycle) }
    }

    /// One ordinate of an exponential variable, or a sum of eight at its harmonics, those of the shorter period left out.
    private func isEvident(_ frequency: Double, beside shorter: Double?) -> Bool {
        let least = log(2 / Self.chance)
        let own = ratio(at: frequency)
        // Below six cycles the background is uncertain.
        if own > least + 2 * max(5.99 - frequency, 0), spectrum.isSteady([frequency], ratio: own) { return true }
        var sum = 0.0
        var orders: [Double] = []
        for order in 1...9 {
            let harmonic = Double(order) * frequency
            guard orders.count < 8, harmonic < Double(spectrum.count) / 3 else { break }
            if let shorter, abs(harmonic - (harmonic / shorter).rounded() * shorter) < 1.3, harmonic > shorter / 2 { continue }
            // One line alone must not decide.
            sum += min(ratio(at: harmonic), 8)
            orders.append(harmonic)
        }
        guard orders.count >= 4 else { return false }
        let excess = WhitenedSpectrum.tail(sum, order: orders.count) - 2 * max(5.99 - frequency, 0)
        return excess > least && spectrum.isSteady(orders, ratio: excess)
    }

    private func ratio(at frequency: Double) -> Double {
        let index = Int((frequency * spectrum.oversampling).rounded())
        return spectrum.ratio.indices.contains(index) ? spectrum.ratio[index] : 0
    }

    /// Whether a line lies within three steps of the longer cycle's frequency beside the first or second harmonic of the shorter one.
    private func isSideBand(_ frequency: Double, of shorter: Double, by longer: Double) -> Bool {
        if frequency == shorter || frequency == longer { return false }
        for order in [1.0, 2] {
            let distance = abs(frequency - order * shorter)
            let step = (distance / longer).rounded()
            if 1...3 ~= step, abs(distance - step * longer) < 0.6 { return true }
        }
        return false
    }
}
