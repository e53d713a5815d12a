import Foundation
import TimeSeries

/// Why a simulation cannot be made, in words for a person.
package struct SimulationError: Error, Sendable, Equatable, CustomStringConvertible {
    package var description: String
}

/// The offsets of a time zone over twenty years: a lookup without Foundation's calendars.
package struct FleetZone: Sendable {
    package let name: String
    /// Offset from UTC from each time on, ascending.
    private let starts: [Milliseconds]
    private let offsets: [Milliseconds]

    package init(name: String, around time: Milliseconds) throws(SimulationError) {
        guard let zone = TimeZone(identifier: name) else {
            throw SimulationError(description: "\(name): no such time zone; give a name such as UTC or Europe/Rome")
        }
        func date(_ time: Milliseconds) -> Date { Date(timeIntervalSince1970: Double(time) / 1000) }
        let half: Milliseconds = 10 * 366 * 86_400_000
        var starts: [Milliseconds] = [.min]
        var offsets = [Milliseconds(zone.secondsFromGMT(for: date(time - half))) * 1000]
        var at = date(time - half)
        while let next = zone.nextDaylightSavingTimeTransition(after: at), next > at, next < date(time + half) {
            starts.append(Milliseconds((next.timeIntervalSince1970 * 1000).rounded()))
            offsets.append(Milliseconds(zone.secondsFromGMT(for: next)) * 1000)
            at = next
        }
        self.name = name
        self.starts = starts
        self.offsets = offsets
    }

    package func offset(at time: Milliseconds) -> Milliseconds {
        var low = 0
        var high = starts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= time { low = middle } else { high = middle }
        }
        return offsets[low]
    }

    /// Milliseconds since the epoch as if the local clock told UTC.
    package func local(_ time: Milliseconds) -> Milliseconds { time + offset(at: time) }

    /// `yyyy-MM-dd`.
    package func day(of time: Milliseconds) -> String {
        var text: [UInt8] = []
        Civil(local(time)).appendDate(&text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Where the local clock is put back it tells an hour twice; the end of that stretch if `time` lies in it.
    func endOfRepetition(at time: Milliseconds) -> Milliseconds? {
        for i in starts.indices.dropFirst() where offsets[i] < offsets[i - 1] {
            let shift = offsets[i - 1] - offsets[i]
            if time >= starts[i] - shift && time < starts[i] + shift { return starts[i] + shift }
        }
        return nil
    }
}

/// A date and time of the Gregorian calendar from local milliseconds.
struct Civil {
    var year: Int64
    var month: Int64
    var day: Int64
    /// Milliseconds since local midnight.
    var time: Milliseconds

    init(_ local: Milliseconds) {
        let (quotient, remainder) = local.quotientAndRemainder(dividingBy: 86_400_000)
        let days = remainder < 0 ? quotient - 1 : quotient
        time = local - days * 86_400_000
        // Years begin in March, so that the leap day is the last; eras of 400 years.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    func appendDate(_ out: inout [UInt8]) {
        Decimals.append(year, width: 4, &out)
        out.append(UInt8(ascii: "-"))
        Decimals.append(month, width: 2, &out)
        out.append(UInt8(ascii: "-"))
        Decimals.append(day, width: 2, &out)
    }

    /// `HH:mm:ss`.
    func appendTime(_ out: inout [UInt8]) {
        Decimals.append(time / 3_600_000, width: 2, &out)
        out.append(UInt8(ascii: ":"))
        Decimals.append(time / 60_000 % 60, width: 2, &out)
        out.append(UInt8(ascii: ":"))
        Decimals.append(time / 1000 % 60, width: 2, &out)
    }
}

/// Numbers as digits, appended.
enum Decimals {
    /// At least `width` digits, with zeros in front.
    static func append(_ value: Int64, width: Int = 1, _ out: inout [UInt8]) {
        append(value, decimals: 0, width: width, &out)
    }

    /// `value` / 10^decimals, all decimals written: 12345 with 2 is 123.45.
    static func append(_ value: Int64, decimals: Int, width: Int = 1, _ out: inout [UInt8]) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 48) { digits in
            var rest = value.magnitude
            var at = 48
            var written = 0
            while at > 1 && (rest > 0 || written < max(width, decimals + 1)) {
                if written == decimals && decimals > 0 {
                    at -= 1
                    digits[at] = UInt8(ascii: ".")
                }
                at -= 1
                digits[at] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
                written += 1
            }
            if value < 0 {
                at -= 1
                digits[at] = UInt8(ascii: "-")
            }
            out.append(contentsOf: UnsafeBufferPointer(rebasing: digits[at..<48]))
        }
    }
}
