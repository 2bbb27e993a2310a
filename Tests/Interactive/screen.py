"""Output above the line in every state of the line: searching, completing, in a block, after a resize, in a flood."""

import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import termios
import time

import support
from support import connected, muxsh
from terminal import LIMIT, Server


def talkative(terminal):
    server = Server()
    connected(terminal, server)
    return server


def test_output_during_a_search_of_the_history():
    with muxsh() as terminal:
        server = talkative(terminal)
        terminal.line("print needle in the history")
        terminal.until_line("^needle in the history$")
        terminal.until_prompt()
        terminal.send("\x12need")
        terminal.until_line("needle in the history")
        server.say("news during the search\n")
        terminal.until_line("^a< news during the search$")
        terminal.until(lambda: "needle in the history" in terminal.lines()[-1] or "need" in terminal.lines()[-1], "the search")
        terminal.send("\r")
        terminal.until(lambda: terminal.lines().count("needle in the history") == 2, "the line that was found to run")
        terminal.until_prompt()


def test_output_during_a_completion_listing():
    with muxsh() as terminal:
        server = talkative(terminal)
        terminal.send("se\t")
        terminal.until_line("^send +send text")
        server.say("news\n")
        terminal.until_line("^a< news$")
        terminal.until_last("muxsh> se", below=True)
        terminal.send("t timeout 2s\r")
        terminal.until_prompt()


def test_output_during_a_block():
    with muxsh() as terminal:
        server = talkative(terminal)
        terminal.line("repeat 2 as i {")
        terminal.until_last(".....>     ")
        terminal.send("    print round")
        terminal.until_last(".....>     print round")
        server.say("news\n")
        terminal.until_line("^a< news$")
        terminal.until_last(".....>     print round")
        terminal.line(" ${i}")
        terminal.line("}")
        terminal.until_line("^round 2$")
        terminal.until_prompt()


def test_output_right_after_a_resize():
    with muxsh(columns=60) as terminal:
        server = talkative(terminal)
        line = "print " + "0123456789" * 7
        terminal.send(line)
        terminal.until(lambda: "".join(terminal.lines()).endswith("muxsh> " + line), "the line over two rows")
        for columns in (40, 70, 33, 90):
            terminal.resize(columns, 20)
            server.say(f"news at {columns}\n")
            terminal.until_line(f"^a< news at {columns}$")
            terminal.until(lambda: "".join(terminal.lines()).endswith(line), f"the line whole at {columns}")
        terminal.send("\r")
        terminal.until_line("0123456789" * 7)
        terminal.until_prompt()


def test_a_narrow_screen():
    with muxsh(columns=20, rows=10) as terminal:
        server = talkative_narrow(terminal)
        terminal.send("print a line that is longer than the screen")
        server.say("an answer that is longer than the screen\n")
        def squeezed():
            return "".join(terminal.lines()).replace(" ", "")

        terminal.until(lambda: squeezed().endswith("muxsh>printalinethatislongerthanthescreen"), "the line")
        terminal.until(lambda: "a<ananswerthatislongerthanthescreen" in squeezed(), "the answer")
        terminal.send("\x03")
        terminal.until_prompt()
        terminal.line("list")
        terminal.until_line("^NAME +STATE$")
        terminal.until_line("^a +open$")
        terminal.until_prompt()
        terminal.line("view hex")
        terminal.line("print ready")
        terminal.until_line("^ready$")
        server.say("hi\n")
        terminal.until(lambda: "a< 68 69  |hi|" in terminal.lines(), "the bytes")


def talkative_narrow(terminal):
    server = Server()
    terminal.line(f"open a :{server.port}")
    server.accept()
    terminal.until(lambda: "# a: connected" in "".join(terminal.lines()), "the connection")
    terminal.until_prompt()
    return server


def test_a_flood_is_drawn_in_order_and_the_prompt_once_after_it():
    with muxsh(columns=60) as terminal:
        server = talkative(terminal)
        terminal.send("pri")
        terminal.until_last("muxsh> pri")
        before = len(terminal.received)
        count = 990
        server.say(b"".join(b"line %d\n" % number for number in range(count)) + b"the end\n")
        terminal.send("nt typed during the flood")
        terminal.until(lambda: "a< the end" in terminal.lines(), "the end of the flood")
        terminal.until_last("muxsh> print typed during the flood")
        plain = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", terminal.received[before:])
        numbers = [int(number) for number in re.findall(rb"a< line (\d+)\r\n", plain)]
        missing = sorted(set(range(count)) - set(numbers))
        near = plain.find(b"line %d" % (missing[0] - 1)) if missing else 0
        assert numbers == list(range(count)), (missing, plain[near - 50 : near + 80])
        # The prompt is drawn once for many lines, not once for each.
        assert terminal.received[before:].count(b"muxsh> ") < count / 20
        terminal.send("\r")
        terminal.until_line("^typed during the flood$")


def test_what_servers_send_is_text_only():
    corpus = [
        b"\x00\x07\x08\x0b\x0c\x0e\x1b[31mred\x1b[0m",
        b"\x1b]0;title\x07 \x1bP+q\x1b\\ \x1b[2J\x1b[H",
        b"\x7f \xc2\x9b31m \xc2\x85 \xc2\x80",
        "\u202eright to left\u202c \u2066isolate\u2069 \u200e\u200f\u061c".encode(),
        b"\xff\xfe \xc3( \xed\xa0\x80 \xf8\x88\x80\x80\x80 \xf4\x90\x80\x80",
        "\u2028 line \u2029 separators \ufeff".encode(),
        b"carriage\rreturn",
    ]
    with muxsh(columns=120) as terminal:
        server = talkative(terminal)
        before = len(terminal.received)
        server.say(b"\n".join(corpus) + b"\nthe end\n")
        terminal.until_line("^a< the end$")
        terminal.until_prompt()
        shown = terminal.received[before:].decode()
        lines = [row.split("a< ", 1)[1] for row in shown.split("\r\n") if "a< " in row]
        assert len(lines) == len(corpus) + 1, lines
        for line in lines:
            text = line.split("\x1b")[0] if line.startswith("the end") else line.replace("\x1b[0m", "")
            for character in text.split("muxsh> ")[0]:
                assert character >= " " and not 0x7F <= ord(character) < 0xA0, (line, character)
                assert character not in "\u202e\u202c\u2066\u2069\u200e\u200f\u061c\u2028\u2029\ufeff", line


def test_a_crash_gives_the_terminal_back():
    with muxsh() as terminal:
        terminal.send("half a line")
        terminal.until_last("muxsh> half a line")
        raw = termios.tcgetattr(terminal.process.child_fd)[3]
        assert not raw & termios.ICANON
        os.kill(terminal.process.pid, signal.SIGSEGV)
        assert terminal.status() == -signal.SIGSEGV
        assert b"\x1b[?2004l\x1b[?25h" in terminal.received


def test_the_end_of_the_terminal_ends_it():
    terminal = muxsh()
    server = talkative(terminal)
    pid = terminal.process.pid
    os.close(terminal.process.child_fd)
    _, status = os.waitpid(pid, 0)
    assert os.WIFEXITED(status) and os.WEXITSTATUS(status) in (0, 129), status
    server.close()


def test_any_edit_with_output_in_between_leaves_the_line_whole():
    width, rows, prompt = 30, 12, "muxsh> "
    keys = {
        "left": "\x1b[D", "right": "\x1b[C", "home": "\x01", "end": "\x05", "erase": "\x7f", "delete": "\x1b[3~",
        "cut": "\x0b",
    }
    for seed in (1, 2, 3):
        chance = random.Random(seed)
        with muxsh(columns=width, rows=rows) as terminal:
            server = talkative_narrow(terminal)
            terminal.process.delaybeforesend = 0.003
            line, cursor, news = "", 0, 0
            for _ in range(40):
                for _ in range(chance.randrange(1, 8)):
                    key = chance.choice(["text"] * 6 + list(keys))
                    if key == "text":
                        text = "".join(chance.choice("abc DEF") for _ in range(chance.randrange(1, 6)))
                        terminal.send(text)
                        line, cursor = line[:cursor] + text + line[cursor:], cursor + len(text)
                        continue
                    terminal.send(keys[key])
                    if key == "left":
                        cursor = max(0, cursor - 1)
                    elif key == "right":
                        cursor = min(len(line), cursor + 1)
                    elif key == "home":
                        cursor = 0
                    elif key == "end":
                        cursor = len(line)
                    elif key == "erase" and cursor > 0:
                        line, cursor = line[: cursor - 1] + line[cursor:], cursor - 1
                    elif key == "delete":
                        line = line[:cursor] + line[cursor + 1 :]
                    elif key == "cut":
                        line = line[:cursor]
                # No more than fits on the screen: a longer line is shown through a window of its rows.
                if len(line) > width * (rows - 4):
                    terminal.send(keys["home"] + keys["cut"])
                    line, cursor = "", 0
                if chance.random() < 0.5:
                    news += 1
                    server.say(f"news {news}\n")
                shown = prompt + line
                wanted = [shown[start : start + width].rstrip() for start in range(0, len(shown), width)]
                if len(shown) % width == 0:
                    wanted.append("")
                place = divmod(len(prompt) + cursor, width)

                def is_whole():
                    screen = [row.rstrip() for row in terminal.screen.display]
                    top = terminal.screen.cursor.y - place[0]
                    return (
                        terminal.screen.cursor.x == place[1] and top >= 0 and screen[top : top + len(wanted)] == wanted
                        and not any(screen[top + len(wanted) :])
                        and (news == 0 or f"a< news {news}" in screen[:top]))

                terminal.until(is_whole, f"seed {seed}: {wanted} with the cursor at {place}")


def test_no_ghost_rows_after_shrinking_where_rows_stay_as_they_are():
    text = "print one two three four five six seven eight nine ten eleven twelve"
    with muxsh(columns=80, rows=24) as terminal:
        terminal.send(text)
        terminal.until_last("muxsh> " + text)
        for columns in (20, 80, 33, 80):
            terminal.resize(columns, 24)
            last = ("muxsh> " + text)[len("muxsh> " + text) // columns * columns:]
            terminal.until(
                lambda: "".join(terminal.lines()).endswith("muxsh> " + text) and terminal.typed() == last.rstrip(),
                f"the line at {columns} columns")
        assert [row for row in terminal.lines() if "print" in row] == ["muxsh> " + text], terminal.lines()
        terminal.send("\r")
        terminal.until_line("^one two three four five six seven eight nine ten eleven twelve$")


class Tmux:
    """muxsh in a real terminal multiplexer, which rewraps rows when its size changes."""

    def __init__(self, columns, rows):
        self.home = tempfile.mkdtemp(prefix="muxsh-tmux-")
        environment = ["env", "-i", f"HOME={self.home}", "TERM=screen-256color", "LC_ALL=C.UTF-8", "PATH=/usr/bin:/bin"]
        self.run("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), *environment, support.MUXSH)

    def run(self, *arguments):
        command = ["tmux", "-S", self.home + "/tmux", *arguments]
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": self.home}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment).stdout

    def lines(self):
        """Returns the rows of the screen and those above it."""
        return [row.rstrip() for row in self.run("capture-pane", "-p", "-S", "-").splitlines() if row.strip()]

    def resize(self, columns, rows):
        """Changes the size, and waits until the program could know it: tmux passes it on a moment later."""
        self.run("resize-window", "-x", str(columns), "-y", str(rows))
        end = time.monotonic() + LIMIT
        with open(self.run("display", "-p", "#{pane_tty}").strip(), "rb", buffering=0) as terminal:
            while os.get_terminal_size(terminal.fileno()) != (columns, rows):
                assert time.monotonic() < end, "the size never changed"

    def until(self, condition, what):
        end = time.monotonic() + LIMIT
        while not condition(self.lines()):
            assert time.monotonic() < end, f"never showed {what}: {self.lines()}"

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.run("kill-server")
        shutil.rmtree(self.home, ignore_errors=True)


def test_no_ghost_rows_after_shrinking_where_rows_are_rewrapped():
    text = "print one two three four five six seven eight nine ten eleven twelve"
    with Tmux(80, 24) as terminal:
        terminal.until(lambda rows: rows and rows[-1] == "muxsh>", "the prompt")
        terminal.run("send-keys", text)
        terminal.until(lambda rows: rows[-1] == "muxsh> " + text, "the line")
        for columns, rows in ((20, 5), (80, 24), (20, 5), (33, 10), (80, 24)):
            terminal.resize(columns, rows)
            terminal.until(lambda rows: "".join(rows).endswith("muxsh> " + text), f"the line at {columns}")
            # A key is handled after the change of the size.
            terminal.run("send-keys", "!")
            terminal.until(lambda rows: "".join(rows).endswith("muxsh> " + text + "!"), f"the key at {columns}")
            terminal.run("send-keys", "BSpace")
            terminal.until(lambda rows: "".join(rows).endswith("muxsh> " + text), f"the key gone at {columns}")
        assert [row for row in terminal.lines() if "one" in row or "three" in row] == ["muxsh> " + text], terminal.lines()
        assert terminal.lines()[0].startswith("# muxsh"), terminal.lines()
