/// The loops that carry the cost, by hand in SIMD; the tests compare them with scalar references.
///
/// All take raw pointers, and bounds are not checked: every caller must know why its ranges are inside the buffers.
/// SIMD4 makes two SSE2 registers; four lags at a time then just fill the sixteen there are.
enum Kernels {
    typealias Lanes = SIMD4<Double>

    @inline(__always)
    static func load(_ pointer: UnsafePointer<Double>) -> Lanes {
        UnsafeRawPointer(pointer).loadUnaligned(as: Lanes.self)
    }

    @inline(__always)
    static func load8(_ pointer: UnsafePointer<Double>) -> SIMD8<Double> {
        UnsafeRawPointer(pointer).loadUnaligned(as: SIMD8<Double>.self)
    }

    /// The sign bit off: NaN stays NaN.
    @inline(__always)
    static func magnitude(_ x: Lanes) -> Lanes {
        unsafeBitCast(unsafeBitCast(x, to: SIMD4<UInt64>.self) & 0x7FFF_FFFF_FFFF_FFFF, to: Lanes.self)
    }

    @inline(__always)
    static func store(_ lanes: Lanes, _ pointer: UnsafeMutablePointer<Double>) {
        UnsafeMutableRawPointer(pointer).storeBytes(of: lanes, as: Lanes.self)
    }

    /// Reads `count` values. Complexity: O(n).
    static func sum(_ x: UnsafePointer<Double>, count: Int) -> Double {
        var a = Lanes.zero
        var b = Lanes.zero
        var i = 0
        while i + 8 <= count {
            a += load(x + i)
            b += load(x + i + 4)
            i += 8
        }
        var total = (a + b).sum()
        while i < count {
            total += x[i]
            i += 1
        }
        return total
    }

    /// Sum of a[i] * b[i]. Reads `count` values of each.
    static func dot(_ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, count: Int) -> Double {
        var p = Lanes.zero
        var q = Lanes.zero
        var i = 0
        while i + 8 <= count {
            p += load(a + i) * load(b + i)
            q += load(a + i + 4) * load(b + i + 4)
            i += 8
        }
        var total = (p + q).sum()
        while i < count {
            total += a[i] * b[i]
            i += 1
        }
        return total
    }

    /// out[k] = sum over i < count of a[i] * b[i + k], for k in 0..<lags.
    ///
    /// Reads `count` values of `a` and `count + lags - 1` of `b`; writes `lags` values. Complexity: O(count * lags).
    static func laggedProducts(
        _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, count: Int, lags: Int, into out: UnsafeMutablePointer<Double>
    ) {
        var k = 0
        while k + 4 <= lags {
            var s0 = Lanes.zero
            var s1 = Lanes.zero
            var s2 = Lanes.zero
            var s3 = Lanes.zero
            let base = b + k
            var i = 0
            while i + 4 <= count {
                let left = load(a + i)
                s0 += left * load(base + i)
                s1 += left * load(base + i + 1)
                s2 += left * load(base + i + 2)
                s3 += left * load(base + i + 3)
                i += 4
            }
            var (t0, t1, t2, t3) = (s0.sum(), s1.sum(), s2.sum(), s3.sum())
            while i < count {
                let left = a[i]
                t0 += left * base[i]
                t1 += left * base[i + 1]
                t2 += left * base[i + 2]
                t3 += left * base[i + 3]
                i += 1
            }
            out[k] = t0
            out[k + 1] = t1
            out[k + 2] = t2
            out[k + 3] = t3
            k += 4
        }
        while k < lags {
            out[k] = dot(a, b + k, count: count)
            k += 1
        }
    }

    struct Extent {
        var min: Double
        var max: Double
        var isFinite: Bool
    }

    /// Smallest and largest value; `isFinite` is false when any value is NaN or infinite (then min and max mean nothing).
    static func extent(_ x: UnsafePointer<Double>, count: Int) -> Extent {
        var low = Lanes(repeating: .infinity)
        var high = Lanes(repeating: -.infinity)
        // x * 0 is 0 for a finite x and NaN for every other.
        var probe = Lanes.zero
        var i = 0
        while i + 4 <= count {
            let v = load(x + i)
            low = low.replacing(with: v, where: v .< low)
            high = high.replacing(with: v, where: v .> high)
            probe += v * 0
            i += 4
        }
        var result = Extent(min: low.min(), max: high.max(), isFinite: true)
        var rest = probe.sum()
        while i < count {
            let v = x[i]
            if v < result.min { result.min = v }
            if v > result.max { result.max = v }
            rest += v * 0
            i += 1
        }
        result.isFinite = rest == 0
        return result
    }

    /// x[i] = (x[i] - shift) * factor
    static func affine(_ x: UnsafeMutablePointer<Double>, count: Int, minus shift: Double, times factor: Double) {
        let shifts = Lanes(repeating: shift)
        let factors = Lanes(repeating: factor)
        var i = 0
        while i + 4 <= count {
            store((load(x + i) - shifts) * factors, x + i)
            i += 4
        }
        while i < count {
            x[i] = (x[i] - shift) * factor
            i += 1
        }
    }

    /// x[i] = x[i] cut to -bound ... bound
    static func clamp(_ x: UnsafeMutablePointer<Double>, count: Int, to bound: Double) {
        let highs = Lanes(repeating: bound)
        let lows = Lanes(repeating: -bound)
        var i = 0
        while i + 4 <= count {
            var v = load(x + i)
            v.replace(with: highs, where: v .> highs)
            v.replace(with: lows, where: v .< lows)
            store(v, x + i)
            i += 4
        }
        while i < count {
            x[i] = min(max(x[i], -bound), bound)
            i += 1
        }
    }

    /// out[i] += weight * |a[i] - b[i]|
    static func addAbsoluteDifferences(
        _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, count: Int, weight: Double, into out: UnsafeMutablePointer<Double>
    ) {
        let weights = Lanes(repeating: weight)
        var i = 0
        while i + 4 <= count {
            let d = load(a + i) - load(b + i)
            store(load(out + i) + weights * d.replacing(with: -d, where: d .< 0), out + i)
            i += 4
        }
        while i < count {
            out[i] += weight * abs(a[i] - b[i])
            i += 1
        }
    }

    /// out[i] += a[i] * b[i]
    static func addProducts(_ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, count: Int, into out: UnsafeMutablePointer<Double>) {
        var i = 0
        while i + 4 <= count {
            store(load(out + i) + load(a + i) * load(b + i), out + i)
            i += 4
        }
        while i < count {
            out[i] += a[i] * b[i]
            i += 1
        }
    }
}
