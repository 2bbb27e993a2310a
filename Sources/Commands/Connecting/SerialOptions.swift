import Results
import Script
import VM
import Wire

/// The options of `open` for a serial line.
struct SerialOptions {
    private let values: [String: Value<[UInt8]>]
    /// The first of these options that is given, for errors.
    let first: String?

    static var all: [CommandOption] {
        [
            CommandOption(
                "--baud", Parameter("N", .choice(SerialSettings.knownSpeeds.map(String.init))),
                "speed of a serial line (115200)"),
            CommandOption(
                "--parity", Parameter("P", .choice(SerialSettings.Parity.allCases.map(\.rawValue))),
                "parity of a serial line: none, even or odd"),
            CommandOption("--data-bits", Parameter("N", .choice(["5", "6", "7", "8"])), "data bits in a byte (8)"),
            CommandOption("--stop-bits", Parameter("N", .choice(["1", "2"])), "stop bits after a byte (1)"),
            CommandOption(
                "--flow", Parameter("F", .choice(SerialSettings.FlowControl.allCases.map(\.rawValue))),
                "flow control: none, hardware (RTS, CTS) or software (XON, XOFF)"),
        ]
    }

    init(_ call: CommandCall) {
        let given = Self.all.compactMap { option in
            call.value(ofOption: option.name).flatMap { argument in
                option.parameter.map { (option.name, Value(argument, $0.kind) { $0 }) }
            }
        }
        values = Dictionary(given) { first, _ in first }
        first = given.first?.0
    }

    func evaluate(in strand: Strand) throws(Failure) -> SerialSettings {
        func text(_ name: String) throws(Failure) -> String? {
            try values[name].map { value throws(Failure) in
                String(decoding: try value.evaluate(in: strand), as: UTF8.self)
            }
        }
        var settings = SerialSettings()
        settings.speed = try text("--baud").flatMap { Int($0) } ?? settings.speed
        settings.parity = try text("--parity").flatMap { SerialSettings.Parity(rawValue: $0) } ?? settings.parity
        settings.dataBits = try text("--data-bits").flatMap { Int($0) } ?? settings.dataBits
        settings.stopBits = try text("--stop-bits").flatMap { Int($0) } ?? settings.stopBits
        settings.flow = try text("--flow").flatMap { SerialSettings.FlowControl(rawValue: $0) } ?? settings.flow
        return settings
    }
}
