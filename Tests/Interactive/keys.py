"""Completion, paged help, history, modes, pastes, init.mux."""

import os
import tempfile

from support import connected, muxsh
from terminal import Server


def test_tab_completes_what_there_is():
    home = tempfile.mkdtemp(prefix="muxsh-files-")
    os.mkdir(home + "/folder")
    for name in ("folder/request one.bin", "folder/other.mux"):
        open(f"{home}/{name}", "w").close()
    server = Server()
    with muxsh(home=home) as terminal:
        connected(terminal, server, "alpha")
        for typed, completed in [
            (f"send alpha --file {home}/fol\t", f"send alpha --file {home}/folder/"),
            (f"send alpha --file {home}/folder/re\t", f'send alpha --file "{home}/folder/request one.bin" '),
            (f"source {home}/folder/o\t", f"source {home}/folder/other.mux "),
            ("open b 127\t", f"open b 127.0.0.1:{server.port} "),
            ("close al*\t", "close alpha "),
            ("expect alpha,al\t", "expect alpha,alpha "),
            ("help arr\t", "help arrows "),
            ("set alpha eol cr\tl\t", "set alpha eol crlf "),
        ]:
            terminal.send(typed)
            terminal.until(
                lambda: "".join(terminal.lines()[:-1] + [terminal.typed()]).endswith(("muxsh> " + completed).rstrip()),
                repr(completed))
            terminal.send("\x03")
            terminal.until_prompt()
        terminal.line("let greeting hello")
        terminal.until_prompt()
        terminal.send("print ${gre\t you\r")
        terminal.until_line("^hello you$")


def test_help_is_shown_a_screen_at_a_time():
    with muxsh(rows=12) as terminal:
        terminal.line("help")
        terminal.until_last("-- more: Space, Enter, q --")
        assert terminal.all_lines()[2].startswith("First steps")
        terminal.send("\r")
        terminal.until_last("-- more: Space, Enter, q --")
        terminal.send(" ")
        terminal.until_last("-- more: Space, Enter, q --")
        terminal.send("q")
        terminal.until_prompt()
        terminal.line("help expect")
        terminal.until_last("-- more: Space, Enter, q --")
        # Type-ahead is not lost.
        terminal.send("print typed ahead\r")
        terminal.until_line("^typed ahead$")
        terminal.until_prompt()
        terminal.line("help")
        terminal.until_last("-- more: Space, Enter, q --")
        terminal.send("\x03")
        terminal.until_prompt()
        terminal.line("help keys")
        for _ in range(3):
            terminal.send(" ")
        terminal.until_line("the first … ninth session")
        terminal.line("help nothing")
        terminal.until_line("error: unknown command or topic 'nothing'")


def test_the_history_has_a_size_and_can_be_shown():
    home = tempfile.mkdtemp(prefix="muxsh-history-")
    with muxsh(home=home) as terminal:
        for number in range(5):
            terminal.line(f"print number {number}")
            terminal.until_line(f"^number {number}$")
            terminal.until_prompt()
        terminal.line("print number 4")
        terminal.until_prompt()
        terminal.line("history 2")
        # Identical consecutive lines are stored once.
        terminal.until_line(r"^5  print number 4$")
        terminal.until_line(r"^6  history 2$")
        terminal.line("set history 3")
        terminal.until_prompt()
        terminal.line("history")
        terminal.until_line("^3  history$")
        terminal.until_prompt()


def test_two_prompts_share_a_history():
    home = tempfile.mkdtemp(prefix="muxsh-history-")
    with muxsh(home=home) as first, muxsh(home=home) as second:
        for number in range(20):
            first.line(f"print first {number}")
            second.line(f"print second {number}")
        first.until_line("^first 19$")
        second.until_line("^second 19$")
        first.until_prompt()
        second.until_prompt()
    with open(home + "/state/muxsh/history") as file:
        lines = file.read().replace("\\040", " ").split("\n")
    for who in ("first", "second"):
        assert [line for line in lines if who in line] == [f"print {who} {number}" for number in range(20)]


def test_vi_keys_from_editrc():
    home = tempfile.mkdtemp(prefix="muxsh-editrc-")
    with open(home + "/.editrc", "w") as file:
        file.write("bind -v\n")
    with muxsh(home=home) as terminal:
        terminal.send("print one two")
        terminal.until_last("muxsh> print one two")
        # Escape, back one word, change it.
        terminal.send("\x1b")
        terminal.until(lambda: terminal.screen.cursor.x == len("muxsh> print one tw"), "command mode")
        terminal.send("bcwthree")
        terminal.until_last("muxsh> print one three")
        terminal.line("")
        terminal.until_line("^one three$")


def test_init_mux_is_read_at_the_prompt():
    home = tempfile.mkdtemp(prefix="muxsh-init-")
    os.makedirs(home + "/.config/muxsh")
    with open(home + "/.config/muxsh/init.mux", "w") as file:
        file.write("let greeting hello\ndefine greet who {\n    print ${greeting} ${who}\n}\nset timeout 100ms\n")
    server = Server()
    with muxsh(home=home) as terminal:
        terminal.line("greet you")
        terminal.until_line("^hello you$")
        connected(terminal, server)
        terminal.line("a< nothing")
        terminal.until_line(r"error: a: timed out after 100\.0 ms")
        terminal.until_prompt()
    with open(home + "/.config/muxsh/init.mux", "w") as file:
        file.write("frob\n")
    with muxsh(home=home) as terminal:
        # An error is shown, and the prompt appears anyway.
        terminal.until_line("init.mux:1:1: error: unknown command 'frob'")
        terminal.until_line("^muxsh: .*/init.mux was not run$")


def test_a_pasted_script_of_a_thousand_lines_runs_in_order():
    lines = "".join(f"print line {number} of the paste: äöü €\r" for number in range(1000))
    with muxsh(columns=60) as terminal:
        terminal.send("\x1b[200~" + lines + "\x1b[201~")
        terminal.send("\r")
        terminal.until_line("^line 999 of the paste: äöü €$")
        terminal.until_prompt()
        shown = [row for row in terminal.all_lines() if row.startswith("line ")]
        assert shown == [f"line {number} of the paste: äöü €" for number in range(1000)], len(shown)


def test_a_thousand_lines_typed_fast_run_in_order():
    with muxsh() as terminal:
        terminal.send("".join(f"print typed {number}\r" for number in range(1000)))
        terminal.until_line("^typed 999$")
        terminal.until_prompt()
        shown = [row for row in terminal.all_lines() if row.startswith("typed ")]
        assert shown == [f"typed {number}" for number in range(1000)], len(shown)


def test_keys_behind_a_search_do_what_they_do_elsewhere():
    with muxsh() as terminal:
        terminal.line("print alpha beta")
        terminal.until_line("^alpha beta$")
        for key, column in [("\x1b[D", -1), ("\x1b[H", None), ("\x1bf", 0)]:
            terminal.until_prompt()
            terminal.send("\x12alp")
            terminal.until_last("search: alp", below=True)
            terminal.send(key + "!")
            terminal.until_line("^muxsh> .*!")
            assert "[" not in terminal.lines()[-1], terminal.lines()[-1]
            terminal.send("\x03")
        terminal.until_prompt()
        # Also when nothing is found: the line is the last match.
        terminal.send("\x12alphx")
        terminal.until_last("search: alphx", below=True)
        terminal.send("\x7f\x1b[F!")
        terminal.until_last("muxsh> print alpha beta!")


def test_a_line_that_looks_like_a_search_is_none():
    with muxsh() as terminal:
        terminal.send("\x1b[200~print x\nbck:y\x1b[201~")
        terminal.until_last("bck:y")
        terminal.send("\x1b[D\x1b[D!")
        terminal.until(lambda: terminal.lines()[-1] == ".....> bck!:y", "the key where the arrows have led")
        terminal.send("\x03")
        terminal.until_prompt()


def test_control_c_drops_what_was_typed_ahead():
    server = Server()
    with muxsh() as terminal:
        connected(terminal, server)
        terminal.line("sleep forever")
        terminal.line("print typed ahead")
        terminal.send("\x04")
        # The server's line arrives after the keys, so they have been read when it is shown.
        terminal.until_line("muxsh> sleep forever")
        server.say("talking\n")
        terminal.until_line("^a< talking$")
        terminal.send("\x03")
        terminal.until_line("# interrupted")
        terminal.line("print goes on")
        terminal.until_line("^goes on$")
        assert "typed ahead" not in "\n".join(terminal.all_lines())
        # The same applies to the rest of a paste.
        terminal.until_prompt()
        terminal.send("\x1b[200~sleep forever\rprint rest of the paste\r\x1b[201~\r")
        terminal.until_line("print rest of the paste")
        server.say("more\n")
        terminal.until_line("^a< more$")
        terminal.send("\x03")
        terminal.until_line("# interrupted")
        terminal.line("print still here")
        terminal.until_line("^still here$")
        assert not any(row == "rest of the paste" for row in terminal.all_lines())


def test_the_dropped_line_is_shown_as_it_was():
    with muxsh() as terminal:
        terminal.send("print hello world\x01Y")
        terminal.until(lambda: terminal.lines()[-1] == "muxsh> Yprint hello world", "the line")
        terminal.send("\x03")
        terminal.until_line(r"^muxsh> Yprint hello world\^C$")


def test_the_pager_knows_half_a_screen_and_leaves_the_program_alone():
    with muxsh(rows=12) as terminal:
        terminal.line("help")
        terminal.until_last("-- more: Space, Enter, q --")
        first = terminal.lines()
        terminal.send("\x04")
        terminal.until(lambda: terminal.lines()[0] == first[6], "half a screen more")
        terminal.until_last("-- more: Space, Enter, q --")
        terminal.send("\x1b[6~")
        terminal.until_last("-- more: Space, Enter, q --")
        terminal.send("q")
        terminal.until_prompt()
        terminal.line("print here")
        terminal.until_line("^here$")


def test_what_is_typed_behind_control_c_is_kept():
    with muxsh(rows=40) as terminal:
        for number in range(30):
            terminal.line("sleep forever")
            terminal.until(
                lambda: terminal.lines()[-1] == "muxsh> sleep forever" and terminal.screen.cursor.x == 0, "the sleep")
            terminal.send(f"dropped {number}\x03print kept {number}\r")
            terminal.until_line(f"^kept {number}$")
            terminal.until_prompt()
            assert not any("dropped" in row for row in terminal.lines()), terminal.lines()
