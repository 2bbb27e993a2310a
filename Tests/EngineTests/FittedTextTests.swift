import Testing

@testable import Commands
@testable import Engine
@testable import Results
@testable import Sessions
@testable import VM

struct FittedTextTests {
    @Test(arguments: [
        ("short", 20, "short"),
        ("one two three four five", 14, "one two three\nfour five"),
        ("  one two three four", 15, "  one two\n    three four"),
        ("  --raw  control bytes as they are", 24, "  --raw  control bytes\n         as they are"),
        ("  --a-long-option  what it does", 20, "  --a-long-option\n    what it does"),
        ("first\nsecond and third", 12, "first\nsecond and\nthird"),
        ("averylongwordthatdoesnotfit in", 12, "averylongwordthatdoesnotfit\nin"),
    ])
    func isCutAtBlanks(text: String, width: Int, fit: String) {
        #expect(fitted(text, to: width) == fit)
    }

    @Test func staysAsItIsWithoutAWidth() {
        #expect(fitted(String(repeating: "word ", count: 50), to: nil) == String(repeating: "word ", count: 50))
    }
}
