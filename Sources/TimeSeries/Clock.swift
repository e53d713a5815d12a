/// Milliseconds since the epoch, UTC: the only form of time inside the product.
package typealias Milliseconds = Int64

/// The one source of "now". Production uses the system's clock; tests and simulations inject theirs.
package protocol WallClock: Sendable {
    func now() -> Milliseconds
}
