"""Random keys at the prompt: all keys, in all modes, in tiny windows that change size. Nothing may crash or hang.

Usage: random_keys.py MUXSH ECHOD [COUNT [FIRST]] runs COUNT sessions beginning with the seed FIRST. Each can be
repeated with its seed. scripts/fuzz/run keys runs them with the address sanitizer.
"""

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


def main():
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    first = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    failed = 0
    for seed in range(first, first + count):
        try:
            session(seed)
        except Exception as error:
            failed += 1
            print(f"seed {seed}: {error}", flush=True)
    print(f"{count - failed} sessions of random keys passed, {failed} failed")
    return 1 if failed else 0


def test_random_keys_do_no_harm():
    for seed in range(1, 21):
        session(seed)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(main())
