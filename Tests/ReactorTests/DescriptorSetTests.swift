import Testing
import TestSupport

@testable import Reactor

struct DescriptorSetTests {
    @Test func holdsDescriptorsPastTheLimitOfTheMacros() {
        var set = DescriptorSet()
        for descriptor: Int32 in [0, 63, 64, 1023, 1024, 9999] { set.insert(descriptor) }
        #expect(set.contains(1024) && set.contains(9999) && !set.contains(9998))
        #expect(set.highest == 9999)
        set.remove(9999)
        #expect(set.highest == 1024)
        #expect(!set.contains(20_000))
    }

    @Test func walksItsMembersInOrder() {
        var generator = Generator(seed: 7)
        var set = DescriptorSet()
        let members = Set((0..<200).map { _ in Int32.random(in: 0..<5000, using: &generator) })
        for member in members { set.insert(member) }
        var walked: [Int32] = []
        var next = set.next(from: 0)
        while let descriptor = next {
            walked.append(descriptor)
            next = set.next(from: descriptor + 1)
        }
        #expect(walked == members.sorted())
    }

    @Test func anEmptySetHasNoMembers() {
        var set = DescriptorSet()
        #expect(set.highest == nil && set.next(from: 0) == nil)
        set.remove(5)
        set.insert(5)
        set.remove(5)
        #expect(set.highest == nil && set.next(from: 0) == nil)
    }
}
