"""Attached prompts: several prompts on the same sessions."""

import os
import socket
import stat
import struct
import subprocess
import tempfile
import threading

import support
from support import connected, muxsh
from terminal import LIMIT, Server, Terminal


def controlled(*arguments, **options):
    """Returns a prompt that others can attach to, and the path for that."""
    path = tempfile.mkdtemp(prefix="muxsh-attach-") + "/control"
    return muxsh("--control", "unix:" + path, *arguments, **options), path


def attached(path, **options):
    terminal = Terminal([support.MUXSH, "attach", path], **options)
    terminal.until_line("^# attached to ")
    terminal.until_prompt()
    return terminal


def command(path, *lines):
    arguments = [part for line in lines for part in ("-c", line)]
    return subprocess.run(
        [support.MUXSH, "attach", path, *arguments], capture_output=True, text=True, timeout=LIMIT, check=False)


def message(kind, *fields):
    body = b"".join(struct.pack(">I", len(field)) + field for field in fields)
    return kind + struct.pack(">I", len(body)) + body


def test_two_prompts_share_the_sessions():
    first, path = controlled()
    server = Server()
    with first, attached(path) as second:
        first.until_line("^# attached: process [0-9]+$")
        connected(second, server)
        first.until_line(rf"^open a 127\.0\.0\.1:{server.port}$")
        first.until_line("^# a: connected")
        second.line("a> from the second")
        assert server.hear(16) == b"from the second\n"
        first.until_line("^a> from the second$")
        server.say("an answer\n")
        for terminal in (first, second):
            terminal.until_line("^a< an answer$")
            terminal.until_prompt()
        # Each has its own line, which output never touches.
        second.send("print typed")
        second.until_last("muxsh> print typed")
        first.line("a> from the first")
        second.until_line("^a> from the first$")
        second.until_last("muxsh> print typed")
        second.line(" here")
        first.until_line("^typed here$")
        # The typed line is not repeated where it was typed.
        assert sum("from the second" in row for row in second.lines()) == 1
        second.line("list")
        second.until_line("^attached: process [0-9]+, ")
        second.until_prompt()
        assert not any(row.startswith("NAME") for row in first.lines())
        second.line("quit")
        assert second.status() == 0
        first.until_line("^# detached: process [0-9]+$")
        first.line("print on")
        first.until_line("^on$")


def test_each_prompt_talks_to_its_own_session():
    first, path = controlled()
    one, two = Server(), Server()
    with first, attached(path) as second:
        connected(first, one, "a")
        connected(first, two, "b")
        first.line("talk a")
        first.until_prompt("a> ")
        second.line("talk b")
        second.until_prompt("b> ")
        second.line("hello ${x}")
        assert two.hear(11) == b"hello ${x}\n"
        first.line("hi")
        assert one.hear(3) == b"hi\n"
        # The first one looks at a only, the attached one at everything.
        two.say("for b\n")
        second.until_line("^b< for b$")
        first.until_line(r"^a \[b 1\]>")
        one.say("for a\n")
        second.until_line("^a< for a$")
        first.until_line("^a< for a$")
        second.send("\x1b1")
        second.until_prompt("a> ")
        second.send("\x04")
        second.until_prompt()
        second.line("b")
        second.until_prompt("b> ")
        two.close()
        second.until_prompt("b (closed)> ")


def test_a_script_is_looked_into_while_it_runs():
    server = Server()
    path = tempfile.mkdtemp(prefix="muxsh-attach-") + "/control"
    script = subprocess.Popen(
        [support.MUXSH, "--control", path, "-D", "word=secret", "-c", f"open a 127.0.0.1:{server.port}", "-c",
         "expect a /go/ within 1h", "-c", "print ${word}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    server.accept()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    found = command(path, "list")
    assert found.returncode == 0 and "\na     tcp" in found.stdout and "attached: process" in found.stdout, found
    found = command(path, "print ${word}", "let word changed", "a> hello")
    assert (found.returncode, found.stdout, found.stderr) == (0, "secret\n", ""), found
    assert server.hear(6) == b"hello\n"
    # What fails there does not end the script.
    found = command(path, "close nobody", "print never")
    assert found.returncode == 2 and "-c:1:7: error:" in found.stderr and "never" not in found.stdout, found
    found = command(path, "expect a /x/ within 10ms")
    assert found.returncode == 4 and "only one strand at a time" in found.stderr, found
    found = command(path, "repeat 2 as i {", "print round ${i}", "}")
    assert found.stdout == "round 1\nround 2\n", found
    with attached(path) as prompt:
        server.say("go\n")
        prompt.until_line("^a< go$")
        prompt.until_line("^muxsh: the run has ended$")
        assert prompt.status() == 0
    output, _ = script.communicate(timeout=LIMIT)
    assert script.returncode == 0 and "\nsecret\n" in output and "\nchanged\n" in output, output
    assert not os.path.exists(path)
    found = command(path, "list")
    assert found.returncode == 3 and f"cannot attach to {path}: " in found.stderr, found


def test_entries_run_one_after_the_other_and_control_c_stops_only_ones_own():
    first, path = controlled()
    with first, attached(path) as second:
        second.line("sleep forever")
        second.until_line("^waiting for the end of the sleep: [0-9]+ s; .C stops$")
        first.line("print after it")
        first.until_line("^waiting for the entry of an attached prompt: [0-9.]+ s; .C gives up$")
        first.send("\x03")
        first.until_prompt()
        second.until_line("^waiting for the end of the sleep")
        first.line("print later")
        second.send("\x03")
        second.until_line("^# interrupted$")
        second.until_prompt()
        first.until_line("^later$")
        assert not any(row == "after it" for row in first.lines())
        first.line("sleep forever")
        first.until_line("^waiting for the end of the sleep")
        second.line("print queued")
        second.until_line("^running for|^waiting")
        first.send("\x03")
        second.until_line("^queued$")


def test_errors_and_pages_are_shown_where_they_were_asked_for():
    first, path = controlled()
    with first, attached(path, rows=12) as second:
        server = Server()
        connected(first, server)
        second.line("frob")
        second.until_line("error: unknown command 'frob'")
        second.line("help")
        second.until_last("-- more: Space, Enter, q --")
        second.send("q")
        second.until_prompt()
        second.line("interact a")
        second.until_line("error: 'interact' works only at the prompt of the run, not")
        second.line('let --secret x --ask "y"')
        second.until_line("error: --ask works only at the prompt of the run, not")
        second.line("edit")
        second.until_line("error: 'edit' works only at the prompt")
        second.line("repeat 2 as i {")
        second.until_prompt(".....>     ")
        second.line("print ${i}")
        second.line("}")
        second.until_line("^2$")
        first.until_line("^2$")
        assert not any("error" in row or "help" in row for row in first.lines()[1:]), first.lines()


def test_a_password_at_an_attached_prompt_is_a_secret_for_all():
    first, path = controlled()
    server = Server()
    with first, attached(path) as second:
        connected(second, server)
        second.line("talk a")
        second.until_prompt("a> ")
        server.say("Password: ")
        second.until_line("^a< Password:|^a> ")
        first.until_line("^a< Password:")
        # The prompt knows it as soon as the server has been silent for a moment.
        second.line(":sleep 400ms")
        second.until_prompt("a> ")
        second.line("hunter2")
        assert server.hear(8) == b"hunter2\n"
        server.say("hunter2 it was\n")
        for terminal in (first, second):
            terminal.until_line(r"^a< \$\{password\} it was$")
            assert b"hunter2" not in terminal.received


def test_completion_at_an_attached_prompt_knows_the_sessions():
    first, path = controlled()
    server = Server()
    with first, attached(path) as second:
        connected(first, server, "alpha")
        second.until_line("^# alpha: connected")
        first.line("define greet {")
        first.line("print hi")
        first.line("}")
        first.until_prompt()
        second.send("close al\t")
        second.until_last("muxsh> close alpha ")
        second.send("\x15gre\t\r")
        second.until_line("^hi$")
        # Wrong rows of a block are marked, by what the run knows.
        for row in ("repeat 1 {", "alpha> x", "greet", "prnt"):
            second.line(row)
        second.until_line("    prnt$")

        def color(text):
            number = max(n for n, row in enumerate(second.screen.display) if text in row)
            return second.screen.buffer[number][0].fg

        second.until(lambda: color("    prnt") == "red", "the mark")
        assert color("    alpha> x") == color("    greet") == "default"


def test_a_prompt_that_does_not_read_is_detached_and_never_waited_for():
    first, path = controlled()
    server = Server()
    with first:
        connected(first, server)
        slow = socket.socket(socket.AF_UNIX)
        slow.connect(path)
        slow.sendall(message(b"h", b"prompt", b"80"))
        first.until_line("^# attached: process [0-9]+$")
        # The first prompt looks elsewhere.
        other = Server()
        connected(first, other, "b")
        first.line("talk b")
        first.until_line("^b>")
        flood = threading.Thread(target=lambda: [server.say("x" * 262143 + "\n") for _ in range(60)])
        flood.start()
        first.until_line("^# process [0-9]+ did not read its output and was detached$")
        first.until(lambda: not flood.is_alive(), "the end of the flood")
        first.line(":print on")
        first.until_line("^on$")
        slow.close()


def test_what_is_no_message_ends_only_its_own_connection():
    first, path = controlled()
    with first:
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"h\xff\xff\xff\xff", b"x\0\0\0\5\0\0\0\xff1", message(b"q"), b""):
            peer = socket.socket(socket.AF_UNIX)
            peer.settimeout(LIMIT)
            peer.connect(path)
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(4096):
                pass
            peer.close()
        first.line("print on")
        first.until_line("^on$")


def test_control_can_begin_and_end_at_the_prompt():
    path = tempfile.mkdtemp(prefix="muxsh-attach-") + "/with space"
    with muxsh() as first:
        first.line(f'control "{path}"')
        first.until_line("^# to attach: muxsh attach ")
        with attached(path) as second:
            first.line("control off")
            second.until_line("^muxsh: the run lets no prompts attach any more$")
            assert second.status() == 0
        assert not os.path.exists(path)
        first.line("control /nowhere/at/all")
        first.until_line("error: cannot listen on unix:/nowhere/at/all: no such file")
        first.line("control @abstract")
        first.until_line("error: cannot listen on unix:@abstract: a socket without a file has no mode")


def test_exit_at_an_attached_prompt_ends_the_run():
    first, path = controlled()
    with first:
        found = command(path, "exit 5")
        assert found.returncode == 5, found
        assert first.status() == 5
    first, path = controlled()
    with first, attached(path) as second:
        second.line("exit 6")
        assert first.status() == 6
        second.until_line("^muxsh: the run has ended$")


def test_lines_that_have_not_run_are_a_failure():
    path = tempfile.mkdtemp(prefix="muxsh-attach-") + "/control"
    script = subprocess.Popen(
        [support.MUXSH, "--control", path, "-c", "reserve r :0", "-c", "sleep forever"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    script.stdout.readline()
    waiting = subprocess.Popen(
        [support.MUXSH, "attach", path, "-c", "print begins", "-c", "sleep forever", "-c", "print never"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert waiting.stdout.readline() == "begins\n"
    script.terminate()
    output, errors = waiting.communicate(timeout=LIMIT)
    assert waiting.returncode == 3 and "never" not in output and errors == "muxsh: the run has ended\n", (output, errors)
    script.wait()


def test_a_path_that_is_too_long_is_refused():
    path = "/tmp/" + "y" * 120
    with muxsh() as first:
        first.line("control " + path)
        first.until_line("error: the path of a Unix socket is too long: 125 bytes")
    found = command(path, "list")
    assert found.returncode == 3 and "too long: 125 bytes (limit 107)" in found.stderr, found
    assert not [name for name in os.listdir("/tmp") if name.startswith("yyyy")]
