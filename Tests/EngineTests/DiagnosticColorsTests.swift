import Testing

@testable import Results

struct DiagnosticColorsTests {
    @Test(arguments: [
        ("error: no", "<1;31>error:<0> no"), ("a.mux:3:1: error: no", "a.mux:3:1: <1;31>error:<0> no"),
        ("  help: write x", "  <36>help:<0> write x"), ("an error: of a server", "an error: of a server"),
        ("   ^^", "   <31>^^<0>"), ("   | ^", "   | <31>^<0>"), ("a ^", "a ^"), ("^x", "^x"),
        (
            "  | expected: abc\n  | arrived:  abd\n  |             ^",
            "  | expected: ab<1;31>c<0>\n  | arrived:  ab<1;31>d<0>\n  |             <31>^<0>"
        ),
        // The other line may be shorter, and what was sent is not compared.
        ("  | arrived:  ab\n  |             ^", "  | arrived:  ab\n  |             <31>^<0>"),
        (" 1 | prnt\n   | ^^^^", " 1 | prnt\n   | <31>^^^^<0>"),
    ])
    func paints(text: String, expected: String) {
        let painted = String(decoding: DiagnosticColors.painted(Array(text.utf8)), as: UTF8.self)
        #expect(
            painted.replacing("\u{1B}[", with: "<").replacing("<0m", with: "<0>").replacing("31m", with: "31>")
                .replacing("36m", with: "36>") == expected)
    }

    @Test func keepsBytesThatAreNoText() {
        #expect(DiagnosticColors.painted([0xFF, 0x20, 0xFE]) == [0xFF, 0x20, 0xFE])
    }
}
