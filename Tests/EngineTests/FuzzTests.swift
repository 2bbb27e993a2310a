import Foundation
import TestSupport
import Testing

/// A short run of the fuzz targets: the inputs of their corpus, and some that are made of them.
@Suite(.serialized) struct FuzzTests {
    /// Targets whose inputs are whole conversations.
    private static let slow: Set<String> = ["sessions", "triggers", "tls", "transcript", "painter", "bless", "history"]

    init() {
        signal(SIGPIPE, SIG_IGN)
    }

    @Test(arguments: fuzzTargets.keys.sorted())
    func holds(name: String) throws {
        let target = try #require(fuzzTargets[name])
        guard name != "tls" || Certificates.folder != nil else { return }
        let corpus = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fuzz/Corpus/\(name)")
        var inputs: [[UInt8]] = []
        for file in (try? FileManager.default.contentsOfDirectory(at: corpus, includingPropertiesForKeys: nil)) ?? [] {
            inputs.append(Array(try Data(contentsOf: file)))
        }
        #expect(!inputs.isEmpty, "no corpus")
        var generator = Generator(seed: 17)
        for input in inputs { target.run(input) }
        for _ in 0..<(Self.slow.contains(name) ? 200 : 2000) {
            var input = inputs.randomElement(using: &generator) ?? []
            for _ in 0..<3 {
                let place = Int.random(in: 0...input.count, using: &generator)
                input.insert(UInt8.random(in: 0...255, using: &generator), at: place)
                if Bool.random(using: &generator) { input.removeSubrange(0..<min(place / 4, input.count)) }
            }
            target.run(input)
        }
    }
}
