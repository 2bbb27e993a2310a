import CPlatform
import Glibc
import Reactor

/// Returns the arguments of this process, without its name. Call it first of all.
package func programArguments() -> [SystemString] {
    var (count, words) = (CommandLine.argc, CommandLine.unsafeArgv)
    if count == 0 { words = c_arguments(&count) }
    return (1..<max(1, Int(count))).compactMap { words[$0].map { SystemString(copying: $0) } }
}

/// One pass of getopt_long(3) over a command line. Its state is global to the process: one scan at a time.
final class OptionScan {
    /// Whether an option takes an argument, as getopt_long(3) counts it.
    enum Kind: Int32 {
        case none = 0
        case required, optional
    }

    /// What the scan has found.
    enum Found: Equatable {
        /// An option by its code, with its argument.
        case option(Int32, SystemString?)
        case missingArgument(Int32)
        case unwantedArgument(Int32)
        /// An option as it is written, which is unknown or ambiguous.
        case unknown(String)
    }

    private let count: Int32
    private let words: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private var longs: [option] = []
    /// What the last step has left: the index of the next argument, and the option that is wrong.
    private var index: Int32 = 1
    private var wrong: Int32 = 0
    /// The codes of the short options.
    private var codes: [UInt8: Int32] = [:]
    /// A colon at its start makes a missing argument an outcome of its own.
    private var shorts = Array(":".utf8)
    /// Copies of texts, which live as long as the scan: getopt_long changes the sequence of `words`.
    private var copies: [UnsafeMutablePointer<CChar>?] = []

    init(_ program: String, _ arguments: [SystemString]) {
        count = Int32(clamping: arguments.count + 1)
        words = .allocate(capacity: arguments.count + 2)
        words.initialize(repeating: nil, count: arguments.count + 2)
        words[0] = copy(SystemString(program.utf8) ?? "")
        for (index, argument) in arguments.enumerated() { words[index + 1] = copy(argument) }
        c_begin_options()
    }

    deinit {
        words.deallocate()
        copies.forEach { free($0) }
    }

    /// Adds an option before the first call of `next`.
    func add(_ short: Character?, _ long: String?, _ kind: Kind, code: Int32) {
        if let short = short?.asciiValue {
            codes[short] = code
            shorts += [short] + [UInt8](repeating: UInt8(ascii: ":"), count: Int(kind.rawValue))
        }
        guard let long = long.flatMap({ SystemString($0.utf8) }) else { return }
        longs.append(option(name: copy(long), has_arg: kind.rawValue, flag: nil, val: code))
    }

    /// Returns the next option, or nil when only other arguments are left.
    func next() -> Found? {
        var argument: UnsafeMutablePointer<CChar>?
        let code = (shorts + [0]).map { CChar(bitPattern: $0) }.withUnsafeBufferPointer { shorts in
            (longs + [option()]).withUnsafeBufferPointer { longs in
                c_next_option(count, words, shorts.baseAddress, longs.baseAddress, &index, &argument, &wrong)
            }
        }
        switch code {
        case -1: return nil
        case Int32(UInt8(ascii: ":")): return .missingArgument(number(of: wrong))
        case Int32(UInt8(ascii: "?")): return failure
        default: return .option(number(of: code), argument.map { SystemString(copying: $0) })
        }
    }

    /// The arguments that are not options, after the last call of `next`.
    var rest: [SystemString] {
        (Int(index)..<max(Int(index), Int(count))).compactMap { words[$0].map { SystemString(copying: $0) } }
    }

    private var failure: Found {
        if wrong > UInt8.max { return .unwantedArgument(wrong) }
        if wrong != 0 { return .unknown("-" + String(lossless: [UInt8(truncatingIfNeeded: wrong)])) }
        let written = words[max(0, Int(index) - 1)].map { SystemString(copying: $0) }
        return .unknown(written?.description ?? "")
    }

    /// Returns the code of an option, which getopt_long may report as its character.
    private func number(of code: Int32) -> Int32 {
        UInt8(exactly: code).flatMap { codes[$0] } ?? code
    }

    private func copy(_ text: SystemString) -> UnsafeMutablePointer<CChar>? {
        let copy = text.withCString { strdup($0) }
        copies.append(copy)
        return copy
    }
}
