/// The line ending sent after a line.
package enum LineEnding: String, CaseIterable {
    case lf, crlf, cr, nul, none

    package var bytes: [UInt8] {
        switch self {
        case .lf: [0x0A]
        case .crlf: [0x0D, 0x0A]
        case .cr: [0x0D]
        case .nul: [0]
        case .none: []
        }
    }
}
