import CTelnet

/// A telnet command (RFC 854, RFC 1184): one byte after IAC, and an option where it negotiates one.
package struct TelnetCommand: Equatable, Sendable {
    package let code: UInt8
    package let option: UInt8?

    private static let commands: [(name: String, code: Int32)] = [
        ("IP", TELNET_IP), ("AO", TELNET_AO), ("AYT", TELNET_AYT), ("EC", TELNET_EC), ("EL", TELNET_EL),
        ("GA", TELNET_GA), ("BREAK", TELNET_BREAK), ("DM", TELNET_DM), ("NOP", TELNET_NOP), ("EOR", TELNET_EOR),
        ("ABORT", TELNET_ABORT), ("SUSP", TELNET_SUSP), ("EOF", TELNET_EOF),
    ]
    private static let negotiations: [(name: String, code: Int32)] = [
        ("WILL", TELNET_WILL), ("WONT", TELNET_WONT), ("DO", TELNET_DO), ("DONT", TELNET_DONT),
    ]
    private static let options: [(name: String, code: Int32)] = [
        ("BINARY", TELNET_TELOPT_BINARY), ("ECHO", TELNET_TELOPT_ECHO), ("SGA", TELNET_TELOPT_SGA),
        ("STATUS", TELNET_TELOPT_STATUS), ("TM", TELNET_TELOPT_TM), ("TTYPE", TELNET_TELOPT_TTYPE),
        ("NAWS", TELNET_TELOPT_NAWS), ("TSPEED", TELNET_TELOPT_TSPEED), ("LFLOW", TELNET_TELOPT_LFLOW),
        ("LINEMODE", TELNET_TELOPT_LINEMODE), ("XDISPLOC", TELNET_TELOPT_XDISPLOC),
        ("ENVIRON", TELNET_TELOPT_ENVIRON), ("NEW-ENVIRON", TELNET_TELOPT_NEW_ENVIRON),
    ]

    /// The commands without an option, as they are written.
    package static let names = commands.map(\.name)

    /// Parses `IP`, `AYT`, … or `WILL ECHO`, where the option is a name or a number; nil for anything else.
    package init?(_ text: [UInt8]) {
        let words = String(decoding: text, as: UTF8.self).uppercased().split(separator: " ")
        guard let name = words.first else { return nil }
        if words.count == 1, let command = Self.commands.first(where: { $0.name == name }) {
            (code, option) = (UInt8(command.code), nil)
        } else if words.count == 2, let command = Self.negotiations.first(where: { $0.name == name }),
            let number = Self.options.first(where: { $0.name == words[1] }).map({ UInt8($0.code) }) ?? UInt8(words[1])
        {
            (code, option) = (UInt8(command.code), number)
        } else {
            return nil
        }
    }

    /// Returns the name of an option, or its number.
    static func name(ofOption option: UInt8) -> String {
        options.first { $0.code == Int32(option) }?.name ?? String(option)
    }
}
