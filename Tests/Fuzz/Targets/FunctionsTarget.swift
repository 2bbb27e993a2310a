import Functions
import Script

/// Expansions with functions are parsed without a trap, and every function takes any value: bounded, and there and back.
enum FunctionsTarget: FuzzTarget {
    static func run(_ input: [UInt8]) {
        for error in parse([Array("print ${v:".utf8) + input.filter { $0 != 0x0A } + Array("}".utf8)]).errors {
            require(error.rendered.hasSuffix("\n"), "an error without an end")
        }
        guard let first = input.first else { return }
        let function = ValueFunction.allCases[Int(first) % ValueFunction.allCases.count]
        let value = Array(input.dropFirst())
        let arguments = function.arguments.map { argument -> [UInt8] in
            if case .number = argument { [UInt8(ascii: "1") + first % 9] } else { Array(value.suffix(3)) }
        }
        let result = try? Functions.apply(function, to: value, arguments, outputLimit: 1 << 16)
        if [.fromGzip, .fromZlib].contains(function) {
            require(result?.count ?? 0 <= 1 << 16, "the result is too large")
        }
        guard let result, let inverse = ValueFunction(rawValue: "from-" + function.rawValue) else { return }
        let back = try? Functions.apply(inverse, to: result, [], outputLimit: 64 << 20)
        require(function.group == .number || back == value, "\(function.rawValue) and back is another value")
    }
}
