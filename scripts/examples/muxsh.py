"""Drives muxsh from Python: statements in, events out.

    from muxsh import Muxsh

    with Muxsh() as shell:
        shell.run("open web localhost:8080")
        shell.run("web> ping")
        print(shell.run("web<~ (P[A-Z]+)").captures[1])

Run as a program it executes the statements of its standard input and prints their captures.
"""

import base64
import json
import subprocess
import sys


class Failed(Exception):
    """A statement has failed, or could not run. `done` is how it ended."""

    def __init__(self, message, done=None):
        super().__init__(message)
        self.done = done


class Done:
    """How a statement ended: its line, status, captures (str or bytes), failure and events."""

    def __init__(self, event, lines):
        self._lines = lines
        self.line = event.get("line")
        self.status = event["status"]
        self.captures = [value_of(capture) for capture in event.get("captures", [])]
        self.failure = value_of(event.get("failure"))

    @property
    def events(self):
        """What happened since the statement before it, as dictionaries; read only when they are asked for."""
        return [json.loads(line) for line in self._lines]

    def received(self, session):
        """The lines that arrived from a session while the statement ran."""
        return [
            content_of(event)
            for event in self.events
            if event["event"] == "received" and event["session"] == session
        ]


def value_of(value):
    """A value of an event: str, or bytes where it is not UTF-8, or None."""
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value


def content_of(event):
    """The content of an event: str, or bytes where it is not UTF-8."""
    return event["text"] if "text" in event else base64.b64decode(event["base64"])


class Muxsh:
    """A muxsh process that runs statements one by one."""

    def __init__(self, *options, program="muxsh"):
        command = [program, "--report", "jsonl", "--keep-going", "--quiet", *options]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
        self.lines = open(self.process.stdout.fileno(), "rb", closefd=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def run(self, *statements, check=True):
        """Runs statements, each of which may be a block of several lines, and returns how the last one ended.

        Raises Failed when one fails, unless check is False, and when muxsh has ended.
        """
        text = b"".join((each.encode() if isinstance(each, str) else each) + b"\n" for each in statements)
        try:
            self.process.stdin.write(text)
        except BrokenPipeError:
            pass  # How it ended is in its last events.
        all_done = [self.read_done() for _ in statements]
        for done in all_done:
            if check and done.status != 0:
                raise Failed(done.failure or f"status {done.status}", done)
        return all_done[-1]

    def read_done(self):
        """Reads the events up to the end of a statement."""
        lines = []
        for line in self.lines:
            if line.startswith(b'{"event":"done"') and b'"run":true' not in line:
                return Done(json.loads(line), lines)
            lines.append(line)
        raise Failed(f"muxsh has ended with status {self.process.wait()}")

    def close(self):
        """Ends muxsh and returns its exit status: 0, or that of the first failure."""
        self.process.stdin.close()
        for _ in self.lines:
            pass
        return self.process.wait()


if __name__ == "__main__":
    with Muxsh(*sys.argv[1:]) as shell:
        for text in sys.stdin:
            for capture in shell.run(text.rstrip("\n")).captures:
                print(capture)
