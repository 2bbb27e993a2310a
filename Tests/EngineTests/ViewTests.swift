import Testing

@testable import Sessions

struct ViewTests {
    /// Feeds bytes to a view as a session does: whole lines, and now and then the beginning of one.
    private func rows(_ bytes: [UInt8], _ view: some LineView, cuts: Set<Int>) -> [String] {
        var view = view
        var shown: [String] = []
        var start = 0
        func add(_ end: Int, isPart: Bool) {
            var text = Array(bytes[start..<end])
            var ending: [UInt8] = []
            if !isPart {
                ending = [0x0A]
                if text.last == 0x0D { ending = [text.removeLast(), 0x0A] }
            }
            let rows = view.take(text, ending: ending, isPart: isPart)
            shown += rows?.map { String(decoding: $0.parts.flatMap(\.bytes), as: UTF8.self) } ?? ["raw"]
            start = end + (isPart ? 0 : 1)
        }
        for (index, byte) in bytes.enumerated() {
            if byte == 0x0A {
                add(index, isPart: false)
            } else if cuts.contains(index), index > start,
                byte != 0x0D, bytes[index - 1] != 0x0D
            {
                add(index, isPart: true)
            }
        }
        if start < bytes.count { add(bytes.count, isPart: true) }
        return shown + view.finish().map { String(decoding: $0.parts.flatMap(\.bytes), as: UTF8.self) }
    }

    private static let replies = Array(
        "+OK\r\n*2\r\n$12\r\na text\r\nline\r\n%1\r\n+k\r\n*2\r\n:1\r\n_\r\n*0\r\n*-1\r\n$0\r\n\r\n#t\r\n,1.5\r\n".utf8)

    @Test func showsTheSameRepliesForAnySplit() {
        let expected = [
            "OK", "1) \"a text\r\nline\"", "2) k => ", "     1) (integer) 1", "     2) (nil)", "(empty)", "(nil)",
            "\"\"",
            "(true)", "(double) 1.5",
        ]
        #expect(rows(Self.replies, RESPView(), cuts: []) == expected)
        for seed in 0..<200 {
            let cuts = Set((0..<Self.replies.count).filter { ($0 &* 7919 &+ seed &* 104_729) % 5 == 0 })
            #expect(rows(Self.replies, RESPView(), cuts: cuts) == expected, "cuts \(cuts.sorted())")
        }
    }

    @Test func givesUpOnRepliesThatAreNone() {
        #expect(rows(Array("hello\n+OK\r\n".utf8), RESPView(), cuts: []) == ["raw", "OK"])
        #expect(rows(Array("*2\r\n+a\r\n?\r\n+b\r\n".utf8), RESPView(), cuts: []) == ["*2", "+a", "?", "b"])
        #expect(rows(Array("*99999999999999999999\r\n".utf8), RESPView(), cuts: []) == ["raw"])
        let deep = String(repeating: "*1\r\n", count: 40) + "+x\r\n"
        #expect(rows(Array(deep.utf8), RESPView(), cuts: []).count == 34)
    }

    @Test func holdsALongReplyOnlyToALimit() {
        var view = RESPView()
        _ = view.take(Array("*100000".utf8), ending: [0x0D, 0x0A], isPart: false)
        var shown = 0
        for _ in 0..<60_000 { shown += view.take(Array("$10".utf8), ending: [0x0D, 0x0A], isPart: false)?.count ?? 1 }
        #expect(shown > 0)
    }

    @Test func laysOutJSONOnlyIfItIsJSON() {
        let view = JSONView { _ in false }
        func rows(_ text: String) -> [String] { self.rows(Array((text + "\n").utf8), view, cuts: [2]) }
        #expect(rows(#"{"a":[1,2,{"b":null}]}"#) == [#"{"a": [1, 2, {"b": null}]}"#])
        #expect(rows(#"["\u0041\"]", true, -1.5e3 ]"#) == [#"["\u0041\"]", true, -1.5e3]"#])
        for text in [#"{"a":}"#, "[1 2]", #"{"a" 1}"#, "[1,]", "[0x1]", "[nan]", #"["open]"#, "{} x", "[1]]"] {
            #expect(rows(text) == [text])
        }
        let deep = String(repeating: "[", count: 200) + String(repeating: "]", count: 200)
        #expect(rows(deep) == [deep])
        #expect(
            rows(#"{"name": "a name that is long enough for a row", "list": [], "other": "and another one as well"}"#)
                == [
                    "{", #"  "name": "a name that is long enough for a row","#, #"  "list": [],"#,
                    #"  "other": "and another one as well""#, "}",
                ])
    }

    @Test func showsTheSameBodiesForAnySplit() {
        let answer = Array(
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/json\r\n\r\n"
                + "4\r\n{\"a\"\r\n5;x=y\r\n: [1]\r\n1\r\n}\r\n0\r\nTrailer: x\r\n\r\n"
                + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: a/b\r\n\r\nxyHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
                .utf8)
        let expected = [
            "HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Content-Type: text/json", "", #"{"a": [1]}"#,
            "Trailer: x",
            "HTTP/1.1 200 OK", "Content-Length: 2", "Content-Type: a/b", "", "(2 bytes, a/b)", "HTTP/1.1 500 No",
            "Content-Length: 0", "",
        ]
        for seed in 0..<200 {
            let cuts = Set((0..<answer.count).filter { ($0 &* 7919 &+ seed &* 104_729) % 6 == 0 })
            let view = HTTPView { _ in false }
            #expect(rows(answer, view, cuts: seed == 0 ? [] : cuts) == expected, "cuts \(cuts.sorted())")
        }
    }

    @Test func keepsColorsAndNothingElse() {
        var view = ColorView()
        func take(_ text: String) -> [ViewRow.Part] {
            view.take(Array(text.utf8), ending: [0x0A], isPart: false)?.first?.parts ?? []
        }
        func part(_ text: String, _ style: String?) -> ViewRow.Part {
            ViewRow.Part(bytes: Array(text.utf8), style: style)
        }
        #expect(take("\u{1B}[1mb\u{1B}[31mr\u{1B}[0mn") == [part("b", "1"), part("r", "1;31"), part("n", nil)])
        #expect(take("\u{1B}]0;x\u{07}a\u{1B}[2Jb\u{1B}Pq\u{1B}\\c\u{08}\u{1B}(Bd\u{1B}[?1mx") == [part("abcdx", nil)])
        #expect(take("\u{1B}[38;5;1") == [])
        #expect(take("\u{1B}]unfinished").isEmpty)
    }

    @Test func neverTrapsOnAnyBytes() {
        var state: UInt64 = 1
        func next(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % limit
        }
        let words = [
            "HTTP/1.1 200 OK\r\n", "Content-Length: 5\r\n", "\r\n", "*2\r\n", "$3\r\n", "{", "\"a\":", "}", "[",
            "\u{1B}[", "m",
            "\n", "x", "Transfer-Encoding: chunked\r\n", "5\r\n", "0\r\n", "$-1\r\n", "%1\r\n", ":1\r\n", "\\", "\"",
            ",",
        ]
        for _ in 0..<3000 {
            let bytes = (0..<next(12)).flatMap { _ in Array(words[next(words.count)].utf8) }
            let cuts = Set((0..<bytes.count).filter { _ in next(4) == 0 })
            for view: any LineView in [RESPView(), JSONView { _ in false }, HTTPView { _ in false }, ColorView()] {
                func run(_ view: some LineView) { #expect(rows(bytes, view, cuts: cuts).count < 100) }
                run(view)
            }
        }
    }
}
