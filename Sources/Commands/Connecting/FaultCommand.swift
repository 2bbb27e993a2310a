import Engine
import Results
import Script
import VM
import Wire

/// `fault`: makes the network of a tunnel bad, and good again.
struct FaultCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "fault", summary: "make the network of a tunnel bad",
            forms: faultForms + [
                form(.keyword("off"), .optional([.parameter(Parameter("FAULT", .choice(kinds)))]))
            ],
            text: """
                NAME is a tunnel, also for connections that come later, one of its connections, such as t.3, or a \
                bridge ('bridge A B as NAME'). \
                'up' is from the client to the server, 'down' back; without them both. A fault stays until 'fault \
                NAME off', or for the time of 'for T'; another one of its kind replaces it.

                delay D: everything arrives later; with a jitter J by D-J to D+J, in the same order. rate SIZE: bytes in a \
                second. slice N: pieces of N bytes, with 'every D' a pause between them. pause: nothing arrives \
                ('resume' takes back pause and pass). pass N: N more bytes, then a pause. cut: both sides end, with \
                'after N' when N bytes have passed; reset: the same with a reset. swallow: everything is lost. corrupt \
                N: a bit of byte N is inverted. refuse and hang: new connections are refused, or accepted and left \
                alone.

                Of datagrams: lose P% and duplicate P%, and reorder N: they change up to N places.
                """,
            examples: [
                """
                tunnel t :0 to localhost:6379
                fault t delay 200ms jitter 50ms
                fault t down rate 64KiB for 10s
                fault t.3 reset after 1000
                fault t off
                """
            ],
            caveats: [
                "N counts from when the fault is set, for later connections from their first byte.",
                """
                Faults apply in this order: swallow, corrupt, slice, delay, rate, pause and pass, cut and reset. A \
                delay holds at most the inbox limit in a direction; then the sender has to wait.
                """,
                "Random faults repeat with --seed.",
            ])
    }

    private static var kinds: [String] { Fault.Kind.allCases.map(\.rawValue) }

    private static var percent: Parameter {
        Parameter("P", .checked { share($0) == nil ? "'\(Escapes.visible($0))' is not a percentage, such as 5%" : nil })
    }

    private static var faultForms: [Form] {
        let time = Element.optional([.keyword("for"), .parameter(Parameter("T", .duration))])
        let after = Element.optional([.keyword("after"), .parameter(Parameter("N", .count))])
        let number = Element.parameter(Parameter("N", .count))
        let jitter = Element.optional([.keyword("jitter"), .parameter(Parameter("J", .duration))])
        let every = Element.optional([.keyword("every"), .parameter(.duration)])
        return [
            form(.keyword("delay"), .parameter(.duration), jitter, time),
            form(.keyword("rate"), .parameter(Parameter("SIZE", .size)), time),
            form(.keyword("slice"), number, every, time), form(.keyword("pause"), time),
            form(.keyword("resume")), form(.keyword("pass"), number, time), form(.keyword("cut"), after, time),
            form(.keyword("reset"), after, time), form(.keyword("swallow"), time),
            form(.keyword("corrupt"), number, time), form(.keyword("refuse"), time), form(.keyword("hang"), time),
            form(.keyword("lose"), .parameter(percent), time), form(.keyword("duplicate"), .parameter(percent), time),
            form(.keyword("reorder"), number, time),
        ]
    }

    private static func form(_ elements: Element...) -> Form {
        let ways = Way.allCases.map { Element.optional([.keyword($0.rawValue)]) }
        // It may be the name of a bridge that a later statement of a pipe begins.
        let name = Parameter("NAME", .checked(nameProblem))
        return Form(elements: [.parameter(name)] + ways + elements)
    }

    private static func nameProblem(_ bytes: [UInt8]) -> String? {
        isSessionName(String(lossless: bytes))
            ? nil : "'\(Escapes.visible(bytes))' is not the name of a tunnel or bridge"
    }

    /// Returns a percentage as a number from 0 to 1; nil if it is none.
    fileprivate static func share(_ bytes: [UInt8]) -> Double? {
        guard bytes.last == UInt8(ascii: "%"),
            let number = Double(String(decoding: bytes.dropLast(), as: UTF8.self)), (0...100).contains(number)
        else { return nil }
        return number / 100
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let kind = Fault.Kind.allCases.first { call.keywords.contains($0.rawValue) }
        compiler.emit(
            FaultInstruction(
                target: try call.target("NAME"), kind: kind,
                way: Way.allCases.first { call.keywords.contains($0.rawValue) },
                ended: call.argument("FAULT").map { Value(text: $0) }, isResume: call.keywords.contains("resume"),
                numbers: FaultInstruction.Numbers(
                    count: call.argument("N").map { Value(count: $0) },
                    size: call.argument("SIZE").map { Value(size: $0) },
                    duration: call.argument("D").map { Value(duration: $0) },
                    jitter: call.argument("J").map { Value(duration: $0) },
                    share: call.argument("P").map { argument in Value(argument, percent.kind, share) }),
                time: call.argument("T").map { Value(duration: $0) }, range: call.range))
    }
}

private struct FaultInstruction: Instruction {
    /// The numbers of the faults.
    struct Numbers {
        let count: Value<Int>?
        let size: Value<Int>?
        let duration: Value<Duration>?
        let jitter: Value<Duration>?
        let share: Value<Double>?
    }

    let target: Target
    /// Nil for `off` and `resume`.
    let kind: Fault.Kind?
    let way: Way?
    let ended: Value<[UInt8]>?
    let isResume: Bool
    let numbers: Numbers
    let time: Value<Duration>?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let name = try target.items.first.map { item throws(Failure) in try strand.text(item.template) } ?? ""
        guard let (target, connection) = world.faultTarget(named: name) else {
            throw Failure(
                .expectation, "'\(name)' is neither a tunnel, nor a connection of one, nor a bridge with a name",
                range: range)
        }
        let ways = Way.all(way)
        let head = "fault \(name)" + (way.map { " " + $0.rawValue } ?? "")
        guard let kind else {
            let kinds = try endedKinds(strand)
            world.tell(
                head + (isResume ? " resume" : " off" + (ended == nil ? "" : " \(kinds.map(\.rawValue).joined())")))
            target.remove(kinds, ways, connection: connection)
            return .next
        }
        try requireFit(kind, target, connection)
        let time = try time?.evaluate(in: strand)
        let fault = try fault(kind, strand)
        world.tell("\(head) \(fault.text)" + (time.map { " for \(microseconds($0))" } ?? ""))
        target.set(fault, ways, connection: connection, for: time)
        return .next
    }

    private func requireFit(_ kind: Fault.Kind, _ target: any FaultTarget, _ connection: Int?) throws(Failure) {
        if kind.isOfDatagrams, !target.isDatagram {
            throw Failure(.expectation, "\(kind.rawValue) is for udp:// tunnels: a stream loses nothing", range: range)
        }
        if target.isDatagram, !kind.suitsDatagrams {
            throw Failure(.expectation, "\(kind.rawValue) is for streams, not for datagrams", range: range)
        }
        if kind.isOfConnections, connection != nil || way != nil || !target.accepts {
            throw Failure(
                .expectation, "\(kind.rawValue) applies to the new connections of a tunnel, without up and down",
                range: range)
        }
    }

    private func endedKinds(_ strand: Strand) throws(Failure) -> [Fault.Kind] {
        if isResume { return [.pause, .pass] }
        guard let ended else { return Fault.Kind.allCases }
        let text = String(decoding: try ended.evaluate(in: strand), as: UTF8.self)
        return Fault.Kind(rawValue: text).map { [$0] } ?? []
    }

    private func fault(_ kind: Fault.Kind, _ strand: Strand) throws(Failure) -> Fault {
        let count = try numbers.count?.evaluate(in: strand)
        let size = try numbers.size?.evaluate(in: strand)
        let duration = try numbers.duration?.evaluate(in: strand)
        let jitter = try numbers.jitter?.evaluate(in: strand)
        let share = try numbers.share?.evaluate(in: strand)
        if let number = size ?? count, number < 1, ![.cut, .reset, .pass].contains(kind) {
            throw Failure(.expectation, "\(kind.rawValue) needs a number above 0", range: range)
        }
        return switch kind {
        case .delay: .delay(duration ?? .zero, jitter: jitter ?? .zero)
        case .rate: .rate(size ?? 1)
        case .slice: .slice(count ?? 1, every: duration ?? .zero)
        case .pause: .pause
        case .pass: .pass(count ?? 0)
        case .cut: .cut(after: count ?? 0)
        case .reset: .reset(after: count ?? 0)
        case .swallow: .swallow
        case .corrupt: .corrupt(count ?? 1)
        case .refuse: .refuse
        case .hang: .hang
        case .lose: .lose(share ?? 0)
        case .duplicate: .duplicate(share ?? 0)
        case .reorder: .reorder(count ?? 1)
        }
    }

}

extension World {
    /// Shows a statement about faults in the transcript and in the reports.
    fileprivate func tell(_ statement: String) {
        transcript.statement(statement)
        events?.add(.fault(statement))
    }
}

extension Fault {
    /// The fault as an argument of `fault`.
    fileprivate var text: String {
        let numbers: String =
            switch self {
            case .delay(let time, let jitter):
                microseconds(time) + (jitter == .zero ? "" : " jitter \(microseconds(jitter))")
            case .rate(let number), .pass(let number), .corrupt(let number), .reorder(let number): String(number)
            case .slice(let size, let pause): String(size) + (pause == .zero ? "" : " every \(microseconds(pause))")
            case .cut(let after), .reset(let after): after == 0 ? "" : "after \(after)"
            case .lose(let share), .duplicate(let share): fixed(share * 100, digits: 3) + "%"
            case .pause, .swallow, .refuse, .hang: ""
            }
        return kind.rawValue + (numbers.isEmpty ? "" : " " + numbers)
    }
}
