"""serial: addresses, over pairs of pseudo-terminals that socat joins."""

import os
import subprocess
import tempfile
import time

from support import MUXSH
from terminal import LIMIT


class Line:
    """Two ends of a serial line, as paths, for a `with` block."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.ours, self.theirs = (os.path.join(self.folder.name, name) for name in ("ours", "theirs"))
        self.process = subprocess.Popen(
            ["socat", f"pty,link={self.ours}", f"pty,rawer,link={self.theirs}"], stderr=subprocess.DEVNULL)
        while not (os.path.exists(self.ours) and os.path.exists(self.theirs)):
            assert self.process.poll() is None
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()


def run(*statements, timeout=3 * LIMIT):
    done = subprocess.run(
        [MUXSH, *[part for each in statements for part in ("-c", each)]], capture_output=True, timeout=timeout)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_all_bytes_pass_in_both_directions():
    with Line() as line, tempfile.NamedTemporaryFile() as data:
        data.write(bytes(range(256)) * 4)
        data.flush()
        status, out, err = run(
            f"open a serial:{line.ours} --baud 115200", f"open b serial:{line.theirs} --frame raw", f"send a --file {data.name}",
            "expect b bytes 1024", "let sent ${0}", f"let --file={data.name} wanted", 'check "${sent}" == "${wanted}"',
            'b> hello\\r', "expect a hex \"68 65 6c 6c 6f 0d\"", "close a", "close b")
        assert status == 0, err


def test_a_modem_answers():
    with Line() as line:
        modem = os.open(line.theirs, os.O_RDWR | os.O_NOCTTY)
        process = subprocess.Popen(
            [MUXSH, "-q", "-c", f"open m serial:{line.ours} --baud 9600 --parity even --data-bits 7 --stop-bits 2 --eol cr",
             "-c", "m> ATZ", "-c", "m< OK", "-c", "print there", "-c", "sleep 60s"], stdout=subprocess.PIPE)
        got = b""
        while not got.endswith(b"\r"):
            got += os.read(modem, 100)
        assert got == b"ATZ\r"
        os.write(modem, b"OK\r\n")
        assert process.stdout.readline() == b"there\n"
        process.kill()
        process.wait()
        os.close(modem)


def test_the_settings_are_those_of_the_options():
    with Line() as line:
        process = subprocess.Popen(
            [MUXSH, "-q", "-c", f"open m serial:{line.ours} --baud 9600 --parity odd --stop-bits 2 --flow software",
             "-c", "print there", "-c", "sleep 60s"], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"there\n"
        # The device is ours alone; as root it can be opened nevertheless.
        shown = subprocess.run(["stty", "-a", "-F", line.ours], capture_output=True, text=True)
        process.kill()
        process.wait()
    if shown.returncode == 0:
        words = shown.stdout.replace(";", "").split()
        assert "9600" in words and "cstopb" in words and "-icanon" in words and "-echo" in words and "ixon" in words, words


def test_the_end_of_the_line_and_what_cannot_be_opened():
    with Line() as line:
        process = subprocess.Popen(
            [MUXSH, "-q", "-c", f"open m serial:{line.ours}", "-c", "print there", "-c", "m<|", "-c", "print gone"],
            stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"there\n"
        line.process.kill()
        assert process.communicate(timeout=LIMIT)[0] == b"gone\n" and process.returncode == 0
    status, _, err = run("open a serial:/nonexistent/tty")
    assert status == 3 and "a: cannot connect to serial:/nonexistent/tty: no such file or directory" in err, err
    status, _, err = run("open a serial:/dev/null")
    assert status == 3 and "not a serial line" in err, err
