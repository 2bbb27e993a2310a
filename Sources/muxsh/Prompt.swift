import Engine
struct Prompt { let shell: Shell; init(_ s: Shell) { shell = s }
 func run() -> Int32 { 0 }
 func run(continuing: Interpreter, status: Int32) -> Int32 { 0 } }
