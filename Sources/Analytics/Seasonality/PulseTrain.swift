import Glibc

/// How much the series repeats at each period, over all harmonics together: pulses, jobs of a scheduler, whose single harmonics may lie
/// below the noise.
///
/// For each period the variance between the phases of the folded series (epoch folding, Leahy et al. 1983) comes from the
/// autocorrelations at its multiples, all periods from one transform. Ordinates are cut at 12, so that a single line, which is a cycle
/// of its own, does not look like a comb. The variance is a chi-square of `period` degrees of freedom, more skewed where few
/// innovations are large; its cube root (Wilson and Hilferty 1931) makes it normal.
struct PulseTrains {
    /// At index p the excess of the variance between p phases, in its standard deviations.
    private var excess: [Double]
    private var roots: [Double]
    private let kurtosis: Double

    /// - Parameters:
    ///   - longest: the longest period, at most half the record.
    ///   - found: cycles per record of a pulse train that is left out with all its harmonics.
    /// Complexity: O(n log n).
    init(_ spectrum: WhitenedSpectrum, longest: Int, without found: Double? = nil) {
        let count = spectrum.count
        let n = Double(count)
        let longest = min(longest, count / 2)
        kurtosis = spectrum.kurtosis
        excess = [Double](repeating: 0, count: max(longest, 0) + 1)
        roots = excess
        let correlations = spectrum.fourier.even(spectrum.cutRatio(at: 12, without: found))
        guard longest >= 4, correlations.count > count, correlations[0] > 0 else { return }
        for period in 4...longest {
            let multiples = (count - 1) / period
            var sum = 0.0
            var lag = period
            for _ in 0..<multiples {
                sum += correlations[lag]
                lag += period
            }
            roots[period] = (Double(multiples) * (n - Double(period) * Double(multiples + 1) / 2)).squareRoot()
            excess[period] = sum / correlations[0] * n / roots[period]
        }
    }

    /// The period of the highest score, if above `least` standard deviations.
    func strongest(above least: Double) -> Int? {
        var best = (period: 0, score: least)
        // The score is never larger than the excess.
        for period in excess.indices where excess[period] > best.score {
            let score = score(period)
            if score > best.score { best = (period, score) }
        }
        return best.period > 0 ? best.period : nil
    }

    /// A standardized variable of a gamma distribution as a standard normal one.
    private func score(_ period: Int) -> Double {
        let skewness = (8 / Double(period)).squareRoot() + kurtosis / roots[period]
        let k = 8 / (skewness * skewness)
        let ratio = max(1 + excess[period] * (2 / k).squareRoot(), 0)
        return (cbrt(ratio) - (1 - 2 / (9 * k))) / (2 / (9 * k)).squareRoot()
    }
}

extension WhitenedSpectrum {
    fileprivate func cutRatio(at most: Double, without found: Double?) -> [Double] {
        var cut = [Double](unsafeUninitializedCapacity: ratio.count) { out, filled in
            for j in 0..<ratio.count { out[j] = ratio[j] > most ? most : ratio[j] }
            filled = ratio.count
        }
        guard let found else { return cut }
        var harmonic = found
        while harmonic < Double(count) / 2 {
            let first = max(Int((harmonic - 1.3) * oversampling), 0)
            let last = min(Int((harmonic + 1.3) * oversampling), cut.count - 1)
            for j in first..<max(last + 1, first) { cut[j] = 1 }
            harmonic += found
        }
        return cut
    }

    /// E u^4 / (E u^2)^2 of the innovations: 3 for a normal distribution, 1 / p where a share p of them is all there is.
    fileprivate var kurtosis: Double {
        var (square, fourth) = (0.0, 0.0)
        for u in innovations {
            square += u * u
            fourth += u * u * u * u
        }
        return fourth * Double(count) / (square * square)
    }
}
