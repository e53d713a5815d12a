import Glibc
import Synchronization

/// The discrete Fourier transform of 2^k real values: X[f] = sum of x[t] exp(-2 pi i f t / size), for f = 0 ... size / 2.
///
/// The values are taken as size / 2 complex ones (even, odd), which Stockham's algorithm with radix 4 transforms without a reordering
/// pass (Van Loan 1992, "Computational frameworks for the fast Fourier transform", 1.7); real and imaginary parts lie apart, so that
/// the inner loops are plain vector loops. Complexity: O(size log size); relative error a few 1e-16.
struct FourierTransform: Sendable {
    /// A power of two, at least 8.
    let size: Int
    /// cos and -sin of 2 pi j / size.
    private let cosines: [Double]
    private let sines: [Double]

    struct Spectrum {
        /// size / 2 + 1 values each.
        var real: [Double]
        var imaginary: [Double]
    }

    /// The transform of the smallest size that holds `count` values.
    static func of(atLeast count: Int) -> FourierTransform {
        var size = 8
        while size < count { size *= 2 }
        return of(size: size)
    }

    /// Up to this size the roots are kept: at most 4 MB in all.
    private static let largestKept = 1 << 17
    private static let kept = Mutex<[Int: FourierTransform]>([:])

    private static func of(size: Int) -> FourierTransform {
        guard size <= largestKept else { return FourierTransform(size: size) }
        return kept.withLock { kept in
            if let known = kept[size] { return known }
            let made = FourierTransform(size: size)
            kept[size] = made
            return made
        }
    }

    private init(size: Int) {
        self.size = size
        // The stages use three quarters of the circle, which follow from the first eighth.
        let quarter = size / 4
        var cosines = [Double](repeating: 0, count: 3 * quarter + 1)
        var sines = cosines
        for j in 0...quarter {
            let angle = 2 * Double.pi * Double(min(j, quarter - j)) / Double(size)
            let (c, s) = (cos(angle), sin(angle))
            let (real, imaginary) = 2 * j <= quarter ? (c, -s) : (s, -c)
            cosines[j] = real
            sines[j] = imaginary
            cosines[j + quarter] = imaginary
            sines[j + quarter] = -real
            cosines[j + 2 * quarter] = -real
            sines[j + 2 * quarter] = -imaginary
        }
        self.cosines = cosines
        self.sines = sines
    }

    // MARK: Uses

    /// |X[f]|^2 of `count` values, followed by zeros up to the size. `count` <= size.
    func power(of x: UnsafePointer<Double>, count: Int) -> [Double] {
        let n = size / 2
        return transformPairs(x, count: count) { z in
            [Double](unsafeUninitializedCapacity: n + 1) { out, filled in
                let (sum, difference) = (z.real[0] + z.imaginary[0], z.real[0] - z.imaginary[0])
                out[0] = sum * sum
                out[n] = difference * difference
                cosines.withUnsafeBufferPointer { cosines in
                    sines.withUnsafeBufferPointer { sines in
                        // X[f] = E + T and X'[n - f] = E - T share their squares.
                        for f in 1..<(n / 2 + 1) {
                            let (er, ei) = (z.real[f] + z.real[n - f], z.imaginary[f] - z.imaginary[n - f])
                            let (dr, di) = (z.real[f] - z.real[n - f], z.imaginary[f] + z.imaginary[n - f])
                            let (tr, ti) = (cosines[f] * di + sines[f] * dr, sines[f] * di - cosines[f] * dr)
                            let both = 0.25 * (er * er + ei * ei + tr * tr + ti * ti)
                            let cross = 0.5 * (er * tr + ei * ti)
                            out[f] = max(both + cross, 0)
                            out[n - f] = max(both - cross, 0)
                        }
                    }
                }
                filled = n + 1
            }
        }
    }

    /// The transform of the even sequence whose first half (indices 0 ... size / 2) is given: real and even as well. Applied twice it
    /// yields size times the sequence, so it leads from a power spectrum to the sums of lagged products and back.
    ///
    /// Sine and cosine folding makes it one transform of half the size (Cooley, Lewis and Welch 1970). `size` >= 8.
    func even(_ half: [Double]) -> [Double] {
        let n = size / 2
        guard half.count == n + 1, n >= 4 else { return [] }
        var folded = [Double](repeating: 0, count: n)
        var odd = half[0] - half[n]
        folded[0] = half[0] + half[n]
        for j in 1..<(n / 2) {
            let (sum, difference) = (half[j] + half[n - j], half[j] - half[n - j])
            folded[j] = sum + 2 * sines[j] * difference
            folded[n - j] = sum - 2 * sines[j] * difference
            odd += 2 * cosines[j] * difference
        }
        folded[n / 2] = 2 * half[n / 2]
        let spectrum = folded.withUnsafeBufferPointer { buffer -> Spectrum in
            guard let x = buffer.baseAddress else { return Spectrum(real: [], imaginary: []) }
            return FourierTransform.of(size: n).transform(x, count: n)
        }
        var result = [Double](repeating: 0, count: n + 1)
        result[0] = spectrum.real[0]
        result[1] = odd
        for k in 1..<(n / 2) {
            result[2 * k] = spectrum.real[k]
            odd -= spectrum.imaginary[k]
            result[2 * k + 1] = odd
        }
        result[n] = spectrum.real[n / 2]
        return result
    }

    /// X[f] of `count` values, followed by zeros up to the size. `count` <= size.
    func transform(_ x: UnsafePointer<Double>, count: Int) -> Spectrum { transformPairs(x, count: count, unpack) }

    /// The transform of the complex sequence x[0] + i x[1], x[2] + i x[3], ...
    private func transformPairs<Result>(_ x: UnsafePointer<Double>, count: Int, _ body: (Half) -> Result) -> Result {
        let n = size / 2
        return withUnsafeTemporaryAllocation(of: Double.self, capacity: 4 * n) { work in
            let base = work.baseAddress.unsafelyUnwrapped
            // Two complex sequences of n values, which the stages use in turn.
            var from = (real: base, imaginary: base + n)
            var to = (real: base + 2 * n, imaginary: base + 3 * n)
            for j in 0..<(count / 2) {
                from.real[j] = x[2 * j]
                from.imaginary[j] = x[2 * j + 1]
            }
            for j in (count / 2)..<n {
                from.real[j] = 0
                from.imaginary[j] = 0
            }
            if count % 2 == 1 { from.real[count / 2] = x[count - 1] }
            cosines.withUnsafeBufferPointer { cosines in
                sines.withUnsafeBufferPointer { sines in
                    var (length, stride) = (n, 1)
                    while length > 1 {
                        if length == 2 {
                            Self.radixTwo(from, to, stride: stride)
                        } else if stride == 1, length >= 16 {
                            Self.firstRadixFour(from, to, length: length, cosines, sines)
                        } else {
                            Self.radixFour(from, to, length: length, stride: stride, cosines, sines)
                        }
                        swap(&from, &to)
                        length /= length == 2 ? 2 : 4
                        stride *= 4
                    }
                }
            }
            return body(from)
        }
    }

    // MARK: Stages

    private typealias Half = (real: UnsafeMutablePointer<Double>, imaginary: UnsafeMutablePointer<Double>)
    private typealias Lanes = Kernels.Lanes

    /// From the transform Z of the complex sequence: X[f] = (Z[f] + Z'[n - f]) / 2 - i / 2 exp(-2 pi i f / size) (Z[f] - Z'[n - f]).
    private func unpack(_ z: Half) -> Spectrum {
        let n = size / 2
        // X[n] belongs to Z[0] as X[0] does.
        var last = 0.0
        var result = Spectrum(real: [], imaginary: [])
        result.real = [Double](unsafeUninitializedCapacity: n + 1) { real, filled in
            result.imaginary = [Double](unsafeUninitializedCapacity: n + 1) { imaginary, filled in
                cosines.withUnsafeBufferPointer { cosines in
                    sines.withUnsafeBufferPointer { sines in
                        real[0] = z.real[0] + z.imaginary[0]
                        imaginary[0] = 0
                        last = z.real[0] - z.imaginary[0]
                        for f in 1..<n {
                            let (sumReal, sumImaginary) = (z.real[f] + z.real[n - f], z.imaginary[f] - z.imaginary[n - f])
                            let (differenceReal, differenceImaginary) = (z.real[f] - z.real[n - f], z.imaginary[f] + z.imaginary[n - f])
                            let (c, s) = (cosines[f], sines[f])
                            real[f] = 0.5 * (sumReal + c * differenceImaginary + s * differenceReal)
                            imaginary[f] = 0.5 * (sumImaginary - c * differenceReal + s * differenceImaginary)
                        }
                    }
                }
                imaginary[n] = 0
                filled = n + 1
            }
            real[n] = last
            filled = n + 1
        }
        return result
    }

    private static func radixTwo(_ x: Half, _ y: Half, stride: Int) {
        for q in 0..<stride {
            y.real[q] = x.real[q] + x.real[q + stride]
            y.imaginary[q] = x.imaginary[q] + x.imaginary[q + stride]
            y.real[q + stride] = x.real[q] - x.real[q + stride]
            y.imaginary[q + stride] = x.imaginary[q] - x.imaginary[q + stride]
        }
    }

    /// Four complex values (or vectors of them) into the sums that one butterfly writes, before its twiddle factors.
    @inline(__always)
    private static func butterfly(
        _ a: (Lanes, Lanes), _ b: (Lanes, Lanes), _ c: (Lanes, Lanes), _ d: (Lanes, Lanes)
    ) -> ((Lanes, Lanes), (Lanes, Lanes), (Lanes, Lanes), (Lanes, Lanes)) {
        let (apc, amc) = ((a.0 + c.0, a.1 + c.1), (a.0 - c.0, a.1 - c.1))
        let (bpd, bmd) = ((b.0 + d.0, b.1 + d.1), (b.0 - d.0, b.1 - d.1))
        return (
            (apc.0 + bpd.0, apc.1 + bpd.1), (amc.0 + bmd.1, amc.1 - bmd.0), (apc.0 - bpd.0, apc.1 - bpd.1),
            (amc.0 - bmd.1, amc.1 + bmd.0)
        )
    }

    @inline(__always)
    private static func turn(_ x: (Lanes, Lanes), _ c: Lanes, _ s: Lanes) -> (Lanes, Lanes) {
        (x.0 * c - x.1 * s, x.0 * s + x.1 * c)
    }

    @inline(__always)
    private static func load(_ x: Half, _ i: Int) -> (Lanes, Lanes) { (Kernels.load(x.real + i), Kernels.load(x.imaginary + i)) }

    @inline(__always)
    private static func store(_ value: (Lanes, Lanes), _ y: Half, _ i: Int) {
        Kernels.store(value.0, y.real + i)
        Kernels.store(value.1, y.imaginary + i)
    }

    /// `length` >= 4 values at each of `stride` places; writes y[q + stride (4 p + m)].
    private static func radixFour(
        _ x: Half, _ y: Half, length: Int, stride: Int, _ cosines: UnsafeBufferPointer<Double>, _ sines: UnsafeBufferPointer<Double>
    ) {
        let quarter = length / 4
        for p in 0..<quarter {
            // The table is that of 2 n values.
            let root = 2 * p * stride
            let (c1, c2, c3) = (cosines[root], cosines[2 * root], cosines[3 * root])
            let (s1, s2, s3) = (sines[root], sines[2 * root], sines[3 * root])
            let (i0, o0) = (stride * p, stride * 4 * p)
            let step = stride * quarter
            var q = 0
            while q + 4 <= stride {
                let i = i0 + q
                let (w, a, b, c) = butterfly(load(x, i), load(x, i + step), load(x, i + 2 * step), load(x, i + 3 * step))
                let o = o0 + q
                store(w, y, o)
                store(turn(a, Lanes(repeating: c1), Lanes(repeating: s1)), y, o + stride)
                store(turn(b, Lanes(repeating: c2), Lanes(repeating: s2)), y, o + 2 * stride)
                store(turn(c, Lanes(repeating: c3), Lanes(repeating: s3)), y, o + 3 * stride)
                q += 4
            }
            while q < stride {
                let i = i0 + q
                func value(_ k: Int) -> (Lanes, Lanes) { (Lanes(repeating: x.real[k]), Lanes(repeating: x.imaginary[k])) }
                let (w, a, b, c) = butterfly(value(i), value(i + step), value(i + 2 * step), value(i + 3 * step))
                let turned = [
                    w, turn(a, Lanes(repeating: c1), Lanes(repeating: s1)), turn(b, Lanes(repeating: c2), Lanes(repeating: s2)),
                    turn(c, Lanes(repeating: c3), Lanes(repeating: s3)),
                ]
                for m in 0..<4 {
                    y.real[o0 + q + m * stride] = turned[m].0[0]
                    y.imaginary[o0 + q + m * stride] = turned[m].1[0]
                }
                q += 1
            }
        }
    }

    /// The stage of stride 1: four neighbouring p side by side; `length` is a multiple of 16.
    private static func firstRadixFour(
        _ x: Half, _ y: Half, length: Int, _ cosines: UnsafeBufferPointer<Double>, _ sines: UnsafeBufferPointer<Double>
    ) {
        let quarter = length / 4
        var p = 0
        while p < quarter {
            func roots(_ table: UnsafeBufferPointer<Double>, _ m: Int) -> Lanes {
                let first = 2 * m * p
                return Lanes(table[first], table[first + 2 * m], table[first + 4 * m], table[first + 6 * m])
            }
            let (w, a, b, c) = butterfly(load(x, p), load(x, p + quarter), load(x, p + 2 * quarter), load(x, p + 3 * quarter))
            let (a1, b1, c1) = (
                turn(a, roots(cosines, 1), roots(sines, 1)), turn(b, roots(cosines, 2), roots(sines, 2)),
                turn(c, roots(cosines, 3), roots(sines, 3))
            )
            for k in 0..<4 {
                Kernels.store(Lanes(w.0[k], a1.0[k], b1.0[k], c1.0[k]), y.real + 4 * (p + k))
                Kernels.store(Lanes(w.1[k], a1.1[k], b1.1[k], c1.1[k]), y.imaginary + 4 * (p + k))
            }
            p += 4
        }
    }
}
