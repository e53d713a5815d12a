import HTTPKit
import Hummingbird
import Traffic

/// One element or line of a body: an event, or what is wrong with it.
struct IncomingEvent: Sendable {
    let bytes: ArraySlice<UInt8>
    /// Lower case; empty where none could be read.
    let vehicle: String
    let fault: MalformedEvent?
}

/// Reads the events of a body.
struct EventIntake: Sendable {
    /// A dead letter of more bytes is cut.
    static let maximumBytes = 64 << 10
    /// An event has some 150 bytes; a body full of `1,1,1` is not to become a million dead letters.
    static let maximumEvents = 100_000

    /// As it was made: each body is read with a copy, which spares it the making of the zone's table.
    private let decoder: EventDecoder

    init(_ options: TrafficOptions) { decoder = EventDecoder(zone: options.zone) }

    /// A JSON array, an object, or lines of objects. What cannot be told apart is one fault. Throws a 400 problem if there is nothing.
    /// - Parameter isLines: the sender says that they are lines: a broken one is one fault, whatever it looks like.
    func read(_ body: [UInt8], isLines: Bool = false) throws(Problem) -> [IncomingEvent] {
        guard let first = body.first(where: { !EventIntake.isSpace($0) }) else {
            throw Problem(.badRequest, detail: "the body is empty; send a JSON array of events, or an event on each line")
        }
        let ranges: [Range<Int>]
        if isLines {
            ranges = body.withUnsafeBytes { EventDecoder.lines($0) }
        } else if first == UInt8(ascii: "{"), EventIntake.isOne(body) {
            ranges = [body.indices]
        } else {
            let split = body.withUnsafeBytes { bytes in
                Result { () throws(MalformedEvent) in try EventDecoder.split(bytes) }
            }
            switch split {
            case .success(let found): ranges = found
            case .failure(let fault): return [IncomingEvent(bytes: body[...], vehicle: "", fault: fault)]
            }
        }
        if ranges.count > EventIntake.maximumEvents {
            throw Problem(.contentTooLarge, detail: "more than \(EventIntake.maximumEvents) events in one body")
        }
        var decoder = self.decoder
        return body.withUnsafeBytes { bytes in
            ranges.map { range in
                let range = EventIntake.trimmed(range, body)
                do throws(MalformedEvent) {
                    let event = try decoder.decode(UnsafeRawBufferPointer(rebasing: bytes[range]))
                    return IncomingEvent(bytes: body[range], vehicle: event.vehicle.description, fault: nil)
                } catch {
                    return IncomingEvent(bytes: body[range], vehicle: "", fault: error)
                }
            }
        }
    }

    /// Whether it is one object over several lines: the first does not close it, and the next does not open another.
    private static func isOne(_ body: [UInt8]) -> Bool {
        guard let start = body.firstIndex(where: { !isSpace($0) }) else { return false }
        let end = body[start...].firstIndex(of: 0x0A) ?? body.endIndex
        guard body[start..<end].last(where: { !isSpace($0) }) != UInt8(ascii: "}") else { return false }
        return body[end...].first { !isSpace($0) } != UInt8(ascii: "{")
    }

    private static func trimmed(_ range: Range<Int>, _ body: [UInt8]) -> Range<Int> {
        let rest = body[range]
        guard let first = rest.firstIndex(where: { !isSpace($0) }), let last = rest.lastIndex(where: { !isSpace($0) }) else { return range }
        return first..<(last + 1)
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }
}
