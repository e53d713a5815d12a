import Coordination

/// The nodes of one installation below its folder.
///
///     <chroot>/groups/<group>/<member>~<token>-<n>       ephemeral; data: the newest member it has seen; written with every heartbeat
///     <chroot>/processes/<member>~<token>-<n>            the same for processes that divide no work
///     <chroot>/instances/<role@name>~<token>-<n>         ephemeral; data: JSON
///     <chroot>/elections/<name>/<member>~<token>-<n>     ephemeral
///     <chroot>/epochs/<name>                             the last epoch given out, as text
///     <chroot>/configuration                             the bytes
struct Paths: Sendable {
    let root: String

    func group(_ name: String?) -> String { name.map { "\(root)/groups/\(SequentialName.encoded($0))" } ?? "\(root)/processes" }
    var instances: String { root + "/instances" }
    var elections: String { root + "/elections" }
    func election(_ name: String) -> String { "\(root)/elections/\(SequentialName.encoded(name))" }
    var epochs: String { root + "/epochs" }
    func epoch(_ name: String) -> String { "\(root)/epochs/\(SequentialName.encoded(name))" }
    var configuration: String { root + "/configuration" }
}
