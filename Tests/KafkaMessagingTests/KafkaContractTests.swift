import Messaging
import MessagingContract
import Testing

/// The implementations that have to keep the contract.
struct Implementation: Sendable, CustomTestStringConvertible {
    var name: String
    var harness: @Sendable () throws -> any LogHarness
    var lacks: Set<String> = []
    var testDescription: String { name }

    static var all: [Implementation] {
        var all = [
            Implementation(
                name: "Kafka, mock cluster of one broker", harness: { KafkaHarness(try MockCluster()) },
                lacks: [MessageLogContract.tailFromTimeName]),
            Implementation(
                name: "Kafka, mock cluster of three brokers", harness: { KafkaHarness(try MockCluster(brokers: 3)) },
                lacks: [MessageLogContract.tailFromTimeName]),
        ]
        if let realBroker { all.append(Implementation(name: "Kafka at \(realBroker)", harness: { KafkaHarness(broker: realBroker) })) }
        return all
    }

    static var cases: [(Implementation, MessageLogContract.Case)] {
        all.flatMap { one in MessageLogContract.cases.filter { !one.lacks.contains($0.name) }.map { (one, $0) } }
    }
}

@Suite("Message log contract on Kafka") struct KafkaContractTests {
    @Test(arguments: Implementation.cases)
    func keeps(_ implementation: Implementation, _ contract: MessageLogContract.Case) async throws {
        try await contract.run(try implementation.harness())
    }
}
