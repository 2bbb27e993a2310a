"""Transcripts of frames, raw data and datagrams: run again, they send the same bytes and expect the same answers."""

import contextlib
import os
import re
import socket
import subprocess
import tempfile

from support import MUXSH
from terminal import LIMIT

FRAMED = r"""a> plain
a> tail\n
send a "x\n"
send a --hex "00 03 0a 0d ff"
send a --hex "00 01 0a"
a> \r
send a "\r\n"
send a ""
a>
send a --raw "\0\x04raw\n"
"""
STREAM = r"""a> plain
send a "x\n"
send a --raw "y"
send a --raw "z\n"
send a --raw "\r\n"
send a --hex "00 0a 0d ff 0a"
a> \\ \x80
"""
ENDED = r"""a> plain
send a "x\n"
a> \n
send a --hex "0a 0d"
"""
WHOLE = r"""send a --hex "51 00 00 00 05 0a"
a> Q\0\0\0\x06\n\r
"""
DATAGRAMS = r"""a> plain
send a "x\n"
a> y\n
send a --raw "z\n"
send a ""
a>
send a --hex "0a"
send a --hex "0a 0a"
"""


def echoed(script, kind, answers=True):
    """Runs a script against a peer that may send everything back; returns what it received and the transcript."""
    with contextlib.closing(socket.socket(socket.AF_INET, kind)) as server, tempfile.TemporaryDirectory() as folder:
        server.bind(("127.0.0.1", 0))
        server.settimeout(LIMIT)
        if kind == socket.SOCK_STREAM:
            server.listen()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        path, transcript = os.path.join(folder, "s.mux"), os.path.join(folder, "t.mux")
        with open(path, "w") as file:
            file.write(re.sub(r"127\.0\.0\.1:\d+", address, script))
        run = subprocess.Popen(
            [MUXSH, "-q", "--linger", "100ms", "--transcript", transcript, path],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        received = []
        if kind == socket.SOCK_STREAM:
            connection, _ = server.accept()
            with connection:
                while data := connection.recv(65536):
                    received.append(data)
                    if answers:
                        connection.sendall(data)
            received = [b"".join(received)]
        else:
            while run.poll() is None:
                server.settimeout(0.05)
                with contextlib.suppress(TimeoutError):
                    data, peer = server.recvfrom(65536)
                    received.append(data)
                    server.sendto(data, peer)
        out, err = run.communicate(timeout=LIMIT)
        assert run.returncode == 0 and not err, (script, out, err)
        with open(transcript) as file:
            return received, file.read()


def check(options, script, kind=socket.SOCK_STREAM, answers=True):
    scheme = "udp://" if kind == socket.SOCK_DGRAM else ""
    first, transcript = echoed(f"open a {scheme}127.0.0.1:1{options}\n{script}", kind, answers)
    assert bool(re.search("^a< ", transcript, re.M)) == answers, transcript
    again, _ = echoed(transcript, kind, answers)
    assert first == again, (options, first, again, transcript)


def test_a_transcript_of_frames_runs_again():
    check(" --frame u16", FRAMED)
    # Raw data is received as the network splits it, which a script cannot repeat.
    check(" --frame raw", STREAM, answers=False)
    check(" --frame cr", ENDED)
    check(" --frame until:END", ENDED.replace(r"0a 0d", "45 4e 44"))
    check(" --frame u32@1+1", WHOLE)


def test_a_transcript_of_datagrams_runs_again():
    for ending in "none", "lf":
        for framing in "", " --frame raw":
            check(f"{framing} --eol {ending}", DATAGRAMS, socket.SOCK_DGRAM)
