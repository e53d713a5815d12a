import TestSupport
import Testing

@testable import HostMetrics

/// The filters are written by hand for speed; node exporter's own expressions say what they must do.
@Suite struct FilterTests {
    @Test(arguments: [
        ("ram0", true), ("loop12", true), ("fd0", true), ("sda1", true), ("vdb3", true), ("xvda1", true), ("hdc2", true),
        ("nvme0n1p2", true), ("nvme10n12p15", true), ("sda", false), ("vda", false), ("sdaa1", false), ("nvme0n1", false), ("zram0", false),
        ("dm-0", false), ("md127", false), ("mmcblk0p1", false), ("sr0", false), ("loop", false), ("", false), ("p1", false),
    ])
    func disk(_ name: String, _ ignored: Bool) {
        #expect(isIgnoredDisk(Array(name.utf8)[...]) == ignored)
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func diskAgreesWithTheExpression(seed: UInt64) {
        let expression = #/^(ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$/#
        let pieces = ["ram", "loop", "fd", "h", "s", "v", "x", "d", "a", "z", "nvme", "n", "p", "0", "1", "27", "-"]
        var generator = SplitMix64(seed: seed)
        for _ in 0..<3000 {
            let name = (0..<Int.random(in: 1...6, using: &generator)).map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
            #expect(isIgnoredDisk(Array(name.utf8)[...]) == (name.firstMatch(of: expression) != nil), "\(name), seed \(seed)")
        }
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func mountPointAgreesWithTheExpression(seed: UInt64) {
        let expression = #/^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)/#
        let pieces = ["/", "/dev", "/proc", "/sys", "/run", "/credentials", "/var/lib", "/docker", "/containers", "/storage", "x", "/a"]
        var generator = SplitMix64(seed: seed)
        for _ in 0..<3000 {
            let path = (0..<Int.random(in: 1...5, using: &generator)).map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
            #expect(isIgnoredMountPoint(Array(path.utf8)[...]) == (path.firstMatch(of: expression) != nil), "\(path), seed \(seed)")
        }
    }

    @Test func filesystemTypes() {
        #expect(isIgnoredFileSystem("overlay") && isIgnoredFileSystem("cgroup2") && isIgnoredFileSystem("proc"))
        #expect(!isIgnoredFileSystem("ext4") && !isIgnoredFileSystem("tmpfs") && !isIgnoredFileSystem("nfs4"))
    }
}
