/// The numbers of `${random}` (SplitMix64): the same seed gives the same numbers.
package final class RandomNumbers {
    /// The seed; a failing run that used it is repeated with it.
    package let seed: UInt32
    /// Whether a number was taken.
    package private(set) var isUsed = false
    private var state: UInt64

    package init(seed: UInt32?) {
        self.seed = seed ?? UInt32.random(in: .min ... .max)
        state = UInt64(self.seed)
    }

    /// Returns the next number.
    package func next() -> UInt32 {
        isUsed = true
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return UInt32(truncatingIfNeeded: (mixed ^ (mixed >> 31)) >> 32)
    }
}
