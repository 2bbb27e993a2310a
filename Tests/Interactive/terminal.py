"""A program on a real pseudo-terminal, with its screen maintained by an emulator.

Tests wait for screen contents, never for time: `until` reads until a condition holds, and fails with the whole screen
when it does not hold within a generous limit.
"""

import os
import re
import select
import shutil
import socket
import tempfile
import time

import pexpect
import pyte

LIMIT = float(os.environ.get("MUXSH_TEST_LIMIT", "30"))


class Screen(pyte.HistoryScreen):
    """pyte's screen, which does not expect what vim sends for keys with modifiers (CSI > 4 ; 2 m)."""

    def select_graphic_rendition(self, *attributes, private=False):
        if not private:
            super().select_graphic_rendition(*attributes)


class Terminal:
    """muxsh (or another program) on a pseudo-terminal of a given size."""

    def __init__(self, arguments, columns=90, rows=20, home=None, **environment):
        self.home = home or tempfile.mkdtemp(prefix="muxsh-interactive-")
        self.owns_home = home is None
        variables = {
            "PATH": "/usr/bin:/bin",
            "HOME": self.home,
            "XDG_STATE_HOME": self.home + "/state",
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
        }
        # Sanitizers and scripts/coverage are set up for all programs of a run.
        for name in ("ASAN_OPTIONS", "TSAN_OPTIONS", "LLVM_PROFILE_FILE"):
            if name in os.environ:
                variables[name] = os.environ[name]
        variables.update(environment)
        self.screen = Screen(columns, rows, history=10000)
        self.stream = pyte.ByteStream(self.screen)
        self.received = b""
        self.process = pexpect.spawn(
            arguments[0], arguments[1:], dimensions=(rows, columns), env=variables, timeout=LIMIT, echo=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.close(force=True)
        if self.owns_home:
            shutil.rmtree(self.home, ignore_errors=True)

    def read(self, seconds):
        """Reads the available output of the program; returns false when it has ended."""
        ready, _, _ = select.select([self.process.child_fd], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self.process.child_fd, 65536)
        except OSError:
            return False
        self.received += data
        self.stream.feed(data)
        return bool(data)

    def lines(self):
        """Returns the rows of the screen, without trailing blanks and trailing empty rows."""
        rows = [row.rstrip() for row in self.screen.display]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def all_lines(self):
        """Returns the rows that have scrolled off the screen, followed by those on it."""
        above = []
        for row in self.screen.history.top:
            above.append("".join(row[column].data for column in range(self.screen.columns)).rstrip())
        return above + self.lines()

    def until(self, condition, what):
        """Reads until condition() holds."""
        end = time.monotonic() + LIMIT
        while not condition():
            alive = self.read(max(0, end - time.monotonic()))
            if condition():
                return
            if not alive or time.monotonic() > end:
                shown = "\n".join("  |" + row for row in self.lines())
                raise AssertionError(f"the screen never showed {what}:\n{shown}")

    def until_line(self, pattern):
        """Reads until a row of the screen matches, and returns the match."""
        found = []

        def look():
            found[:] = [match for row in self.lines() if (match := re.search(pattern, row))]
            return bool(found)

        self.until(look, f"a line matching {pattern!r}")
        return found[-1]

    def typed(self):
        """Returns the row of the cursor, without a suggestion or hint, which is grey."""
        row = self.screen.buffer[self.screen.cursor.y]
        columns = range(self.screen.columns)
        return "".join(row[column].data for column in columns if not (row[column].fg == "black" and row[column].bold)).rstrip()

    def until_last(self, text, below=False):
        """Reads until the last row of the screen is the text and the cursor follows it; `below` allows a list."""
        def look():
            is_last = below or len(self.lines()) == self.screen.cursor.y + 1 or not text
            return is_last and self.typed() == text.rstrip() and self.screen.cursor.x == len(text)

        self.until(look, f"{text!r} as its last line")

    def until_prompt(self, prompt="muxsh> "):
        self.until_last(prompt)

    def send(self, text):
        self.process.send(text)

    def line(self, text):
        self.send(text + "\r")

    def resize(self, columns, rows):
        self.screen.resize(rows, columns)
        self.process.setwinsize(rows, columns)

    def status(self):
        """Waits until the program ends and returns its exit status."""
        while self.read(LIMIT):
            pass
        self.process.wait()
        return self.process.exitstatus if self.process.signalstatus is None else -self.process.signalstatus


class Server:
    """A peer with a single connection, which the test controls directly."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.listener.close()
        if self.connection:
            self.connection.close()

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(LIMIT)
        self.port = self.listener.getsockname()[1]
        self.connection = None

    def accept(self):
        self.connection, _ = self.listener.accept()
        self.connection.settimeout(LIMIT)

    def say(self, data):
        self.connection.sendall(data.encode() if isinstance(data, str) else data)

    def hear(self, count):
        data = b""
        while len(data) < count:
            more = self.connection.recv(count - len(data))
            if not more:
                break
            data += more
        return data

    def close(self):
        if self.connection:
            self.connection.close()
        self.listener.close()
