import Script

/// The functions of `${name:function}`: bytes to bytes, without I/O and without state.
package enum Functions {
    /// The value cannot be passed to the function, or an argument is out of range.
    package struct Failure: Error {
        package let message: String
    }

    /// The largest result, in bytes; a longer value could not be kept anyway.
    private static let maximum = 64 << 20

    /// Returns the result of `function`. `arguments` has as many elements as `function.arguments`.
    ///
    /// `outputLimit` is the largest size of decompressed data. A 16 MiB value costs one pass, `length` none.
    package static func apply(
        _ function: ValueFunction, to value: [UInt8], _ arguments: [[UInt8]], outputLimit: Int
    ) throws(Failure) -> [UInt8] {
        let call = Call(function: function, value: value, arguments: arguments)
        return switch function.group {
        case .text: try call.text(maximum: maximum)
        case .question: call.answer
        case .encoding: try call.encoding()
        case .number: try call.number()
        case .digest: try call.digest()
        case .compression: try call.compression(limit: outputLimit)
        case .structure: try call.element()
        case .time: try call.duration()
        }
    }
}

/// One application of a function.
struct Call {
    let function: ValueFunction
    let value: [UInt8]
    let arguments: [[UInt8]]

    /// A whole number among the arguments.
    func integer(_ index: Int) throws(Functions.Failure) -> Int {
        if let problem = function.problem(with: arguments[index], at: index) {
            throw Functions.Failure(message: problem)
        }
        return Literals.integer(arguments[index]) ?? 0
    }

    /// A failure that names the function and shows the value.
    func failure(_ problem: String) -> Functions.Failure {
        Functions.Failure(message: "\(function.rawValue): '\(shown)' \(problem)")
    }

    /// The value in one line; a long one is cut after 60 bytes.
    private var shown: String {
        value.count > 60 ? "\(Escapes.visible(value.prefix(60)))…" : Escapes.visible(value)
    }
}
