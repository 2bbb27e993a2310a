"""Colors, hexadecimal, tables that fit, errors below the line, plain terminals."""

import re

from support import connected, muxsh
from terminal import Server


def test_sessions_have_colours_of_their_own():
    servers = [Server(), Server()]
    with muxsh() as terminal:
        for name, server in zip("ab", servers):
            connected(terminal, server, name)
            server.say("hello\n")
            terminal.until_line(f"^{name}< hello$")
        colours = set()
        for row in range(terminal.screen.lines):
            text = terminal.screen.display[row]
            if text.startswith(("a< hello", "b< hello")):
                colours.add(terminal.screen.buffer[row][0].fg)
                assert terminal.screen.buffer[row][4].fg == "default"
        assert len(colours) == 2 and "default" not in colours, colours


def test_no_colour_where_none_is_wanted():
    for options, environment in [(["--color", "never"], {}), ([], {"NO_COLOR": "1"}), ([], {"TERM": "vt100"})]:
        server = Server()
        with muxsh(*options, **environment) as terminal:
            connected(terminal, server)
            server.say("hello\n")
            terminal.until_line("^a< hello$")
            terminal.until_prompt()
            terminal.line("prnt x")
            terminal.until_line("unknown command")
            assert not re.search(rb"\x1b\[[0-9;]*m", terminal.received), terminal.received


def test_nothing_but_text_for_screen_readers():
    server = Server()
    with muxsh("--color", "never") as terminal:
        connected(terminal, server)
        terminal.send("print one two three")
        terminal.until_last("muxsh> print one two three")
        server.say("news\n")
        terminal.until_line("^a< news$")
        terminal.until_last("muxsh> print one two three")
        # Back one word, delete the previous one, insert a letter, go to the end.
        terminal.send("\x1bb\x17x\x05!")
        terminal.until_last("muxsh> print one xthree!")
        terminal.send("\x7f")
        terminal.until_last("muxsh> print one xthree")
        terminal.line("")
        terminal.until_line("^one xthree$")
        terminal.line("help")
        terminal.until_last("-- more: Space, Enter, q --")
        terminal.send("q")
        terminal.until_prompt()
        assert b"\x1b" not in terminal.received, terminal.received
        # A line of several rows needs escape sequences.
        terminal.send("print " + "0123456789" * 12)
        terminal.until(lambda: "".join(terminal.lines()).endswith("0123456789" * 12), "the long line")
        terminal.send("\x01")
        terminal.until(lambda: terminal.screen.cursor.x == len("muxsh> "), "the start of the line")


def test_bytes_in_hexadecimal():
    server = Server()
    with muxsh() as terminal:
        connected(terminal, server)
        terminal.line("view hex")
        terminal.line("print ready")
        terminal.until_line("^ready$")
        server.say(b"\x01hello \xff\r\n")
        terminal.until_line(r"^a< 01 68 65 6c 6c 6f 20 ff 0d 0a +\|\.hello \.\.\.\|$")
        terminal.line("view text")
        terminal.line("print ready again")
        terminal.until_line("^ready again$")
        server.say(b"hello\n")
        terminal.until_line("^a< hello$")


def test_the_list_fits_the_width():
    server = Server()
    with muxsh(columns=100) as terminal:
        connected(terminal, server)
        terminal.line("list")
        terminal.until_line("^NAME +KIND +ADDRESS +STATE +SENT B/L +RECEIVED B/L +UNREAD +AGE$")
        terminal.until_prompt()
        terminal.resize(45, 20)
        terminal.line("list")
        terminal.until_line("^NAME +KIND +ADDRESS +STATE( +UNREAD)?$")
        terminal.until_prompt()


def test_carets_stand_under_the_typed_words():
    with muxsh() as terminal:
        terminal.line("open a localhost")
        terminal.until_line("error: 'localhost' has no port")
        rows = terminal.lines()
        typed = rows.index("muxsh> open a localhost")
        assert rows[typed + 1] == " " * len("muxsh> open a ") + "^" * len("localhost"), rows
        terminal.until_prompt()
        terminal.line("print äöü ${nothing}")
        terminal.until_line("error: variable 'nothing' is never set")
        rows = terminal.lines()
        typed = rows.index("muxsh> print äöü ${nothing}")
        assert rows[typed + 1] == " " * len("muxsh> print äöü ") + "^" * len("${nothing}"), rows


def test_a_failure_at_the_prompt_says_what_arrived_and_not_where():
    server = Server()
    with muxsh() as terminal:
        connected(terminal, server)
        server.say("something else\n")
        terminal.until_line("^a< something else$")
        terminal.line("a< something")
        terminal.until_line("^error: a: the line differs$")
        terminal.until_line(r"^  \| expected: a< something$")
        terminal.until_line(r"^  \| arrived:  a< something else$")
        terminal.until_prompt()
        terminal.line("print and on")
        terminal.until_line("^and on$")
        assert sum("the line differs" in row for row in terminal.all_lines()) == 1
        # In a block the position is needed.
        terminal.line("repeat 1 {")
        terminal.line("fail because")
        terminal.line("}")
        terminal.until_line(r"^<prompt>:\d+:5: error: because$")
        terminal.until_prompt()


def test_a_dumb_terminal_can_talk_too():
    server = Server()
    with muxsh(TERM="dumb") as terminal:
        terminal.line(f"open a 127.0.0.1:{server.port}")
        server.accept()
        terminal.until_line("# a: connected")
        terminal.until_prompt()
        terminal.line("talk a")
        terminal.until_last("a> ")
        terminal.line("hello")
        assert server.hear(6) == b"hello\n"
        server.say("answer\n")
        terminal.until_line("^a< answer$")
        terminal.until_last("a> ")
        terminal.line(":help keys")
        terminal.until_line("complete, or list the choices")
        assert b"\x1b" not in terminal.received


def test_the_list_keeps_the_ports():
    servers = [Server() for _ in range(2)]
    with muxsh(columns=80) as terminal:
        for server, name in zip(servers, ("primary-redis", "replica-redis")):
            connected(terminal, server, name)
        terminal.line("list")
        for server, name in zip(servers, ("primary-redis", "replica-redis")):
            terminal.until_line(rf"^{name} .*127\.0\.0\.1:{server.port}\b")


def test_carets_of_a_line_wider_than_the_screen():
    with muxsh(columns=40) as terminal:
        terminal.line("print " + "x" * 60 + " ${nope}")
        terminal.until_line(r"^  … x+ \$\{nope\}$")
        row = terminal.lines().index(next(line for line in terminal.lines() if line.startswith("  … ")))
        assert terminal.lines()[row + 1].strip() == "^" * 7
        assert terminal.lines()[row + 1].index("^") == terminal.lines()[row].index("$")
        terminal.until_line("error: variable 'nope' is never set")


def test_messages_and_help_are_cut_at_blanks():
    with muxsh(columns=40, rows=40) as terminal:
        terminal.line("open a localhost:1")
        terminal.until_line("^error: a: cannot connect to$")
        terminal.until_line("^localhost:1: connection refused$")
        terminal.until_prompt()
        terminal.line("help print")
        terminal.until_line("^  --raw  write the bytes unchanged,$")
        terminal.until_line("^         without a newline at the end$")
