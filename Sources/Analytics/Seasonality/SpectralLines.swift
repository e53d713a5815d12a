import Glibc

/// A frequency at which the spectrum stands out.
struct SpectralLine: Equatable {
    /// In cycles per record.
    var frequency: Double
    /// Over the background.
    var ratio: Double
    var power: Double
}

extension WhitenedSpectrum {
    /// The ordinates that no noise explains, strongest first, at most `limit`, each of `leastCycles` cycles or more.
    ///
    /// Near a strong line the threshold rises by the side lobes of that line.
    func lines(leastCycles: Double, chance: Double, limit: Int) -> [SpectralLine] {
        let first = max(Int((leastCycles * oversampling).rounded(.up)), 1)
        // Three samples are the shortest period.
        let end = min(Int(Double(count) / 3 * oversampling), ratio.count - 1)
        let least = threshold(6, chance: chance)
        var candidates: [(index: Int, excess: Double)] = []
        for j in first..<max(end, first) where ratio[j] > least && ratio[j] >= ratio[j - 1] && ratio[j] >= ratio[j + 1] {
            let excess = ratio[j] - threshold(Double(j) / oversampling, chance: chance)
            if excess > 0 { candidates.append((j, excess)) }
        }
        candidates.sort { $0.excess > $1.excess }
        var lines: [SpectralLine] = []
        for (index, _) in candidates {
            if lines.count == limit { break }
            let line = refined(index)
            let background = power[index] / ratio[index]
            var root = threshold(line.frequency, chance: chance).squareRoot()
            for other in lines {
                // At a distance of d cycles the amplitude is at most 1 / (pi d), here and from the negative frequency.
                let amplitude = (other.power / background).squareRoot() / .pi
                root += amplitude / max(abs(line.frequency - other.frequency), 1) + amplitude / (line.frequency + other.frequency)
            }
            let isApart = lines.allSatisfy { abs($0.frequency - line.frequency) >= 1.3 }
            if isApart, line.ratio > root * root { lines.append(line) }
        }
        return lines
    }

    /// The top of the parabola through the grid point and its neighbours; less noisy than that through the logarithms, and off by
    /// at most 0.03 cycles per record on a grid of two points a cycle.
    private func refined(_ j: Int) -> SpectralLine {
        let (a, b, c) = (power[j - 1], power[j], power[j + 1])
        let curvature = a - 2 * b + c
        let shift = curvature < 0 ? min(max(0.5 * (a - c) / curvature, -0.5), 0.5) : 0
        return SpectralLine(frequency: (Double(j) + shift) / oversampling, ratio: ratio[j], power: b)
    }

    /// The largest ordinate within half a cycle per record of `frequency`, as (ratio, power).
    func strongest(near frequency: Double) -> (ratio: Double, power: Double) {
        let first = max(Int((frequency - 0.5) * oversampling), 0)
        let last = min(Int(((frequency + 0.5) * oversampling).rounded(.up)), ratio.count - 1)
        guard first <= last else { return (0, 0) }
        var best = (ratio: 0.0, power: 0.0)
        for j in first...last where power[j] > best.power { best = (ratio[j], power[j]) }
        return best
    }

    /// Whether the oscillation at these frequencies runs through the whole record: the two quarters that hold least of it still hold
    /// some, in phase. Those of a burst do not. The stronger the line, the less of this may be noise.
    func isSteady(_ frequencies: [Double], ratio: Double) -> Bool {
        var (shares, total) = (SIMD4<Double>.zero, 0.0)
        for frequency in frequencies {
            let (real, imaginary) = quarters(frequency)
            let (sumReal, sumImaginary) = (real.sum(), imaginary.sum())
            shares += real * sumReal + imaginary * sumImaginary
            total += sumReal * sumReal + sumImaginary * sumImaginary
        }
        shares *= 4 / total
        let sorted = (0..<4).map { shares[$0] }.sorted()
        return sorted[0] > -0.5 && sorted[0] + sorted[1] > min(max(2 - 6 / ratio.squareRoot(), 0.3), 0.8)
    }

    /// The Fourier coefficient of each quarter of the record, phases counted from its start.
    private func quarters(_ frequency: Double) -> (real: SIMD4<Double>, imaginary: SIMD4<Double>) {
        let quarter = count / 4
        let turn = 2 * Double.pi * frequency / Double(count)
        let (stepReal, stepImaginary) = (cos(turn), -sin(turn))
        var (real, imaginary) = (SIMD4<Double>.zero, SIMD4<Double>.zero)
        var (c, s) = (1.0, 0.0)
        innovations.withUnsafeBufferPointer { u in
            for i in 0..<quarter {
                let values = SIMD4(u[i], u[quarter + i], u[2 * quarter + i], u[3 * quarter + i])
                real += values * c
                imaginary += values * s
                (c, s) = (c * stepReal - s * stepImaginary, c * stepImaginary + s * stepReal)
            }
        }
        for q in 1..<4 {
            let angle = turn * Double(q * quarter)
            let (r, i) = (real[q], imaginary[q])
            real[q] = r * cos(angle) + i * sin(angle)
            imaginary[q] = i * cos(angle) - r * sin(angle)
        }
        return (real, imaginary)
    }
}
