"""Typing, output above the line, errors, history, blocks, signals."""

import os
import signal
import subprocess
import tempfile
import time

from support import ECHOD, MUXSH, connected, muxsh
from terminal import Server, Terminal


def test_a_conversation_with_echod():
    echod = subprocess.Popen([ECHOD, "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        port = echod.stdout.readline().rsplit(":", 1)[1].strip()
        with muxsh() as terminal:
            terminal.line(f"open a localhost:{port}")
            terminal.until_line(r"# a: connected to 127\.0\.0\.1:\d+ in ")
            terminal.until_prompt()
            terminal.line("a> hello")
            terminal.until_line(r"^a< HELLO$")
            terminal.until_prompt()
            # The typed line is not shown a second time.
            assert terminal.lines().count("a> hello") == 0 and terminal.lines().count("muxsh> a> hello") == 1
            terminal.line("expect a /WORLD/ within 100ms")
            terminal.until_line(r"timed out after 100\.0 ms waiting for /WORLD/")
            terminal.until_prompt()
            terminal.line("a> world")
            terminal.line("expect a /WORLD/")
            terminal.until_prompt()
            terminal.send("\x04")
            assert terminal.status() == 0
    finally:
        echod.terminate()
        assert echod.wait() == 0


def test_editing_in_the_middle_of_a_line():
    with muxsh() as terminal:
        terminal.send("prnt hello\x01\x1b[C\x1b[C")
        terminal.send("i\x05 you\x17me")
        terminal.until_last("muxsh> print hello me")
        terminal.line("")
        terminal.until_line(r"^hello me$")


def test_output_appears_above_the_line_being_typed():
    server = Server()
    with muxsh() as terminal:
        connected(terminal, server)
        terminal.send("a> half a thought")
        terminal.until_last("muxsh> a> half a thought")
        terminal.send("\x1b[D" * 8)
        for number in range(40):
            server.say(f"news {number}\n")
        terminal.until(lambda: "a< news 39" in terminal.lines(), "the news")
        terminal.until(lambda: terminal.lines()[-1] == "muxsh> a> half a thought", "the typed line")
        assert terminal.screen.cursor.x == len("muxsh> a> half a thought") - 8
        assert [row for row in terminal.all_lines() if row.startswith("a< ")] == [f"a< news {n}" for n in range(40)]
        terminal.line("")
        assert server.hear(len("half a thought\n")) == b"half a thought\n"


def test_output_above_a_line_of_several_rows_and_wide_characters():
    server = Server()
    with muxsh(columns=50) as terminal:
        connected(terminal, server)
        text = "a> " + "你好 wide " * 12 + "end"
        terminal.send(text)
        terminal.until_line("end$")
        terminal.send("\x01")
        for number in range(5):
            server.say(f"line {number}\n")
            terminal.until(lambda: f"a< line {number}" in terminal.lines(), "the line")
        terminal.until_line("end$")
        typed = terminal.lines()
        start = max(index for index, row in enumerate(typed) if row.startswith("muxsh> a> "))
        # pyte keeps an empty cell after each wide character.
        shown = "".join(typed[start:]).replace(" ", "")
        assert shown == ("muxsh> " + text).replace(" ", ""), typed
        terminal.line("")
        expected = (text[3:] + "\n").encode()
        assert server.hear(len(expected)) == expected


def test_a_resize_keeps_the_line_whole():
    with muxsh(columns=40) as terminal:
        text = "print " + "abcdefghij" * 6
        terminal.send(text)
        terminal.until(lambda: "".join(terminal.lines()).endswith("muxsh> " + text), "the line")
        terminal.resize(25, 15)
        terminal.send("X")
        terminal.until(lambda: "".join(terminal.lines()).endswith("muxsh> " + text + "X"), "the line at the new width")
        terminal.line("")
        terminal.until(lambda: "abcdefghij" * 6 + "X" in "".join(terminal.lines()).replace("muxsh> ", "|"), "its output")


def test_control_c_drops_the_line_and_stops_a_command():
    server = Server()
    with muxsh() as terminal:
        connected(terminal, server)
        terminal.send("print never")
        terminal.until_last("muxsh> print never")
        terminal.send("\x03")
        terminal.until_line(r"muxsh> print never\^C$")
        terminal.until_prompt()
        terminal.line("expect a /never/ within 1h")
        terminal.until(lambda: terminal.lines()[-1] == "muxsh> expect a /never/ within 1h", "the command")
        # The command must be running; a line received meanwhile proves it.
        server.say("while waiting\n")
        terminal.until_line("^a< while waiting$")
        terminal.send("\x03")
        terminal.until_line("^# interrupted$")
        terminal.until_prompt()
        terminal.line("a> still here")
        assert server.hear(11) == b"still here\n"


def test_a_block_goes_on_with_its_own_prompt():
    with muxsh() as terminal:
        terminal.line("repeat 2 as i {")
        terminal.until_prompt(".....>     ")
        terminal.line("print round ${i}")
        terminal.until_prompt(".....>     ")
        terminal.line("}")
        terminal.until_line("^round 2$")
        terminal.line("repeat 2 {")
        terminal.until_prompt(".....>     ")
        terminal.send("\x03")
        terminal.until_prompt()
        terminal.line("print free")
        terminal.until_line("^free$")


def test_errors_are_shown_and_the_prompt_goes_on():
    with muxsh() as terminal:
        terminal.line("prnt x")
        terminal.until_line("error: unknown command 'prnt'")
        terminal.until_line(r"^       \^\^\^\^$")
        terminal.until_line(r"help: did you mean 'print'\?")
        terminal.until_prompt()
        terminal.line("nobody> x")
        terminal.until_line("error: no session is named 'nobody'")
        terminal.until_prompt()
        terminal.line("print on")
        terminal.until_line("^on$")


def test_history_is_kept_across_runs():
    home = tempfile.mkdtemp(prefix="muxsh-history-")
    with muxsh(home=home) as terminal:
        terminal.line("print one two")
        terminal.until_line("^one two$")
        terminal.line(" print not kept")
        terminal.until_line("^not kept$")
        terminal.line("let --secret password hunter2")
        terminal.until_prompt()
        terminal.line("print ${password} hunter2")
        terminal.until_line(r"^\$\{password\} \$\{password\}$")
        # Killed, not ended: the typed lines are saved anyway.
        os.kill(terminal.process.pid, signal.SIGKILL)
        terminal.status()
    path = home + "/state/muxsh/history"
    assert os.stat(path).st_mode & 0o777 == 0o600
    with open(path) as file:
        assert "hunter2" not in file.read()
    with muxsh(home=home) as terminal:
        terminal.send("\x1b[A\x1b[A")
        terminal.until_last("muxsh> print one two")
        terminal.send("\x03")
        terminal.until_prompt()
        terminal.send("\x12one")
        terminal.until_line("print one two")
        terminal.send("\r")
        terminal.until_line("^one two$")


def test_tab_completes_commands_and_sessions():
    server = Server()
    with muxsh() as terminal:
        connected(terminal, server, "alpha")
        terminal.send("exp\tal\t")
        terminal.until_last("muxsh> expect alpha ")
        terminal.send("\x03")
        terminal.until_prompt()
        terminal.send("al\tx")
        terminal.until_last("muxsh> alpha> x")
        terminal.send("\x03")
        terminal.until_prompt()
        terminal.send("s\t")
        # Each is listed with its summary, because all of them fit on the screen.
        terminal.until_line(r"^select +wait for the first of several events$")
        terminal.until_line(r"^starttls +start TLS on an open session$")
        terminal.until_last("muxsh> s", below=True)


def test_what_a_server_sends_never_acts_on_the_terminal():
    server = Server()
    with muxsh() as terminal:
        connected(terminal, server)
        before = len(terminal.received)
        hostile = "\x1b[2J\x1b]0;title\x07\x9b31m\x0e\x7f‮\r\x08end\n"
        server.say(hostile)
        terminal.until_line("end$")
        shown = terminal.received[before:]
        assert b"\x1b[2J" not in shown and b"\x07" not in shown and b"\x0e" not in shown and b"\x08" not in shown
        assert "‮".encode() not in shown and b"\xc2\x9b" not in shown


def test_a_part_of_a_line_is_shown_after_a_pause_without_a_live_row():
    server = Server()
    with muxsh("--color", "never") as terminal:
        connected(terminal, server)
        server.say("login: ")
        terminal.until_line(r"^a< login: \\$")
        terminal.until_prompt()


def test_a_pasted_block_runs_in_order():
    server = Server()
    with muxsh() as terminal:
        connected(terminal, server)
        lines = "".join(f"a> {number}\r" for number in range(200))
        terminal.send("\x1b[200~" + lines + "\x1b[201~\r")
        expected = "".join(f"{number}\n" for number in range(200)).encode()
        assert server.hear(len(expected)) == expected


def test_what_is_typed_ahead_is_not_lost():
    with muxsh() as terminal:
        terminal.send("sleep 300ms\rprint first\rprint second\r")
        terminal.until_line("^second$")
        rows = terminal.lines()
        assert rows.index("first") < rows.index("second")


def test_stopping_and_going_on():
    with Terminal(["/bin/bash", "--norc"], PS1="$ ") as terminal:
        terminal.until_prompt("$ ")
        terminal.line(MUXSH)
        terminal.until_prompt()
        terminal.send("print half")
        terminal.until_last("muxsh> print half")
        terminal.send("\x1a")
        terminal.until_line("Stopped")
        terminal.line("stty -a | grep -o ' icanon'")
        terminal.until_line("^ icanon$")
        terminal.line("fg")
        terminal.until_last("muxsh> print half")
        terminal.line(" whole")
        terminal.until_line("^half whole$")


def test_what_arrives_while_it_is_stopped_stands_above_the_line():
    server = Server()
    with Terminal(["/bin/bash", "--norc"], PS1="$ ") as terminal:
        terminal.until_prompt("$ ")
        terminal.line(f"{MUXSH} -o a=127.0.0.1:{server.port}")
        server.accept()
        terminal.until_prompt()
        terminal.send("print half")
        terminal.until_last("muxsh> print half")
        terminal.send("\x1a")
        terminal.until_line("Stopped")
        server.say("while stopped\n")
        terminal.line("fg")
        terminal.until_line("^a< while stopped$")
        terminal.until_last("muxsh> print half")
        server.say("and later\n")
        terminal.until_line("^a< and later$")
        terminal.until_last("muxsh> print half")
        terminal.line("")
        terminal.until_line("^half$")


def test_the_terminal_is_given_back():
    for ending in ("\x04", "quit\r", "exit 7\r", "\x1c", signal.SIGTERM, signal.SIGUSR1):
        with Terminal(["/bin/bash", "--norc", "-c", f"{MUXSH}; echo status $?; stty -a"]) as terminal:
            terminal.until_prompt()
            if isinstance(ending, str):
                terminal.send(ending)
            else:
                os.system(f"pkill -{int(ending)} -P {terminal.process.pid}")
            status = {"exit 7\r": 7, "\x1c": 131, signal.SIGTERM: 143, signal.SIGUSR1: 138}.get(ending, 0)
            terminal.until_line(f"status {status}$")
            terminal.until_line("[^-]icanon")
            terminal.until_line("[^-]echo ")
            assert terminal.received.rstrip().count(b"\x1b[?2004l") >= 1


def test_control_l_clears_the_screen():
    with muxsh() as terminal:
        terminal.line("print x")
        terminal.until_line("^x$")
        terminal.send("half a line\x0c")
        terminal.until(lambda: terminal.lines() == ["muxsh> half a line"], "the line alone")


def test_the_end_of_input_in_a_block_does_not_end_the_prompt():
    with muxsh() as terminal:
        terminal.line("repeat 2 {")
        terminal.until_prompt(".....>     ")
        terminal.send("\x04")
        terminal.send("x")
        terminal.until_prompt(".....>     x")
        terminal.send("\x03")
        terminal.until_prompt()
        terminal.line("print on")
        terminal.until_line("^on$")


def test_captures_go_on_from_line_to_line():
    server = Server()
    with muxsh() as terminal:
        connected(terminal, server)
        server.say("version 7\n")
        terminal.until_line("^a< version 7$")
        terminal.line("expect a /version (.)/")
        terminal.until_prompt()
        terminal.line("print it is ${1}")
        terminal.until_line("^it is 7$")


def test_a_plain_terminal_gives_output_its_own_lines():
    server = Server()
    with muxsh(TERM="dumb") as terminal:
        terminal.line(f"open a 127.0.0.1:{server.port}")
        server.accept()
        terminal.until_line("# a: connected")
        terminal.until_prompt()
        server.say("news\n")
        terminal.until_line("^a< news$")
        terminal.until_prompt()
        terminal.send("\x03")
        terminal.until(lambda: terminal.lines()[-2:] == ["muxsh> ^C", "muxsh>"], "a new prompt")


def test_a_plain_terminal_gets_no_escapes():
    with muxsh(TERM="dumb") as terminal:
        terminal.line("print hello")
        terminal.until_line("^hello$")
        terminal.until_prompt()
        assert b"\x1b" not in terminal.received
        terminal.send("\x04")
        assert terminal.status() == 0


def test_a_script_then_the_prompt():
    server = Server()
    with Terminal([MUXSH, "-i", "-c", f"open a 127.0.0.1:{server.port}"]) as terminal:
        server.accept()
        terminal.until_prompt()
        terminal.line("a> x")
        assert server.hear(2) == b"x\n"
    with Terminal([MUXSH, "-i", "-c", "sleep 1x1"]) as terminal:
        assert terminal.status() == 2


def test_a_flood_leaves_the_prompt_usable():
    server = Server()
    with muxsh("-q") as terminal:
        connected_quiet(terminal, server)
        server.say(b"".join(b"line %d\n" % number for number in range(100000)))
        terminal.line("print alive")
        terminal.until_line("^alive$")


def connected_quiet(terminal, server):
    terminal.line(f"open a 127.0.0.1:{server.port}")
    server.accept()
    terminal.until_prompt()


def test_it_sleeps_when_nothing_happens():
    server = Server()
    with muxsh() as terminal:
        connected(terminal, server)
        server.connection.close()
        terminal.until_line(r"^a<\|$")
        before = ticks(terminal.process.pid)
        # A busy loop would use a hundred ticks in this second. This tests CPU use, not time.
        time.sleep(1)
        assert ticks(terminal.process.pid) - before <= 5


def ticks(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])
