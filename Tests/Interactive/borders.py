"""Arbitrary bytes at the borders of the prompt: typed and pasted input, the history, signal keys, the final output."""

import fcntl
import os
import signal
import stat
import tempfile
import termios
import time

from support import MUXSH, connected, muxsh
from terminal import LIMIT, Server, Terminal


def state(process):
    """Returns the state of a process: S is sleeping, T is stopped (proc_pid_stat(5))."""
    with open(f"/proc/{process}/stat") as file:
        return file.read().rsplit(") ", 1)[1][0]


def until_state(terminal, wanted):
    end = time.monotonic() + LIMIT
    while state(terminal.process.pid) != wanted:
        assert time.monotonic() < end, (wanted, terminal.lines())
        terminal.read(0.01)


def heard(terminal, keys, expected):
    """Checks what a server receives when keys are typed after `a> ` in a line."""
    with Server() as server:
        connected(terminal, server)
        terminal.process.send(b"a> " + keys + b"\r")
        assert server.hear(len(expected)) == expected, server
        terminal.until_prompt()
        terminal.line("close a")
        terminal.until_prompt()


def test_what_is_typed_behind_control_v_is_sent():
    with muxsh() as terminal:
        for keys, expected in (
            (b"x\x16\x03y", b"x\x03y\n"),
            (b"\x16\x1b[1m\x16\x04", b"\x1b[1m\x04\n"),
            (b"\x16\x00\x16\x1a\x16\x1c", b"\x00\x1a\x1c\n"),
        ):
            heard(terminal, keys, expected)


def test_bytes_that_are_no_utf8_are_shown_sent_and_kept():
    with muxsh() as terminal:
        heard(terminal, b"caf\xe9 \xff", b"caf\xe9 \xff\n")
        terminal.until_line(r"a> caf\\xe9 \\xff")
        history = open(terminal.home + "/state/muxsh/history", "rb").read()
        assert b"caf\xe9\\040\xff\n" in history, history
        # The arrow keys restore it unchanged.
        terminal.send("\x1b[A\x1b[A")
        terminal.until_last("muxsh> a> caf\\xe9 \\xff")
        with muxsh(home=terminal.home) as again:
            again.send("\x1b[A\x1b[A")
            again.until_last("muxsh> a> caf\\xe9 \\xff")


def test_a_paste_keeps_what_is_no_text():
    with muxsh() as terminal:
        heard(terminal, b"\x1b[200~b\x1b[31mx\x04\xe9\x00\x1b[201~", b"b\x1b[31mx\x04\xe9\x00\n")


def test_an_unfinished_paste_has_an_end():
    for lead in ("", "\x16", "\x00"):
        with muxsh() as terminal:
            terminal.send(lead + "\x1b[200~some text that does not end")
            # One key after ^V is text, and so is the first byte of the paste mark.
            terminal.send("\x03")
            if lead == "\x16":
                terminal.send("\x03")
            terminal.until_line(r"\^C$")
            terminal.until_prompt()
            terminal.line("print alive")
            terminal.until_line("^alive$")


def test_a_file_that_ends_in_a_line_gets_the_next_entry_in_its_own():
    with muxsh() as terminal:
        terminal.line("print one")
        terminal.until_line("^one$")
        path = terminal.home + "/state/muxsh/history"
        with open(path, "r+b") as file:
            file.truncate(os.path.getsize(path) - 1)
        terminal.line("print two")
        terminal.until_line("^two$")
        assert open(path).read().splitlines() == ["_HiStOrY_V2_", "print\\040one", "print\\040two"]


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_the_history_is_private_and_a_link_is_followed():
    with muxsh() as terminal:
        home = terminal.home
        terminal.line("print x")
        terminal.until_line("^x$")
        path = home + "/state/muxsh/history"
        os.chmod(path, 0o644)
        os.rename(path, home + "/elsewhere")
        os.symlink(home + "/elsewhere", path)
        terminal.line("print y")
        terminal.until_line("^y$")
        assert os.path.islink(path) and mode(home + "/elsewhere") == 0o600
        assert open(home + "/elsewhere").read().endswith("print\\040y\n")
        with muxsh(home=home) as again:
            again.send("\x1b[A")
            again.until_last("muxsh> print y")


def test_a_history_that_cannot_be_kept_is_told():
    with muxsh() as terminal:
        home = terminal.home
        os.makedirs(home + "/other/muxsh")
        os.mkfifo(home + "/other/muxsh/history")
        with muxsh(home=home, XDG_STATE_HOME=home + "/other") as other:
            other.until_line(r"# history not saved: .*/history: it is not")
        os.makedirs(home + "/null/muxsh")
        os.symlink("/dev/null", home + "/null/muxsh/history")
        before = mode("/dev/null")
        with muxsh(home=home, XDG_STATE_HOME=home + "/null") as other:
            other.line("print x")
            other.until_line("^x$")
            assert not any("history" in row for row in other.lines())
        assert mode("/dev/null") == before


def test_a_home_that_is_not_there_is_not_made():
    with muxsh(HOME="/tmp/muxsh-no-such-home", XDG_STATE_HOME="") as terminal:
        terminal.line("print x")
        terminal.until_line("^x$")
        assert not os.path.exists("/tmp/muxsh-no-such-home")


def test_a_statement_with_a_secret_is_not_kept():
    with muxsh() as terminal:
        terminal.line("let --secret pw \\")
        terminal.until_prompt(".....> ")
        terminal.line("hunter2")
        terminal.until_prompt()
        terminal.line("let key \\")
        terminal.until_prompt(".....> ")
        terminal.line("swordfish --secret")
        terminal.until_prompt()
        terminal.line("let --secret text <<END")
        terminal.until_prompt(".....> ")
        terminal.line("opensesame")
        terminal.until_prompt(".....> ")
        terminal.line("END")
        terminal.until_prompt()
        terminal.send("\x1b[200~print pasted\nlet --secret more \\\nshibboleth\n\x1b[201~\r")
        terminal.until_line("^pasted$")
        terminal.until_prompt()
        terminal.line("print \\")
        terminal.until_prompt(".....> ")
        terminal.line("done")
        terminal.until_line("^done$")
        kept = open(terminal.home + "/state/muxsh/history").read().splitlines()[1:]
        assert kept == ["print\\040\\134\\012done"], kept


def flood(terminal):
    """Starts a server that sends endlessly, and a session with it."""
    terminal.line("listen l :0")
    terminal.until_line(r"# l: listening")
    terminal.until_prompt()
    terminal.line("spawn y yes a flood of lines that never ends")
    terminal.until_line("flood of lines")


def farewell(terminal, number):
    """Checks the state of the terminal after a signal has ended the program during a flood."""
    os.kill(terminal.process.pid, number)
    status = terminal.status()
    tail = terminal.received
    assert tail.rfind(b"\x1b[?2004l") > tail.rfind(b"\x1b[?2004h"), "bracketed paste is left on"
    assert tail.rfind(b"\x1b[?25h") > tail.rfind(b"\x1b[?25l"), "the cursor is left hidden"
    return status


def test_the_farewell_is_said_in_a_flood():
    for number, status in ((signal.SIGTERM, 143), (signal.SIGHUP, 129)):
        with muxsh() as terminal:
            flood(terminal)
            assert farewell(terminal, number) == status


def test_every_signal_that_ends_it_gives_the_terminal_back():
    for number in (signal.SIGIO, signal.SIGPWR, signal.SIGSTKFLT, signal.SIGRTMIN, signal.SIGRTMIN + 5, signal.SIGRTMAX):
        with muxsh() as terminal:
            flags = termios.tcgetattr(terminal.process.child_fd)[3]
            assert not flags & termios.ICANON
            assert farewell(terminal, number) == -number
            assert termios.tcgetattr(terminal.process.child_fd)[3] & termios.ICANON


def test_control_c_takes_what_was_typed_before_it_and_leaves_the_rest():
    with muxsh() as terminal:
        terminal.send("print wrong\x03print right\r")
        terminal.until_line("^right$")
        assert not any(row == "wrong" for row in terminal.lines())
        terminal.line("sleep forever")
        terminal.send("print wrong\r\x03print behind\r")
        terminal.until_line("^behind$")
        assert not any(row == "wrong" for row in terminal.lines())


def test_lines_longer_than_any_screen():
    for columns, rows, length in ((80, 24, 1996), (20, 2, 54), (40, 5, 100_000)):
        with muxsh(columns=columns, rows=rows, XDG_STATE_HOME="", HOME="/nonexistent") as terminal:
            terminal.send("\x1b[200~print " + "a" * length + "\x1b[201~")
            terminal.send("\x1b[H\x1b[F" + "x" * 7 + "\x1b[H\x1b[F\r")
            terminal.until(lambda: b"x" * 7 + b"\r\n" in terminal.received.replace(b"\x1b[K", b""), "the line")
            terminal.line("")
            terminal.until_prompt()


def test_vi_keys_keep_the_cursor_in_the_line():
    with muxsh() as terminal:
        home = terminal.home
        open(home + "/.editrc", "w").write("bind -v\n")
        with muxsh(home=home) as vi:
            vi.send("\x1b[Fprint x\r")
            vi.until_line("^x$")
            # In insert mode, End moves the cursor after the last character.
            vi.send("print y\x1b[H\x1b[Fz\r")
            vi.until_line("^yz$")


def test_vi_s_v_does_not_stop_the_world():
    # libedit would run the editor and wait for it.
    server = Server()
    with muxsh() as terminal:
        home = terminal.home
        open(home + "/.editrc", "w").write("bind -v\n")
        editor = home + "/editor"
        open(editor, "w").write(f"#!/bin/sh\nwhile ! [ -e {home}/go ]; do sleep 0.05; done\necho print edited >$1\n")
        os.chmod(editor, 0o755)
        with muxsh(home=home, EDITOR=editor) as vi:
            connected(vi, server)
            for row in ("on a served {", "a> yes", "}"):
                vi.line(row)
            vi.until_prompt()
            vi.send("print one")
            vi.until_last("muxsh> print one")
            vi.send("\x1b")
            vi.until(lambda: vi.screen.cursor.x == len("muxsh> print on"), "command mode")
            vi.send("v")
            vi.until(lambda: not any("print on" in row for row in vi.lines()), "the editor")
            server.say("served meanwhile\n")
            assert server.hear(4) == b"yes\n"
            open(home + "/go", "w").close()
            vi.until_line("^# a: [0-9]+ lines? not shown meanwhile")
            vi.until_last("muxsh> print edited")


def test_a_paste_that_holds_the_interrupt_key_is_text():
    with muxsh() as terminal:
        terminal.send("\x1b[200~print 'foo\x03\x03bar'\x1b[201~")
        terminal.until(lambda: b"bar'" in terminal.received, "the pasted text")
        terminal.line("")
        terminal.until_line(r"^foo\\x03\\x03bar$")
        # Nothing after the ^C counts as typed.
        terminal.send("\x1b[200~foo\x03print pwned\rprint pwned\r\x03print pwned\rxx\x1b[201~")
        terminal.until(lambda: terminal.received.endswith(b"\x1b[?25h") and b"xx" in terminal.received, "the paste")
        terminal.send("\x03print fine\r")
        terminal.until_line("^fine$")
        assert not any(line.startswith("pwned") for line in terminal.all_lines()), terminal.all_lines()


def test_the_interrupt_key_gives_up_a_paste_that_does_not_end():
    with muxsh() as terminal:
        terminal.send("\x1b[200~print foo\rprint foo\r\x03print fine\r")
        terminal.until_line("^fine$")
        assert not any(line.startswith("foo") for line in terminal.all_lines()), terminal.all_lines()


def test_signals_of_the_terminal_leave_a_script_alone():
    with tempfile.NamedTemporaryFile("w", suffix=".mux") as script:
        script.write("listen l :0\nprint begun\naccept l a within 30s\n")
        script.flush()
        with Terminal([MUXSH, "-i", script.name]) as terminal:
            terminal.until_line("^begun$")
            terminal.resize(60, 20)
            terminal.process.kill(signal.SIGCONT)
            terminal.process.kill(signal.SIGTSTP)
            until_state(terminal, "T")
            terminal.process.kill(signal.SIGCONT)
            until_state(terminal, "S")
            assert b"interrupted" not in terminal.received
            terminal.send("\x03")
            terminal.until(lambda: b"interrupted while waiting" in terminal.received, "the interruption")


def test_a_source_that_never_comes_is_interrupted():
    with muxsh() as terminal:
        fifo = terminal.home + "/fifo"
        os.mkfifo(fifo)
        terminal.line(f"source {fifo}")
        terminal.until(lambda: any(os.path.realpath(f"/proc/{terminal.process.pid}/fd/{number}") == fifo
                                   for number in os.listdir(f"/proc/{terminal.process.pid}/fd")), "the open FIFO")
        terminal.send("\x03")
        terminal.until_line("cannot read '.*fifo': interrupted")
        terminal.line("source -")
        terminal.until_line("cannot read '-': no such file or directory")
        terminal.line("print on")
        terminal.until_line("^on$")


def test_a_line_that_fills_a_tiny_window():
    with Terminal([MUXSH], columns=2, rows=3) as terminal:
        terminal.read(1)
        for keys in (b"\xff", b"t", b"N", b"\x1b[H", b"\x1bf", b"p", b"e" * 200, b"\x1b[H", b"y" * 9):
            terminal.process.send(keys)
            # Each is a separate key only if the previous ones have been read.
            terminal.read(0.2)
        terminal.send("\x03")
        terminal.resize(80, 24)
        terminal.line("print alive")
        terminal.until_line("^alive$")


def test_a_fatal_signal_gives_back_what_was_found():
    with Terminal(["/bin/sh", "-c", f"trap : QUIT; stty -echo; {MUXSH}; stty -a; echo over"]) as terminal:
        terminal.until_prompt()
        terminal.send("\x1c")
        terminal.until_line("^over$")
        assert b" -echo " in terminal.received, terminal.received


def test_a_history_that_cannot_be_written_is_told():
    home = tempfile.mkdtemp(prefix="muxsh-full-")
    os.makedirs(home + "/.local/state/muxsh")
    os.symlink("/dev/full", home + "/.local/state/muxsh/history")
    with muxsh(home=home, XDG_STATE_HOME="", columns=200) as terminal:
        terminal.until_line("history not saved: .*: it is not a regular file")


def test_a_quote_that_is_not_closed_is_told_of_settings():
    home = tempfile.mkdtemp(prefix="muxsh-editrc-")
    for bad in ('bind "x\n', "bind 'x\n", 'muxsh:bind "x\n', '\n"\n'):
        with open(home + "/.editrc", "w") as file:
            file.write(bad + "bind ^G ed-insert\nsettc co 3\nbind -v\n")
        with muxsh(home=home) as terminal:
            terminal.until(lambda: b".editrc:" in terminal.received, "the place")
            assert b"unterminated quote" in terminal.received
            # The lines after it take effect.
            terminal.send("print onez")
            terminal.until_last("muxsh> print onez")
            terminal.send("\x1b")
            terminal.until(lambda: terminal.screen.cursor.x == len("muxsh> print one"), "command mode")
            terminal.send("x\r")
            terminal.until_line("^one$")


def test_libedit_s_own_command_line_is_closed():
    for mode, keys in (("", '\x1bx"~\r'), ("bind -v\n", '\x1b:"~\r')):
        home = tempfile.mkdtemp(prefix="muxsh-editrc-")
        with open(home + "/.editrc", "w") as file:
            file.write(mode)
        with muxsh(home=home) as terminal:
            terminal.send(keys[:1])
            terminal.read(0.1)
            terminal.send(keys[1:])
            terminal.send("\x03")
            terminal.until_prompt()
            terminal.send("iprint one\r" if mode else "print one\r")
            terminal.until_line("one$")


def test_a_history_that_another_holds_is_written_in_the_end():
    with muxsh() as terminal:
        path = terminal.home + "/state/muxsh/history"
        with open(path, "rb") as holder:
            fcntl.flock(holder, fcntl.LOCK_EX)
            terminal.line("print one")
            terminal.until_line("^one$")
            fcntl.flock(holder, fcntl.LOCK_UN)
            terminal.line("print two")
            terminal.until_line("^two$")
            assert open(path).read().splitlines()[-2:] == ["print\\040one", "print\\040two"], open(path).read()
            fcntl.flock(holder, fcntl.LOCK_EX)
            terminal.line("print three")
            terminal.until_line("^three$")
            terminal.until_prompt()
            terminal.send("\x04")
            assert terminal.status() == 0
            assert open(path).read().endswith("print\\040three\n"), open(path).read()


def test_entries_that_begin_alike_are_found():
    for mode, before, after in (("", "\x1bp", "\x1bn"), ("bind -v\n", "K", "J")):
        home = tempfile.mkdtemp(prefix="muxsh-match-")
        with open(home + "/.editrc", "w") as file:
            file.write(mode)
        with muxsh(home=home) as terminal:
            for word in ("one", "(.*", "two"):
                terminal.line(f"print '{word}'")
                terminal.until_prompt()
                terminal.line(f"let x {word[0]}x" if word != "(.*" else "let x y")
                terminal.until_prompt()
            terminal.send("print")
            # The suggestion is in grey after the cursor.
            terminal.until(lambda: terminal.lines()[-1] == "muxsh> print 'two'", "the suggestion")
            terminal.until(lambda: terminal.screen.cursor.x == len("muxsh> print"), "the cursor")
            if mode:
                terminal.send("\x1b")
                terminal.until(lambda: terminal.screen.cursor.x == len("muxsh> prin"), "command mode")
            for key, shown in ((before, "two"), (before, "(.*"), (before, "one"), (after, "(.*"), (after, "two")):
                terminal.send(key)
                terminal.until(lambda: terminal.lines()[-1] == f"muxsh> print '{shown}'", shown)
            terminal.line("")
            terminal.until(lambda: terminal.lines()[-2:] == ["two", "muxsh>"], "that it runs")
