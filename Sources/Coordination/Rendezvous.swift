import TimeSeries

/// Rendezvous hashing (Thaler and Ravishankar 1998, "highest random weight"), all weights equal: a name goes to the member with the
/// highest score for it. A score depends on the one member and the name only, so a member that comes or goes moves no name between two
/// others. `Division` rests on that.
package enum Rendezvous {
    package static func hash(_ text: String) -> UInt64 { Fingerprint(hashing: Array(text.utf8)).high }

    /// The finalizer of MurmurHash3 over both hashes.
    package static func score(member: UInt64, name: UInt64) -> UInt64 {
        var k = member ^ (name &* 0x9E37_79B9_7F4A_7C15)
        k ^= k >> 33
        k = k &* 0xff51_afd7_ed55_8ccd
        k ^= k >> 33
        k = k &* 0xc4ce_b9fe_1a85_ec53
        k ^= k >> 33
        return k
    }
}
