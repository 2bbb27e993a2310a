"""Completion: the choices that Tab offers, lists and inserts."""

import os
import tempfile

from support import connected, muxsh
from terminal import Server


def test_the_names_of_files_never_act_on_the_terminal():
    home = tempfile.mkdtemp(prefix="muxsh-files-")
    os.mkdir(home + "/d")
    names = [b"\x1b[31mred\x1b]0;PWNED\x07", b"x\rprint pwn", b"y\nquit", "r\u202etl".encode(), b"\xff\xfe"]
    for name in names:
        open(home.encode() + b"/d/" + name, "w").close()
    with muxsh(home=home) as terminal:
        terminal.received = b""
        terminal.send(f"source {home}/d/\t\t")
        terminal.until_line(r"r\\u\{202e\}tl")
        terminal.until_line(r"x\\rprint\\x20pwn|x\\rprint pwn")
        terminal.until_line(r"\\xff\\xfe")
        shown = terminal.received.replace(b"\x1b[31", b"", 0)
        assert not any(part in shown for part in (b"\x1b]", b"\x07PWN", b"\x1b[31m", "\u202e".encode(), b"\xff"))


def test_the_name_of_a_file_is_quoted_when_it_must_be():
    home = tempfile.mkdtemp(prefix="muxsh-files-")
    with open(home + "/new\nquit", "w") as file:
        file.write("print it was read\n")
    with open(home + "/\x1bx", "w") as file:
        file.write("print the other\n")
    with muxsh(home=home) as terminal:
        terminal.send(f"source {home}/new\t")
        terminal.until_line(r'new\\nquit"')
        terminal.line("")
        terminal.until_line("^it was read$")
        terminal.until_prompt()
        # An escape can also be typed, and completed after it.
        terminal.send(f'source "{home}/\\e\t')
        terminal.until_line(r'\\ex"')
        terminal.line("")
        terminal.until_line("^the other$")


def test_a_list_appears_also_when_a_tab_went_on():
    servers = [Server() for _ in range(2)]
    with muxsh() as terminal:
        connected(terminal, servers[0], "alpha")
        connected(terminal, servers[1], "alps")
        terminal.send("close a\t")
        terminal.until_last("muxsh> close alp", below=True)
        terminal.until_line("^alpha .*127.0.0.1")
        terminal.until_line("^alps .*127.0.0.1")


def test_tab_in_the_middle_of_a_line_adds_no_blank():
    with muxsh() as terminal:
        terminal.send("pri x\x01\x1b[C\x1b[C\x1b[C\t")
        terminal.until(lambda: terminal.lines()[-1] == "muxsh> print x", "one blank")
        terminal.send("\r")
        terminal.until_line("^x$")


def test_settings_variables_and_signals_are_offered():
    server = Server()
    with muxsh(MUXSH_COLOUR="blue") as terminal:
        connected(terminal, server, "alpha")
        for typed, completed in [
            ("set tim\t", "set timeout "),
            ("print ${alpha.ad\t", "print ${alpha.address}"),
            ("print ${env.MUXSH_C\t", "print ${env.MUXSH_COLOUR}"),
            ("signal alpha TER\t", "signal alpha TERM "),
            ("if open al\t", "if open alpha "),
        ]:
            terminal.send(typed)
            terminal.until_last("muxsh> " + completed)
            terminal.send("\x03")
            terminal.until_prompt()
        terminal.send("set \t\t")
        terminal.until_line(r"\balpha\b.*\beol\b.*\btimeout\b|^alpha ")
        terminal.until_line("timeout")
