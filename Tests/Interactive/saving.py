"""save: what was done at the prompt becomes a script that runs again."""

import contextlib
import os
import re
import socket
import stat
import subprocess
import tempfile
import threading

from support import MUXSH, connected, muxsh
from terminal import LIMIT, Server


def saved(terminal, folder, options=""):
    """Saves, and returns the script without its comments."""
    path = os.path.join(folder, "last.mux" if options else "s.mux")
    terminal.line(f"save {path}{options}")
    terminal.until_line(f"^# saved [0-9]+ lines? in {re.escape(path)}; to run")
    terminal.until_prompt()
    with open(path) as file:
        return [line for line in file.read().splitlines() if not line.startswith("#")]


def serve(server, answers):
    """Answers each received line on one connection, in the background."""

    def run():
        server.accept()
        server.say("220 ready\n")
        for question, answer in answers:
            assert server.hear(len(question)) == question.encode()
            server.say(answer)
        with contextlib.suppress(OSError):
            server.hear(1)
        server.connection.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def replay(path, answers, **variables):
    """Runs a saved script against a fresh server; returns its outcome."""
    server = Server()
    thread = serve(server, answers)
    with open(path) as file:
        text = file.read()
    port = text.split("127.0.0.1:")[1].split()[0]
    with open(path, "w") as file:
        file.write(text.replace(port, str(server.port)))
    run = subprocess.run(
        [MUXSH, "-q", path], capture_output=True, timeout=LIMIT, env={**os.environ, **variables}, text=True
    )
    thread.join(LIMIT)
    return run


ANSWERS = [("hello\n", "250 hi\n250 more\n"), ("login hunter22\n", "235 ok 4711\n"), ("bye\n", "221 bye\n")]


def test_a_saved_script_runs_again():
    server = Server()
    serve(server, ANSWERS)
    with tempfile.TemporaryDirectory() as folder, muxsh() as terminal:
        terminal.line("help list")
        terminal.until_line("list")
        terminal.until_prompt()
        terminal.line(f"open a 127.0.0.1:{server.port}")
        terminal.until_line("^a< 220 ready$")
        terminal.line("let --secret password hunter22")
        terminal.until_prompt()
        terminal.line("opne b nowhere")
        terminal.until_line("did you mean 'open'|unknown command")
        terminal.line("a> hello")
        terminal.until_line("^a< 250 more$")
        terminal.until_prompt()
        terminal.line('expect a "never" within 1ms')
        terminal.until_line("error: a: timed out")
        terminal.until_prompt()
        terminal.line('expect a "250 more"')
        terminal.until_prompt()
        terminal.line("a> login ${password}")
        terminal.until_line("^a< 235 ok 4711$")
        terminal.until_prompt()
        terminal.line("a<~ ^235 ok (\\d+)$")
        terminal.until_prompt()
        terminal.line("check ${1} > 4000")
        terminal.until_prompt()
        terminal.line("print got ${1}")
        terminal.until_line("^got 4711$")
        terminal.until_prompt()
        terminal.line("a> bye")
        terminal.until_line("^a< 221 bye$")
        terminal.until_prompt()
        lines = saved(terminal, folder)
        path = os.path.join(folder, "s.mux")
        assert lines == [
            "let --secret password ${env.password}",
            f"open a 127.0.0.1:{server.port}",
            "a< 220 ready",
            "a> hello",
            'expect a "250 more"',
            "a> login ${password}",
            "a<~ ^235 ok (\\d+)$",
            "check ${1} > 4000",
            "a> bye",
            "a< 221 bye",
        ], lines
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert "hunter22" not in open(path).read() and "# got 4711" in open(path).read()
        again = replay(path, ANSWERS, password="hunter22")
        assert again.returncode == 0, again
        wrong = replay(path, [ANSWERS[0], ANSWERS[1], ("bye\n", "500 no\n")], password="hunter22")
        assert wrong.returncode == 4 and "expected: a< 221 bye" in wrong.stderr, wrong


def test_blocks_and_the_last_entries_are_saved():
    server = Server()
    serve(server, [("1\n", "one\n"), ("2\n", "two\n"), ("3\n", "three: rest\n")])
    with tempfile.TemporaryDirectory() as folder, muxsh() as terminal:
        terminal.line(f"open a 127.0.0.1:{server.port}")
        terminal.until_line("^a< 220 ready$")
        terminal.line("for i in 1..2 {")
        terminal.until_last(".....>     ")
        terminal.line("a> ${i}")
        terminal.line('expect a /^(one|two)$/')
        terminal.line("}")
        terminal.until_line("^a< two$")
        terminal.until_prompt()
        terminal.line("a> 3")
        terminal.until_line("^a< three: rest$")
        terminal.until_prompt()
        terminal.line('expect a "three: "')
        terminal.until_prompt()
        lines = saved(terminal, folder)
        # The block has forgotten the greeting, which was shown before.
        assert lines[1:] == [
            "a< 220 ready",
            "for i in 1..2 {",
            "    a> ${i}",
            "    expect a /^(one|two)$/",
            "}",
            "a> 3",
            'expect a "three: "',
            "a< rest",
        ], lines
        last = saved(terminal, folder, " --last 2")
        assert last == ["a> 3", 'expect a "three: "', "a< rest"], last


def test_a_repeated_address_is_a_variable():
    server = Server()
    with tempfile.TemporaryDirectory() as folder, muxsh() as terminal:
        for name in "ab":
            terminal.line(f"open {name} 127.0.0.1:{server.port} --eol crlf")
            terminal.until_line(f"^# {name}: connected to")
            terminal.until_prompt()
        assert saved(terminal, folder) == [
            f"let address 127.0.0.1:{server.port}",
            "open a ${address} --eol crlf",
            "open b ${address} --eol crlf",
        ]


def test_save_fails_with_its_reason():
    with muxsh() as terminal:
        terminal.line("save /nowhere/at/all.mux")
        terminal.until_line("error: cannot write /nowhere/at/all.mux: no such file or directory")


def test_a_pasted_copy_of_the_screen_runs():
    with muxsh() as terminal:
        terminal.send(
            "\x1b[200~muxsh> let n 1\nmuxsh> repeat 2 as i {\n.....>     let n ${n} + ${i}\n"
            ".....> }\n# a note\nmuxsh> print <${n}>\n\x1b[201~\r"
        )
        terminal.until_line("^<4>$")
        terminal.until_prompt()
        # With a session of that name it is a line to send.
        server = Server()
        terminal.line(f"open muxsh 127.0.0.1:{server.port}")
        server.accept()
        terminal.until_line("^# muxsh: connected")
        terminal.until_prompt()
        terminal.line("muxsh> print x")
        assert server.hear(8) == b"print x\n"


def test_frames_parts_and_the_end_are_saved():
    server = Server()
    with tempfile.TemporaryDirectory() as folder, muxsh() as terminal:
        terminal.line(f"open a 127.0.0.1:{server.port}")
        server.accept()
        server.say("login: ")
        terminal.until_line("^a< login:$")
        terminal.until_prompt()
        terminal.line('expect a "login: "')
        terminal.until_prompt()
        terminal.line("a> me")
        assert server.hear(3) == b"me\n"
        server.say("\r\nwelcome\r\n")
        terminal.until_line("^a< welcome$")
        terminal.line("a< welcome")
        terminal.line("set a frame u8")
        terminal.line("print framed")
        terminal.until_line("^framed$")
        server.say(b"\x03one\x03two\x05three")
        terminal.until_line("^a< three$")
        terminal.until_prompt()
        terminal.line("a< one")
        terminal.until_prompt()
        terminal.line('expect a "tw"')
        terminal.until_prompt()
        server.connection.close()
        terminal.until_line("^a<[|]$")
        lines = saved(terminal, folder)
        assert lines[1:4] == ['expect a "login: "', "a> me", "a< welcome"], lines
        assert lines[4:] == ["set a frame u8", "a< one", 'expect a "tw"', "a< o", "a< three", "a<|"], lines


def test_record_begins_here_and_ends_with_off_or_the_prompt():
    server = Server()
    with tempfile.TemporaryDirectory() as folder, muxsh() as terminal:
        first, second = os.path.join(folder, "1.mux"), os.path.join(folder, "2.mux")
        terminal.line(f"open a 127.0.0.1:{server.port}")
        server.accept()
        terminal.until_line("^# a: connected")
        terminal.line("record off")
        terminal.until_line("error: nothing is being recorded")
        terminal.line(f"record {first}")
        terminal.line(f"record {second}")
        terminal.until_line(f"error: already recording to {re.escape(first)}")
        terminal.line("a> one")
        assert server.hear(4) == b"one\n"
        server.say("ONE\n")
        terminal.until_line("^a< ONE$")
        terminal.line("record off")
        terminal.until_line(f"^# saved 2 lines in {re.escape(first)}; to run")
        terminal.line(f"record {second}")
        terminal.line("a> two")
        assert server.hear(4) == b"two\n"
        terminal.line("quit")
        assert terminal.status() == 0
        assert open(first).read() == "a> one\na< ONE\n"
        assert open(second).read().startswith("a> two\n"), open(second).read()
        assert stat.S_IMODE(os.stat(second).st_mode) == 0o600


def test_the_prompt_after_a_script_saves_both():
    server = Server()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "before.mux")
        with open(path, "w") as file:
            file.write(f"open a 127.0.0.1:{server.port}\na> from the script\n")
        with muxsh("-i", path) as terminal:
            server.accept()
            assert server.hear(16) == b"from the script\n"
            terminal.line("a> typed")
            assert server.hear(6) == b"typed\n"
            lines = saved(terminal, folder)
            assert lines == [f"open a 127.0.0.1:{server.port}", "a> from the script", "a> typed"], lines


def test_what_failed_or_only_looks_is_not_saved():
    server = Server()
    free = socket.socket()
    free.bind(("127.0.0.1", 0))
    with tempfile.TemporaryDirectory() as folder, muxsh() as terminal:
        connected(terminal, server)
        terminal.line(f"open gone 127.0.0.1:{free.getsockname()[1]}")
        terminal.until_line("error: .*gone")
        terminal.line("a> one")
        assert server.hear(4) == b"one\n"
        server.say("first\n")
        terminal.until_line("^a< first$")
        terminal.until_prompt()
        for line in ("list", "find /first/", "mute a", "show a --log"):
            terminal.line(line)
        terminal.line("print it is muted")
        terminal.until_line("^it is muted$")
        terminal.until_prompt()
        server.say("noise\n")
        for line in ('test "fails" {', "fail why", "}"):
            terminal.line(line)
        terminal.until_line("failed in")
        terminal.line("unmute a")
        terminal.until_line("^# a: 1 line hidden meanwhile")
        terminal.until_prompt()
        lines = [line for line in saved(terminal, folder) if not line.startswith("#")]
        assert lines == [f"open a 127.0.0.1:{server.port}", "a> one", "a< first"], lines


def test_a_saved_script_says_which_secrets_it_takes():
    server = Server()
    with tempfile.TemporaryDirectory() as folder, muxsh() as terminal:
        connected(terminal, server)
        terminal.line("let --secret token hunter2")
        terminal.line("a> ${token}")
        assert server.hear(8) == b"hunter2\n"
        terminal.line(f"save {folder}/s.mux")
        terminal.until_line(r"^# saved [0-9]+ lines in .*; to run the script: token=VALUE muxsh ")
