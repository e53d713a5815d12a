import Dispatch
import Glibc
import Synchronization

/// Signals as calls. The first SIGTERM or SIGINT asks for the end, the next one or the time limit forces it; SIGHUP reloads.
final class Signals: Sendable {
    private let sources = Mutex<[any DispatchSourceSignal]>([])
    private let firstSignal = Mutex<ContinuousClock.Instant?>(nil)

    /// From the first signal to a forced exit.
    static let limitSeconds = 10
    /// `timeout` and shells send a signal to the process and to its group: what comes this soon is the same wish again.
    private static let echo = Duration.milliseconds(500)

    /// - Parameters:
    ///   - onEnd: called once, at the first SIGTERM or SIGINT.
    ///   - onReload: called at each SIGHUP.
    func listen(onEnd: @escaping @Sendable () -> Void, onReload: @escaping @Sendable () -> Void) {
        add(SIGHUP, onReload)
        for signal in [SIGTERM, SIGINT] { add(signal) { [self] in end(onEnd) } }
    }

    private func add(_ number: Int32, _ handler: @escaping @Sendable () -> Void) {
        signal(number, SIG_IGN)
        sources.withLock { sources in
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler(handler: handler)
            source.resume()
            sources.append(source)
        }
    }

    private func end(_ onEnd: @Sendable () -> Void) {
        let now = ContinuousClock().now
        let earlier = firstSignal.withLock { first in
            defer { first = first ?? now }
            return first
        }
        if let earlier {
            if now - earlier < Signals.echo { return }
            Output.error("almanac: ended at once by a second signal; what was acknowledged is on disk")
            _exit(1)
        }
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(Signals.limitSeconds)) {
            Output.error("almanac: did not end within \(Signals.limitSeconds) s and was ended; what was acknowledged is on disk")
            _exit(1)
        }
        onEnd()
    }
}
