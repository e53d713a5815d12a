import Glibc

/// The regularized incomplete gamma function and the chi-square tail that rests on it.
///
/// Series below the mean, Lentz's continued fraction above (Abramowitz and Stegun 6.5.29 and 6.5.31). Relative error below 1e-11 for
/// a up to a few thousand, also in the far tail; below the smallest double the answer is 0.
package enum IncompleteGamma {
    /// Q(a, x), the upper tail. `a` must be positive; x <= 0 answers 1, an infinite x answers 0.
    package static func upper(a: Double, x: Double) -> Double {
        guard a > 0, !x.isNaN else { return .nan }
        if x <= 0 { return 1 }
        if x == .infinity { return 0 }
        return x < a + 1 ? 1 - series(a, x) : fraction(a, x)
    }

    private static func prefactor(_ a: Double, _ x: Double) -> Double {
        var sign: Int32 = 0
        return exp(a * log(x) - x - lgamma_r(a, &sign))
    }

    private static func series(_ a: Double, _ x: Double) -> Double {
        var term = 1 / a
        var total = term
        var n = a
        for _ in 0..<100_000 {
            n += 1
            term *= x / n
            total += term
            if term < total * 1e-17 { break }
        }
        return total * prefactor(a, x)
    }

    private static func fraction(_ a: Double, _ x: Double) -> Double {
        let tiny = 1e-300
        var b = x + 1 - a
        var c = 1 / tiny
        var d = 1 / b
        var h = d
        for i in 1..<100_000 {
            let an = -Double(i) * (Double(i) - a)
            b += 2
            d = an * d + b
            if abs(d) < tiny { d = tiny }
            c = b + an / c
            if abs(c) < tiny { c = tiny }
            d = 1 / d
            let step = d * c
            h *= step
            if abs(step - 1) < 1e-16 { break }
        }
        return h * prefactor(a, x)
    }
}

package enum ChiSquare {
    /// P(X > x) with `degrees` degrees of freedom.
    package static func survival(_ x: Double, degrees: Int) -> Double {
        IncompleteGamma.upper(a: Double(degrees) / 2, x: x / 2)
    }
}
