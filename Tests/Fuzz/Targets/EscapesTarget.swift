import Script

/// Text in the script's notation represents the same bytes when it is parsed, and nothing in it acts on a terminal.
enum EscapesTarget: FuzzTarget {
    static func run(_ input: [UInt8]) {
        for isPart in [false, true] {
            let text = Escapes.escaped(input, isPart: isPart)
            require(!text.unicodeScalars.contains(where: isAbleToAct), "an escape acts on the terminal")
            var written = Array(text.utf8)
            if isPart { written.removeLast() }
            var read: [UInt8] = []
            var index = 0
            while index < written.count {
                if written[index] == UInt8(ascii: "\\") {
                    guard let bytes = try? Escapes.decode(written, at: &index) else {
                        fatalError("an escape of ours cannot be read")
                    }
                    read += bytes
                } else {
                    read.append(written[index])
                    index += 1
                }
            }
            require(read == input, "an escaped text means something else")
        }
        var index = 0
        while index < input.count {
            let before = index
            guard input[index] == UInt8(ascii: "\\") else {
                index += 1
                continue
            }
            if (try? Escapes.decode(input, at: &index)) == nil { index = before + 1 }
            require(index > before && index <= input.count, "decoding does not get on")
        }
    }
}
