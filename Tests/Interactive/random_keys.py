"""Random keys at the prompt: all keys, in all modes, in tiny windows that change size. Nothing may crash or hang. And
under a talking server: what is painted must be what a fresh painting shows, and no line may be lost or doubled.

Usage: random_keys.py MUXSH ECHOD [COUNT [FIRST [keys|redraw]]] runs COUNT sessions beginning with the seed FIRST. Each
can be repeated with its seed. scripts/fuzz keys runs them with the address sanitizer, scripts/fuzz COUNT prompt many of
the second kind.
"""

import concurrent.futures
import functools
import os
import random
import re
import signal
import sys

SIZES = ((80, 24), (20, 2), (5, 1), (3, 3), (2, 3), (1, 1), (9, 5), (300, 3), (40, 10), (10, 50))
WORDS = ("print ", "open ", "a> ", "let x ", "{", "}", "help\r", "history\r", "\\", "<<END", '"', "'", "${", "talk *", "x" * 60)
TEXTS = ("é", "你好", "😀", "e\u0301", "\u200d", "\u202e", "\t", "~", "#")
SEQUENCES = (
    "[A", "[B", "[C", "[D", "[H", "[F", "OH", "OF", "[1~", "[4~", "[3~", "[5~", "[6~", "[1;5C", "[1;5D", "[1;2A", "[15~",
    "[<0;5;5M", "[", "O", "[200", "[?1;2c",
)
# Keys that end or stop the program are excluded: ^D (on an empty line), ^Z, ^\.
CONTROLS = [byte for byte in range(0x20) if byte not in (0x04, 0x1A, 0x1C)] + [0x7F]


def key(source):
    """Returns the bytes of one key, or of a few related keys."""
    kind = source.randrange(12)
    if kind < 3:
        return bytes(source.choices(range(0x20, 0x7F), k=source.randrange(1, 12)))
    if kind == 3:
        return source.choice(WORDS).encode()
    if kind == 4:
        return source.choice(TEXTS).encode()
    if kind == 5:
        return bytes([source.randrange(0x80, 0x100)])
    if kind < 8:
        return bytes([source.choice(CONTROLS)])
    if kind == 8:
        return b"\x1b" + source.choice(SEQUENCES).encode()
    if kind == 9:
        return b"\x1b" + bytes([source.choice([byte for byte in range(0x7F) if byte not in (0x04, 0x1A, 0x1C)])])
    if kind == 10:
        # After ^V the first byte of its mark is text, and the following bytes are keys.
        kept = [byte for byte in range(0x100) if byte not in (0x03, 0x04, 0x1A, 0x1B, 0x1C)]
        text = bytes(source.choices(kept, k=source.choice((3, 30, 3000))))
        return b"\x1b[200~" + text + (b"\x1b[201~" if source.random() < 0.8 else b"")
    # A number before a key, and the same key many times.
    return source.choice((b"\x1b" + str(source.randrange(1, 400)).encode() + b"x", b"y" * source.randrange(300), b"\x16\x03"))


def session(seed):
    """Sends random keys to one prompt; fails if it does not respond afterwards."""
    from support import muxsh

    source = random.Random(seed)
    columns, rows = source.choice(SIZES)
    with muxsh() as terminal:
        home = terminal.home
        modes = source.choice(("", "bind -v\n", "bind -e\n"))
        open(home + "/.editrc", "w").write(modes)
        with muxsh(home=home) as prompt:
            prompt.resize(columns, rows)
            # Type fast, but not so fast that all keys arrive in one read.
            prompt.process.delaybeforesend = 0.003
            for _ in range(source.randrange(20, 120)):
                prompt.process.send(key(source))
                prompt.read(0)
                if source.random() < 0.05:
                    prompt.resize(*source.choice(SIZES))
            prompt.resize(80, 24)
            alive(prompt, seed)


def alive(prompt, seed):
    # After an ESC or ^V the first ^C may be text; another one may only end a search or a pager.
    for _ in range(3):
        prompt.process.send(b"\x03")
    prompt.process.send(b"print alive-%d\r" % seed)
    shown = re.compile(b"(?:^|\n|\x1b\\[K|\r)alive-%d\r?\n" % seed)
    prompt.until(lambda: shown.search(prompt.received), f"that it is alive behind the keys of seed {seed}")


WIDE = ((80, 24), (40, 10), (20, 8), (60, 5), (33, 12), (250, 20))
STARTS = ("", "print ", "set ", "open b 127.", "repeat 2 {\r", "a> ", "talk a\r", ":", "close ", "print ${", "x" * 70, "print 你好é ")
CLEAR = b"\x1b[H\x1b[2J"


def drawing_key(source):
    """Returns a key, or a few, after which the prompt still reads a line."""
    kind = source.randrange(20)
    if kind < 5:
        return bytes(source.choices(b"abcdefghijklmnopqrstuvwxyz {}0123456789", k=source.randrange(1, 30)))
    if kind < 8:
        return source.choice(STARTS).encode()
    if kind == 8:
        return source.choice(("é", "你", "~", "\x16\t")).encode()
    if kind < 11:
        return source.choice((b"\t", b"\t\t", b"\x1b[Z", b"\x07", b"\x12", b"\x12a\x12", b"\x1f"))
    if kind < 13:
        return source.choice((b"\x01", b"\x05", b"\x17", b"\x15", b"\x0b", b"\x7f", b"\x7f\x7f\x7f", b"\x08"))
    if kind < 16:
        return b"\x1b" + source.choice(("[A", "[B", "[C", "[D", "[H", "[F", "b", "f", "d", "1", "[1;3C")).encode()
    if kind == 16:
        return source.choice((b"\r", b"\r", b"\x03"))
    return b"\x1b[200~" + source.choice((b"pasted", b"one\ntwo", b"repeat 1 {\nprint x\n", b"w" * 90)) + b"\x1b[201~"


class Drawing:
    """A prompt under a talking server, whose screen is compared with a fresh painting of it."""

    def __init__(self, seed, prompt, server, source):
        self.seed, self.prompt, self.server, self.source = seed, prompt, server, source
        self.said = self.seen = self.last = 0

    def say(self):
        self.said += 1
        self.server.say(f"@{self.said}@" + ("\n" if self.source.random() < 0.8 else ""))

    def round(self, number):
        for _ in range(self.source.randrange(1, 10)):
            self.prompt.process.send(drawing_key(self.source))
            for _ in range(self.source.choice((0, 0, 1, 3))):
                self.say()
            self.prompt.read(0)
        mark = f"mark{self.seed}.{number}"
        self.server.say(f"\n{mark}\n")
        self.until(lambda: f"a< {mark}" in self.prompt.all_lines(), f"the line {mark}")
        # Output repaints all rows; keys only what they change. A plain key ends what ESC may have begun.
        for _ in range(self.source.randrange(3)):
            self.prompt.process.send(drawing_key(self.source))
        self.last += 1
        text = f"ZQ{self.last}Y"
        self.prompt.process.send(text)
        self.until(lambda: self.shows(text[1:]), f"the text {text}")
        heard = [int(text) for text in re.findall(r"@(\d+)@", "".join(self.prompt.all_lines()))]
        new = [count for count in heard if count > self.seen]
        wanted = list(range(self.seen + 1, self.said + 1))
        assert new == wanted, f"seed {self.seed}: not each line once in order: {new}, {wanted}"
        self.seen = self.said
        self.compare()

    def shows(self, text):
        """Whether the screen shows a text, also over the end of a row, and no painting is under way."""
        received = self.prompt.received
        return text in "".join(self.prompt.lines()) and received.count(b"\x1b[?25l") == received.count(b"\x1b[?25h")

    def until(self, condition, what):
        self.prompt.until(condition, f"{what} of seed {self.seed}")

    def compare(self):
        prompt, screen = self.prompt, self.prompt.screen
        before, cursor = prompt.lines(), (screen.cursor.y, screen.cursor.x)
        count = prompt.received.count(CLEAR)
        prompt.process.send("\x0c")
        self.until(lambda: prompt.received.count(CLEAR) > count, "the screen to be cleared")
        self.until(lambda: self.shows(f"Q{self.last}Y"), "the new painting")
        after, place = prompt.lines(), (screen.cursor.y, screen.cursor.x)
        # A search shows its list again, a completion does not; a window into many rows may be another one.
        if len(after) >= screen.lines:
            return
        start = cursor[0] - place[0]
        shown = before[start:start + len(after)]
        assert shown == after and cursor[1] == place[1], (
            f"seed {self.seed}: was {shown} {cursor}, is {after} {place}: {before}")


def redraw(seed):
    """Sends random keys to a prompt while a server talks, and compares the screen now and then."""
    from support import muxsh
    from terminal import Server

    source = random.Random(seed)
    columns, rows = source.choice(WIDE)
    options, variables = source.choice((([], {}), ([], {}), (["--color", "never"], {}), ([], {"TERM": "vt100"})))
    server = Server()
    with muxsh(*options, columns=columns, rows=rows, **variables) as prompt:
        prompt.process.delaybeforesend = 0.002
        prompt.line(f"open a 127.0.0.1:{server.port}")
        server.accept()
        prompt.until(lambda: "connected to" in "".join(prompt.all_lines()), "the connection")
        drawing = Drawing(seed, prompt, server, source)
        for number in range(8):
            drawing.round(number)


def problem(kind, seed):
    """Runs a session; returns its problem, or None."""
    try:
        kind(seed)
        return None
    except Exception as error:  # every session is reported, whatever exception it raises
        return f"seed {seed}: {error}"


def main():
    kind = redraw if sys.argv[5:] == ["redraw"] else session
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    first = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    with concurrent.futures.ProcessPoolExecutor(2 * (os.cpu_count() or 1)) as workers:
        problems = list(workers.map(functools.partial(problem, kind), range(first, first + count)))
    found = [text for text in problems if text]
    for text in found:
        print(text, flush=True)
    print(f"{count - len(found)} sessions of random keys passed, {len(found)} failed")
    return 1 if found else 0


def test_random_keys_leave_what_a_fresh_painting_shows():
    for seed in range(1, 26):
        redraw(seed)


def test_random_keys_do_no_harm():
    for seed in range(1, 21):
        session(seed)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(main())
