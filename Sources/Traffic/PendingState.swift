import Records
import TimeSeries

/// What was found and not yet fetched is part of the state: it may be of events that are remembered no more.
extension TrafficPartition {
    func encodePending(_ writer: inout ByteWriter) {
        writer.varint(stays.visits.count)
        for visit in stays.visits {
            for text in [visit.point, visit.vehicle, visit.vehicleType, visit.route] { writer.text(text) }
            for time in [visit.time, visit.entered, visit.seen, visit.left ?? .min] { writer.signed(time) }
            for value in [visit.latitude, visit.longitude, visit.distance] { writer.double(value) }
            writer.u8(visit.isWithdrawn ? 1 : 0)
        }
        writer.varint(alarms.alerts.count)
        for alert in alarms.alerts {
            for text in [alert.rule, alert.subject, alert.vehicleType, alert.route, alert.message] { writer.text(text) }
            for time in [alert.time, alert.onset, alert.end ?? .min] { writer.signed(time) }
            writer.u8((alert.value == nil ? 0 : 1) | (alert.limit == nil ? 0 : 2))
            writer.double(alert.value ?? 0)
            writer.double(alert.limit ?? 0)
        }
        pending.encode(to: &writer)
    }

    mutating func decodePending(_ reader: inout ByteReader) throws(DecodingFailure) {
        for _ in 0..<(try reader.count(ofAtLeast: 33)) {
            var texts: [String] = []
            for _ in 0..<4 { texts.append(try reader.text()) }
            let time = try reader.index()
            let entered = try reader.index()
            let seen = try reader.index()
            let left = try reader.time()
            stays.visits.append(
                PointVisit(
                    time: time, revision: revision, point: texts[0], vehicle: texts[1], vehicleType: texts[2], route: texts[3],
                    entered: entered, seen: seen, left: left, latitude: try reader.double(), longitude: try reader.double(),
                    distance: try reader.double(), isWithdrawn: try reader.u8() != 0))
        }
        for _ in 0..<(try reader.count(ofAtLeast: 25)) {
            var texts: [String] = []
            for _ in 0..<5 { texts.append(try reader.text()) }
            let time = try reader.index()
            let onset = try reader.index()
            let end = try reader.time()
            let told = try reader.u8()
            let value = try reader.double()
            let limit = try reader.double()
            alarms.alerts.append(
                TrafficAlert(
                    time: time, revision: revision, rule: texts[0], subject: texts[1], vehicleType: texts[2], route: texts[3], onset: onset,
                    end: end, value: told & 1 == 0 ? nil : value, limit: told & 2 == 0 ? nil : limit, message: texts[4]))
        }
        let routes = keys.routes.count
        pending = try PartialWriter(decoding: &reader, routes: routes)
    }
}

extension PartialWriter {
    func encode(to writer: inout ByteWriter) {
        let records = all
        writer.varint(records.count)
        for record in records {
            writer.varint(Int(record.route))
            writer.varint(record.types.count)
            for type in record.types { writer.text(type) }
            writer.varint(record.body.count)
            writer.bytes.append(contentsOf: record.body)
        }
    }

    init(decoding reader: inout ByteReader, routes: Int) throws(DecodingFailure) {
        self.init()
        for _ in 0..<(try reader.count(ofAtLeast: 3)) {
            let route = try reader.small()
            guard route < Int32(routes) else { throw reader.failure("a route is not known") }
            var types: [String] = []
            for _ in 0..<(try reader.count(ofAtLeast: 1)) { types.append(try reader.text()) }
            let count = try reader.count(ofAtLeast: 1)
            append(route: route, types: types, body: Array(try reader.slice(count)))
        }
    }
}
