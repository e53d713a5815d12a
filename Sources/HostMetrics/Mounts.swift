/// One line of `/proc/PID/mounts`.
struct Mount: Equatable, Sendable {
    var device: String
    /// As text, for the label.
    var mountPoint: String
    /// As the kernel knows it; a path need not be UTF-8.
    var path: [UInt8]
    var fileSystem: String
    var isReadOnly: Bool
}

/// Parses a mount table (proc_pid_mounts(5)) without the mounts that `isIgnoredFileSystem` and `isIgnoredMountPoint` name.
/// Of several lines with the same labels the first counts: one filesystem may be mounted twice on one place.
/// - Parameter rootfs: where the host's root is mounted when the exporter runs in a container; cut from the mount points.
func parseMounts(_ bytes: [UInt8], rootfs: String) throws(ParseFailure) -> [Mount] {
    let root = Array(rootfs.utf8)
    var mounts: [Mount] = []
    var seen = Set<[String]>()
    var scanner = TextScanner(bytes)
    while scanner.nextLine() {
        guard let device = scanner.field() else { continue }
        guard let place = scanner.field(), let type = scanner.field(), let options = scanner.field() else {
            throw scanner.failure("device, mount point, type and options expected")
        }
        let fileSystem = type.text
        if isIgnoredFileSystem(fileSystem) { continue }
        let path = withoutRoot(unescapedMountField(place), root)
        if isIgnoredMountPoint(path[...]) { continue }
        let mount = Mount(
            device: unescapedMountField(device)[...].text, mountPoint: path[...].text, path: path, fileSystem: fileSystem,
            isReadOnly: options.split(separator: UInt8(ascii: ",")).contains { $0.equals("ro") })
        if seen.insert([mount.device, mount.mountPoint, mount.fileSystem]).inserted { mounts.append(mount) }
    }
    return mounts
}

/// node exporter's default: filesystems that hold no data of their own.
func isIgnoredFileSystem(_ type: String) -> Bool { ignoredFileSystems.contains(type) }

private let ignoredFileSystems: Set<String> = [
    "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "fusectl", "hugetlbfs", "iso9660",
    "mqueue", "nsfs", "overlay", "proc", "procfs", "pstore", "rpc_pipefs", "securityfs", "selinuxfs", "squashfs", "sysfs", "tracefs",
]

/// node exporter's default: `^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)`.
func isIgnoredMountPoint(_ path: ArraySlice<UInt8>) -> Bool {
    func isAtOrBelow(_ folder: StaticString) -> Bool {
        path.starts(with: folder)
            && (path.count == folder.utf8CodeUnitCount || path.dropFirst(folder.utf8CodeUnitCount).first == UInt8(ascii: "/"))
    }
    func isBelow(_ folder: StaticString) -> Bool { path.starts(with: folder) && path.count > folder.utf8CodeUnitCount }
    return isAtOrBelow("/dev") || isAtOrBelow("/proc") || isAtOrBelow("/sys") || isBelow("/run/credentials/") || isBelow("/var/lib/docker/")
        || isBelow("/var/lib/containers/storage/")
}

/// A backslash and three octal digits stand for a byte: space, tab, line break, backslash and number sign are written so.
func unescapedMountField(_ field: ArraySlice<UInt8>) -> [UInt8] {
    guard field.contains(UInt8(ascii: "\\")) else { return Array(field) }
    var bytes: [UInt8] = []
    var rest = field
    while let byte = rest.popFirst() {
        let digits = rest.prefix(3).map { $0 &- UInt8(ascii: "0") }
        if byte == UInt8(ascii: "\\"), digits.count == 3, digits[0] < 4, digits[1] < 8, digits[2] < 8 {
            bytes.append(digits[0] << 6 | digits[1] << 3 | digits[2])
            rest = rest.dropFirst(3)
        } else {
            bytes.append(byte)
        }
    }
    return bytes
}

private func withoutRoot(_ path: [UInt8], _ root: [UInt8]) -> [UInt8] {
    guard root != [UInt8(ascii: "/")], path.starts(with: root) else { return path }
    let rest = path.dropFirst(root.count)
    if rest.isEmpty { return [UInt8(ascii: "/")] }
    return rest.first == UInt8(ascii: "/") ? Array(rest) : path
}
