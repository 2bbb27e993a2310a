import Script

/// A value that a word stands for: known at once when the word is constant, otherwise worked out when it runs.
struct Value<Result> {
    let word: Word
    private let constant: Result?
    private let parse: ([UInt8]) -> Result?
    private let problem: ([UInt8]) -> String?

    /// `parse` reads the bytes; for those it refuses, `kind` has the words why.
    init(_ word: Word, _ kind: Parameter.Kind, _ parse: @escaping ([UInt8]) -> Result?) {
        self.word = word
        self.parse = parse
        problem = { kind.problem(with: $0) }
        constant = word.literal.flatMap(parse)
    }

    func evaluate(in strand: Strand) throws(Failure) -> Result {
        if let constant { return constant }
        let bytes = try strand.expand(word.template)
        guard let value = parse(bytes) else {
            throw Failure(
                .expectation, problem(bytes) ?? "'\(Escapes.escaped(bytes))' is not what is needed here",
                range: word.range)
        }
        return value
    }
}

extension Value where Result == Duration {
    init(duration word: Word) {
        self.init(word, .duration) { Literals.duration(String(decoding: $0, as: UTF8.self)) }
    }
}

extension Value where Result == Int {
    init(count word: Word) {
        self.init(word, .count) { Literals.count(String(decoding: $0, as: UTF8.self)) }
    }

    init(size word: Word) {
        self.init(word, .size) { Literals.size(String(decoding: $0, as: UTF8.self)) }
    }
}

extension Value where Result == [UInt8] {
    init(text word: Word) {
        self.init(word, .text) { $0 }
    }

    init(hex word: Word) {
        self.init(word, .hex) { Literals.hex($0) }
    }
}

extension Value where Result == String {
    /// A name that the command gives to a session or a service.
    init(name word: Word) {
        self.init(word, .newSession) { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            return isSessionName(text) ? text : nil
        }
    }

    /// Any text, as characters.
    init(string word: Word) {
        self.init(word, .text) { String(decoding: $0, as: UTF8.self) }
    }
}
