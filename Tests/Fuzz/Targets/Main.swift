import Glibc

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

// libFuzzer's callback captures nothing; there is only one thread.
nonisolated(unsafe) private var chosen: any FuzzTarget.Type = LexerTarget.self

/// Passes the target named by FUZZ_TARGET to libFuzzer, with its options (LLVM, LibFuzzer).
@main
struct Fuzz {
    /// The target that FUZZ_TARGET names.
    private static var named: any FuzzTarget.Type {
        guard let name = getenv("FUZZ_TARGET"), let target = fuzzTargets[String(cString: name)] else {
            fatalError("FUZZ_TARGET is one of \(fuzzTargets.keys.sorted().joined(separator: ", "))")
        }
        return target
    }

    static func main() {
        if CommandLine.arguments.contains("--list") {
            print(fuzzTargets.keys.sorted().joined(separator: " "))
            return
        }
        signal(SIGPIPE, SIG_IGN)
        chosen = named
        var count = CommandLine.argc
        var arguments = CommandLine.unsafeArgv
        exit(
            runDriver(&count, &arguments) { data, count in
                chosen.run(Array(UnsafeBufferPointer(start: data, count: count)))
                return 0
            })
    }
}
