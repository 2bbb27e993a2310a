import CPCRE2
import Glibc

/// Why a regex cannot be compiled.
package struct RegexError: Error {
    /// In PCRE2's words or ours.
    package let message: String
    /// The byte of the pattern where it shows.
    package let offset: Int
}

/// A compiled regular expression over bytes (PCRE2, pcre2api(3)).
///
/// It is always multi-line with `^` and `$` at LF and CRLF alike. Matching can be partial: a match that more data
/// could change is reported as such (pcre2partial(3), hard), so that a stream gives the same matches in any split.
package final class Regex {
    /// What a search found.
    package enum Outcome: Equatable {
        /// The byte ranges of the whole match and of each group; nil for a group that took no part.
        case match([Range<Int>?])
        /// More data could make or lengthen a match that begins here.
        case partial(start: Int)
        case none
        /// Only with `mayPause`: no match begins before this position, and the search is to go on there later.
        case paused(at: Int)
        /// The pattern needs more steps or memory than it is allowed.
        case limit(String)
    }

    /// The named groups with their numbers.
    package let groups: [(name: String, number: Int)]
    /// How many bytes before a match the pattern can look at: its look-behind, and what `^` and `\b` see besides.
    package let lookbehind: Int

    /// Whether a match can only begin where a line begins.
    package let matchesAtLineStartOnly: Bool

    /// Whether CR or LF stand in the pattern: otherwise PCRE2 passes over CRLF as one.
    private let namesLineEnds: Bool
    /// Whether the pattern begins with (*UTF).
    private let isUTF: Bool
    private let code: OpaquePointer
    /// The same for data that is not all there, when `^` stands in the pattern: PCRE2 lets it match after a newline only
    /// where something follows, and would not say that more data could change that (PCRE2_ALT_CIRCUMFLEX does).
    private let openCode: OpaquePointer?
    private let matchData: OpaquePointer
    private let context: OpaquePointer
    /// Compiled code has 32 KiB of stack of its own; a pattern with alternatives may need more, and then has this.
    private var jitStack: OpaquePointer?

    /// Compiles `pattern` with `flags` of `i`, `m` and `s`.
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
        // In a stream anything may come: what is no UTF-8 matches nothing, and is no error.
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
        // Look-behind is counted in characters.
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

    /// Searches `bytes` from `start` on.
    ///
    /// - Parameters:
    ///   - isWhole: nothing will follow `bytes`, so that a match counts as it is.
    ///   - beginsLine: whether the first byte of `bytes` is the first of a line.
    ///   - mayPause: it may stop after a tenth of a second, so that others have their turn.
    package func search(
        _ bytes: UnsafeRawBufferPointer, from start: Int, isWhole: Bool, beginsLine: Bool, mayPause: Bool = false
    ) -> Outcome {
        // A character that is not whole yet is none; what follows decides what it is.
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

    /// Searches in steps of a bounded cost, and looks at the time between them.
    ///
    /// PCRE2 limits the steps of each start position, and there may be millions of them; what `.*` passes over is no step;
    /// and it cannot be interrupted. So a step looks at one block of the subject alone, where a match that could reach
    /// beyond it is a partial one; only the position that this begins at is tried on all of the subject. Where the steps
    /// of a block do not suffice, fewer positions are tried at a time, with more steps for each. After a tenth of a second
    /// a search that has come far pauses, and one that has not is given up: more than 200 ns for each position is not what
    /// a pattern costs that gets on.
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
                // Only all of the subject says what begins here.
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
                // What is met by nothing at the end of what has come may be met by more of what comes.
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

    /// Where the match that was found begins; \K may have set what counts as its start behind that.
    private func matchStart(isPartial: Bool) -> Int {
        Int(isPartial ? pcre2_get_ovector_pointer_8(matchData)[0] : pcre2_get_startchar_8(matchData))
    }

    /// `position`, or the next one at which a match can begin: not inside of a character, nor of CRLF as PCRE2 reads it.
    private func position(_ position: Int, in bytes: UnsafeRawBufferPointer) -> Int {
        isInsideLineEnd(position, in: bytes) && !namesLineEnds ? position + 1 : afterCharacter(position, in: bytes)
    }

    /// Where a block ends that would end at `position`.
    private func blockEnd(_ position: Int, in bytes: UnsafeRawBufferPointer) -> Int {
        isInsideLineEnd(position, in: bytes) ? position + 1 : afterCharacter(position, in: bytes)
    }

    /// The last of `count` positions, or none where the block ends them all. A limit inside of CRLF is tried by PCRE2 (10.42,
    /// JIT) where it would pass over it without.
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
        // PCRE2 wants a pointer also to an empty subject.
        let base = (bytes.baseAddress ?? UnsafeRawPointer(matchData)).assumingMemoryBound(to: UInt8.self)
        let result = pcre2_match_8(code, base, bytes.count, start, options, matchData, context)
        guard result == PCRE2_ERROR_JIT_STACKLIMIT, jitStack == nil else { return result }
        jitStack = pcre2_jit_stack_create_8(32 * 1024, 8 * 1024 * 1024, nil)
        pcre2_jit_stack_assign_8(context, nil, UnsafeMutableRawPointer(jitStack))
        return pcre2_match_8(code, base, bytes.count, start, options, matchData, context)
    }

    /// How many bytes at the end are the front of a character whose rest has not come (RFC 3629).
    private static func incompleteCharacter(at bytes: UnsafeRawBufferPointer) -> Int {
        for count in 1...3 where count <= bytes.count {
            let byte = bytes[bytes.count - count]
            if byte < 0x80 { return 0 }
            if byte >= 0xC0 { return Escapes.scalarLength(byte) > count ? count : 0 }
        }
        return 0
    }

    /// How many bytes one step of a search looks at: from each of them it may look at all that follow.
    var blockSize = 16 * 1024
    /// Steps of PCRE2 that one call may take.
    private static let stepLimit = 5_000_000
    /// Start positions that a search has to get on by in a tenth of a second.
    private static let minimumProgress = 500_000

    /// Measures a search: its processor time counts, so that a busy machine does not make a pattern too complex. That is
    /// a system call of a microsecond, so the time that has passed is looked at first, which is none.
    package struct Stopwatch {
        private let began = now(CLOCK_MONOTONIC)
        private let beganOnProcessor = now(CLOCK_THREAD_CPUTIME_ID)

        package init() {}

        /// Whether a tenth of a second is over, and 200 ns for each of so many bytes besides.
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
            // PCRE2_UNSET is all ones, which is -1 here: the group took no part.
            guard let vector, vector[2 * group] >= 0 else { return nil }
            let start = Int(vector[2 * group])
            // \K can set the start behind the end.
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
        // Each entry: the group's number in two bytes, then its name up to a NUL.
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

    /// Where `\G` stands, which would match wherever a search goes on.
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

    /// The first byte above ASCII inside `[ ]`, where it would stand for a single byte of a character.
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
