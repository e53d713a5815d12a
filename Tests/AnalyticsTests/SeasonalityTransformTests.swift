import Glibc
import TestSupport
import Testing

@testable import Analytics

/// The Fourier transform, and the autocorrelation by it.
@Suite struct SeasonalityTransformTests {
    static func transform(_ x: [Double], size: Int) -> FourierTransform.Spectrum {
        let fourier = FourierTransform.of(atLeast: size)
        return x.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return FourierTransform.Spectrum(real: [], imaginary: []) }
            return fourier.transform(base, count: x.count)
        }
    }

    @Test(arguments: [8, 16, 32, 64, 128, 256, 512, 1024]) func equalsTheDefinition(_ size: Int) {
        var random = SplitMix64(seed: UInt64(size))
        for count in [1, 2, 3, size / 2 + 1, size - 1, size] {
            let x = random.noise(count)
            let spectrum = Self.transform(x, size: size)
            #expect(spectrum.real.count == size / 2 + 1 && spectrum.imaginary.count == size / 2 + 1)
            var worst = 0.0
            for f in 0...(size / 2) {
                var (real, imaginary) = (0.0, 0.0)
                for t in 0..<count {
                    // The product modulo the size keeps the angle small and exact.
                    let angle = 2 * Double.pi * Double(f * t % size) / Double(size)
                    real += x[t] * cos(angle)
                    imaginary -= x[t] * sin(angle)
                }
                worst = max(worst, abs(real - spectrum.real[f]), abs(imaginary - spectrum.imaginary[f]))
            }
            #expect(worst < 1e-13 * Double(size), "size \(size), \(count) values: \(worst)")
        }
    }

    @Test(arguments: [8, 16, 64, 512, 8192]) func powerIsTheSquareOfTheTransform(_ size: Int) {
        var random = SplitMix64(seed: UInt64(size))
        let x = random.noise(size * 3 / 4)
        let spectrum = Self.transform(x, size: size)
        let power = x.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { FourierTransform.of(atLeast: size).power(of: $0, count: x.count) } ?? []
        }
        #expect(power.count == size / 2 + 1)
        for f in power.indices {
            let square = spectrum.real[f] * spectrum.real[f] + spectrum.imaginary[f] * spectrum.imaginary[f]
            #expect(abs(power[f] - square) <= 1e-12 * Double(size), "frequency \(f)")
        }
    }

    @Test(arguments: [8, 16, 32, 256, 8192]) func theTransformOfAnEvenSequence(_ size: Int) {
        var random = SplitMix64(seed: UInt64(size))
        let half = random.noise(size / 2 + 1)
        let fourier = FourierTransform.of(atLeast: size)
        let full = (0..<size).map { half[min($0, size - $0)] }
        let plain = Self.transform(full, size: size).real
        let even = fourier.even(half)
        let back = fourier.even(even)
        for i in half.indices {
            #expect(abs(even[i] - plain[i]) < 1e-12 * Double(size), "index \(i)")
            #expect(abs(back[i] / Double(size) - half[i]) < 1e-12, "index \(i)")
        }
    }

    @Test(arguments: GoldenSeries.all) func autocorrelationByTransformEqualsTheDirectOne(_ series: GoldenSeries) throws {
        let centered = try CenteredSeries.make(of: series.values, minimum: 2).get()
        var direct = LaggedSums(centered)
        direct.extendDirectly(to: 700)
        var fast = LaggedSums(centered)
        fast.extendByTransform(to: 700)
        for k in 0...700 { #expect(abs(direct[k] - fast[k]) / direct[0] < 1e-12, "lag \(k)") }
    }

    @Test func theSizeDecides() throws {
        #expect(!LaggedSums.prefersTransform(count: 2880, lags: 40))
        #expect(LaggedSums.prefersTransform(count: 2880, lags: 700))
        #expect(!LaggedSums.prefersTransform(count: 100_000, lags: 50))
        #expect(LaggedSums.prefersTransform(count: 100_000, lags: 1000))
        // Extended in two steps, the second by transform.
        let centered = try CenteredSeries.make(of: GoldenSeries.values("ms_1m/mongo-03"), minimum: 2).get()
        var steps = LaggedSums(centered)
        steps.extend(to: 40)
        steps.extend(to: 2000)
        var direct = LaggedSums(centered)
        direct.extendDirectly(to: 2000)
        for k in 0...2000 { #expect(abs(direct[k] - steps[k]) / direct[0] < 1e-12, "lag \(k)") }
        let acf = try #require(autocorrelation(of: GoldenSeries.values("ms_1m/mongo-03"), lags: 2879).value)
        #expect(acf.values.count == 2880)
    }
}
