import CPCRE2
import Glibc

/// The reason why a regex cannot be compiled.
package struct RegexError: Error {
    /// The message, from PCRE2 or from muxsh.
    package let message: String
    /// The byte offset of the error in the pattern.
    package let offset: Int
}

/// A compiled regular expression over bytes (PCRE2, pcre2api(3)).
///
/// It is always multi-line; `^` and `$` match at both LF and CRLF. Matching can be partial: a match that more data
/// could change is reported as partial (pcre2partial(3), hard), so a stream gives the same matches however it is
/// split.
package final class Regex {
    /// The outcome of a search.
    package enum Outcome: Equatable {
        /// The byte ranges of the whole match and of each group; nil for a group that did not participate.
        case match([Range<Int>?])
        /// More data could complete or lengthen a match that begins at `start`.
        case partial(start: Int)
        case none
        /// Only with `mayPause`: no match begins before this position, and the search must be continued there later.
        case paused(at: Int)
        /// The pattern needs more steps, time or memory than allowed.
        case limit(String)
    }

    /// The named groups with their numbers.
    package let groups: [(name: String, number: Int)]
    /// How many bytes before a match the pattern can examine: its lookbehind, and the bytes that `^` and `\b` examine.
    package let lookbehind: Int

    /// Whether a match can begin only at the start of a line.
    package let matchesAtLineStartOnly: Bool

    /// Whether the pattern contains CR or LF; otherwise PCRE2 skips CRLF as a unit.
    private let namesLineEnds: Bool
    /// Whether the pattern begins with (*UTF).
    private let isUTF: Bool
    private let code: OpaquePointer
    /// The code for incomplete data, if the pattern contains `^`. By default, PCRE2 matches `^` after a newline only if
    /// data follows and does not report that more data could change this; with PCRE2_ALT_CIRCUMFLEX it does.
    private let openCode: OpaquePointer?
    private let matchData: OpaquePointer
    private let context: OpaquePointer
    /// A larger stack for a pattern that needs one, for example for alternatives; JIT code has 32 KiB by default.
    private var jitStack: OpaquePointer?

    /// Compiles `pattern`; `flags` may contain `i`, `m` and `s`.
    package init(_ pattern: [UInt8], flags: String = "") throws(RegexError) {
        if let offset = Self.nonASCIIInClass(pattern) {
            throw RegexError(
                message: "non-ASCII letter in [ ]: patterns match bytes; write an alternative such as (?:ä|ö)",
                offset: offset)
        }
        if let offset = Self.startAnchor(pattern) {
            throw RegexError(
                message: "\\G is not supported; \\A matches at the start of the unread data", offset: offset)
        }
        let first = try Self.compile(pattern, options: Self.options(flags))
        var allOptions: UInt32 = 0
        pcre2_pattern_info_8(first, UInt32(PCRE2_INFO_ALLOPTIONS), &allOptions)
        isUTF = allOptions & PCRE2_UTF != 0
        // A stream can contain any bytes: invalid UTF-8 matches nothing and is not an error.
        let options = Self.options(flags) | (isUTF ? PCRE2_MATCH_INVALID_UTF : 0)
        code = isUTF ? try Self.compile(pattern, options: options) : first
        if isUTF { pcre2_code_free_8(first) }
        openCode =
            pattern.contains(UInt8(ascii: "^"))
            ? try? Self.compile(pattern, options: options | PCRE2_ALT_CIRCUMFLEX) : nil
        guard let matchData = pcre2_match_data_create_from_pattern_8(code, nil),
            let context = pcre2_match_context_create_8(nil)
        else { throw RegexError(message: "out of memory", offset: 0) }
        self.matchData = matchData
        self.context = context
        pcre2_set_heap_limit_8(context, 65_536)
        groups = Self.namedGroups(of: code)
        var maximum: UInt32 = 0
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_MAXLOOKBEHIND), &maximum)
        // PCRE2 counts lookbehind in characters.
        lookbehind = (isUTF ? 4 : 1) * (Int(maximum) + 2)
        var firstCode: UInt32 = 0
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_FIRSTCODETYPE), &firstCode)
        var hasLineEnd: UInt32 = 0
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_HASCRORLF), &hasLineEnd)
        namesLineEnds = hasLineEnd != 0
        matchesAtLineStartOnly = firstCode == 2 || allOptions & PCRE2_ANCHORED != 0
    }

    deinit {
        pcre2_match_context_free_8(context)
        pcre2_jit_stack_free_8(jitStack)
        pcre2_match_data_free_8(matchData)
        pcre2_code_free_8(code)
        pcre2_code_free_8(openCode)
    }

    /// Searches `bytes` from `start`.
    ///
    /// - Parameters:
    ///   - isWhole: whether `bytes` is complete: no data will follow, so a match is final.
    ///   - beginsLine: whether the first byte of `bytes` is the first byte of a line.
    ///   - mayPause: whether the search may stop after a tenth of a second to let other work run.
    package func search(
        _ bytes: UnsafeRawBufferPointer, from start: Int, isWhole: Bool, beginsLine: Bool, mayPause: Bool = false
    ) -> Outcome {
        // An incomplete character is left out; the bytes that follow decide what it is.
        let cut = isUTF && !isWhole ? Self.incompleteCharacter(at: bytes) : 0
        if cut > 0 {
            let front = UnsafeRawBufferPointer(rebasing: bytes[..<max(start, bytes.count - cut)])
            let outcome = searchFront(front, from: start, isWhole: false, beginsLine: beginsLine, mayPause: mayPause)
            return outcome == .none ? .partial(start: front.count) : outcome
        }
        return searchFront(bytes, from: start, isWhole: isWhole, beginsLine: beginsLine, mayPause: mayPause)
    }

    private func searchFront(
        _ bytes: UnsafeRawBufferPointer, from start: Int, isWhole: Bool, beginsLine: Bool, mayPause: Bool
    ) -> Outcome {
        guard !isWhole, let openCode else {
            return search(bytes, code, from: start, isWhole: isWhole, beginsLine: beginsLine, mayPause: mayPause)
        }
        let possible = search(
            bytes, openCode, from: start, isWhole: false, beginsLine: beginsLine, mayPause: mayPause)
        guard case .match(let groups) = possible, let whole = groups.first ?? nil else { return possible }
        let present = search(bytes, code, from: start, isWhole: false, beginsLine: beginsLine, mayPause: false)
        return present == possible ? present : .partial(start: whole.lowerBound)
    }

    /// Searches in passes of bounded cost and checks the time between them.
    ///
    /// PCRE2 limits the steps for each start position, but there may be millions of positions; bytes that `.*` skips do
    /// not count as steps; and PCRE2 cannot be interrupted. So each pass searches only one block of the subject, in
    /// which a match that could extend beyond the block is partial. Only the position at which a match or partial match
    /// begins is tried on the whole subject. If a block exceeds the step limit, fewer positions are tried in each pass,
    /// with more steps for each. After a tenth of a second, a search that has made enough progress pauses, and any
    /// other search is aborted: a pattern that makes progress does not take more than 200 ns for each position.
    private func search(
        _ bytes: UnsafeRawBufferPointer, _ code: OpaquePointer, from first: Int, isWhole: Bool, beginsLine: Bool,
        mayPause: Bool
    ) -> Outcome {
        let line = beginsLine ? 0 : UInt32(PCRE2_NOTBOL)
        var start = first
        var count = blockSize
        var clock: (stopwatch: Stopwatch, start: Int)?
        while true {
            let end = blockEnd(min(bytes.count, start + blockSize), in: bytes)
            let isLast = end == bytes.count
            pcre2_set_match_limit_8(context, UInt32(Self.stepLimit / count))
            pcre2_set_offset_limit_8(context, lastStart(from: start, count, in: bytes))
            let block = UnsafeRawBufferPointer(rebasing: bytes[..<end])
            let options = (isLast && isWhole ? 0 : PCRE2_PARTIAL_HARD) | line
            var result = match(block, isLast ? code : openCode ?? code, from: start, options)
            if !isLast, result > 0 || result == PCRE2_ERROR_PARTIAL {
                // Only the whole subject determines what begins here.
                start = matchStart(isPartial: result == PCRE2_ERROR_PARTIAL)
                pcre2_set_match_limit_8(context, UInt32(Self.stepLimit))
                pcre2_set_offset_limit_8(context, start)
                result = match(bytes, code, from: start, (isWhole ? 0 : PCRE2_PARTIAL_HARD) | line)
                if result == PCRE2_ERROR_NOMATCH {
                    start = position(start + 1, in: bytes)
                    result = 0
                }
            }
            switch result {
            case 0: break
            case PCRE2_ERROR_PARTIAL: return .partial(start: matchStart(isPartial: true))
            case 1...:
                let groups = ranges()
                // More data may lengthen an empty match at the end of the data so far.
                guard !isWhole, let whole = groups[0], whole.isEmpty, whole.lowerBound == bytes.count else {
                    return .match(groups)
                }
                return .partial(start: whole.lowerBound)
            case PCRE2_ERROR_NOMATCH:
                if isLast, start + count > bytes.count { return .none }
                start = position(min(start + count, end), in: bytes)
                count = min(2 * count, blockSize)
            case PCRE2_ERROR_MATCHLIMIT where count > 1: count /= 2
            default: return .limit(Self.message(for: result))
            }
            guard let (stopwatch, from) = clock else {
                clock = (Stopwatch(), start)
                continue
            }
            guard stopwatch.isOver() else { continue }
            guard start - from >= Self.minimumProgress else { return .limit("the search takes too long") }
            if mayPause { return .paused(at: start) }
            clock = nil
        }
    }

    /// Returns where the match begins; \K may have moved the reported start to a later position.
    private func matchStart(isPartial: Bool) -> Int {
        Int(isPartial ? pcre2_get_ovector_pointer_8(matchData)[0] : pcre2_get_startchar_8(matchData))
    }

    /// Returns `position`, or the next one at which a match can begin: not inside a character, nor inside a CRLF that
    /// PCRE2 treats as a unit.
    private func position(_ position: Int, in bytes: UnsafeRawBufferPointer) -> Int {
        isInsideLineEnd(position, in: bytes) && !namesLineEnds ? position + 1 : afterCharacter(position, in: bytes)
    }

    /// Returns the end of a block: `position`, or the next position that is not inside a character or CRLF.
    private func blockEnd(_ position: Int, in bytes: UnsafeRawBufferPointer) -> Int {
        isInsideLineEnd(position, in: bytes) ? position + 1 : afterCharacter(position, in: bytes)
    }

    /// Returns the last of `count` positions, or no limit if only the block limits them. PCRE2 (10.42, JIT) tries a
    /// limit inside CRLF, a position that it would otherwise skip.
    private func lastStart(from start: Int, _ count: Int, in bytes: UnsafeRawBufferPointer) -> Int {
        guard count < blockSize else { return Int(bitPattern: UInt.max) }
        let last = start + count - 1
        return last > start && isInsideLineEnd(last, in: bytes) ? last - 1 : last
    }

    private func isInsideLineEnd(_ position: Int, in bytes: UnsafeRawBufferPointer) -> Bool {
        position > 0 && position < bytes.count && bytes[position - 1] == UInt8(ascii: "\r")
            && bytes[position] == UInt8(ascii: "\n")
    }

    private func afterCharacter(_ position: Int, in bytes: UnsafeRawBufferPointer) -> Int {
        var end = position
        while isUTF, end < bytes.count, bytes[end] & 0xC0 == 0x80 { end += 1 }
        return end
    }

    private func match(
        _ bytes: UnsafeRawBufferPointer, _ code: OpaquePointer, from start: Int, _ options: UInt32
    ) -> Int32 {
        // PCRE2 requires a pointer even for an empty subject.
        let base = (bytes.baseAddress ?? UnsafeRawPointer(matchData)).assumingMemoryBound(to: UInt8.self)
        let result = pcre2_match_8(code, base, bytes.count, start, options, matchData, context)
        guard result == PCRE2_ERROR_JIT_STACKLIMIT, jitStack == nil else { return result }
        jitStack = pcre2_jit_stack_create_8(32 * 1024, 8 * 1024 * 1024, nil)
        pcre2_jit_stack_assign_8(context, nil, UnsafeMutableRawPointer(jitStack))
        return pcre2_match_8(code, base, bytes.count, start, options, matchData, context)
    }

    /// Returns how many bytes at the end begin a character that is still incomplete (RFC 3629).
    private static func incompleteCharacter(at bytes: UnsafeRawBufferPointer) -> Int {
        for count in 1...3 where count <= bytes.count {
            let byte = bytes[bytes.count - count]
            if byte < 0x80 { return 0 }
            if byte >= 0xC0 { return Escapes.scalarLength(byte) > count ? count : 0 }
        }
        return 0
    }

    /// How many bytes one pass of a search covers; from each of them it may examine all bytes that follow.
    var blockSize = 16 * 1024
    /// The maximum number of PCRE2 steps in one call.
    private static let stepLimit = 5_000_000
    /// The number of start positions that a search must advance in a tenth of a second.
    private static let minimumProgress = 500_000

    /// Measures a search by its CPU time, so a busy machine does not make a pattern too complex. Reading the CPU time
    /// is a system call of one microsecond, so the elapsed time, which needs no system call, is checked first.
    package struct Stopwatch {
        private let began = now(CLOCK_MONOTONIC)
        private let beganOnProcessor = now(CLOCK_THREAD_CPUTIME_ID)

        package init() {}

        /// Whether more than a tenth of a second, plus 200 ns for each of `bytes` bytes, has passed.
        package func isOver(after bytes: Int = 0) -> Bool {
            let budget = 100_000_000 + 200 * UInt64(bytes)
            return Self.now(CLOCK_MONOTONIC) - began > budget
                && Self.now(CLOCK_THREAD_CPUTIME_ID) - beganOnProcessor > budget
        }

        private static func now(_ clock: clockid_t) -> UInt64 {
            var time = timespec()
            clock_gettime(clock, &time)
            return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        }
    }

    private func ranges() -> [Range<Int>?] {
        let vector = pcre2_get_ovector_pointer_8(matchData)
        return (0..<Int(pcre2_get_ovector_count_8(matchData))).map { group in
            // PCRE2_UNSET is all ones, which is -1 here: the group did not participate.
            guard let vector, vector[2 * group] >= 0 else { return nil }
            let start = Int(vector[2 * group])
            // \K can set the start after the end.
            return start..<max(start, Int(vector[2 * group + 1]))
        }
    }

    private static func options(_ flags: String) -> UInt32 {
        var options = PCRE2_MULTILINE | PCRE2_USE_OFFSET_LIMIT
        if flags.contains("i") { options |= PCRE2_CASELESS }
        if flags.contains("s") { options |= PCRE2_DOTALL }
        return options
    }

    private static func compile(_ pattern: [UInt8], options: UInt32) throws(RegexError) -> OpaquePointer {
        guard let context = pcre2_compile_context_create_8(nil) else {
            throw RegexError(message: "out of memory", offset: 0)
        }
        defer { pcre2_compile_context_free_8(context) }
        pcre2_set_newline_8(context, UInt32(PCRE2_NEWLINE_ANYCRLF))
        var code: Int32 = 0
        var offset = 0
        guard let compiled = pcre2_compile_8(pattern, pattern.count, options, &code, &offset, context) else {
            throw RegexError(message: message(for: code), offset: offset)
        }
        pcre2_jit_compile_8(compiled, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD)
        return compiled
    }

    private static func namedGroups(of code: OpaquePointer) -> [(name: String, number: Int)] {
        var count: UInt32 = 0
        var entrySize: UInt32 = 0
        var table: UnsafePointer<UInt8>?
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMECOUNT), &count)
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMEENTRYSIZE), &entrySize)
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMETABLE), &table)
        guard let table else { return [] }
        // Each entry is the group's number in two bytes, followed by its name with a terminating NUL.
        return (0..<Int(count)).map { index in
            let entry = table + index * Int(entrySize)
            let number = Int(entry[0]) << 8 | Int(entry[1])
            return (String(cString: entry + 2), number)
        }
    }

    private static func message(for code: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = pcre2_get_error_message_8(code, &buffer, buffer.count)
        return count < 0 ? "error \(code)" : String(decoding: buffer.prefix(Int(count)), as: UTF8.self)
    }

    /// Returns the offset of `\G`, which would match wherever a search continues, or nil.
    private static func startAnchor(_ pattern: [UInt8]) -> Int? {
        var index = 0
        while index + 1 < pattern.count {
            guard pattern[index] == UInt8(ascii: "\\") else {
                index += 1
                continue
            }
            if pattern[index + 1] == UInt8(ascii: "G") { return index }
            index += 2
        }
        return nil
    }

    /// Returns the offset of the first non-ASCII byte inside `[ ]`, where it would match a single byte of a character,
    /// or nil.
    private static func nonASCIIInClass(_ pattern: [UInt8]) -> Int? {
        var isInClass = false
        var index = 0
        while index < pattern.count {
            switch pattern[index] {
            case UInt8(ascii: "\\"): index += 1
            case UInt8(ascii: "["): isInClass = true
            case UInt8(ascii: "]"): isInClass = false
            case 0x80... where isInClass: return index
            default: break
            }
            index += 1
        }
        return nil
    }
}
