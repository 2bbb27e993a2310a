"""The human layer of the prompt on a narrow screen, on a terminal without color, and with --color never."""

from support import muxsh
from terminal import Server

UP = "\x1b[A"
PLACES = ({"columns": 40}, {"TERM": "vt100"}, {"columns": 40, "rows": 8, "TERM": "vt100"}, {"columns": 24, "rows": 10}, {"columns": 250})


def everywhere(test):
    """Runs a test in all places; the failure names the place."""
    def run():
        for place in PLACES:
            try:
                with muxsh(**place) as terminal:
                    test(terminal)
            except AssertionError as error:
                raise AssertionError(f"{place}: {error}") from error

    return run


@everywhere
def test_blocks_everywhere(terminal):
    terminal.line("repeat 2 as i {")
    terminal.line("prnt ${i}")
    terminal.until_last(".....>     ")
    terminal.send(UP + "\x01" + "\x1b[C" * 6 + "i")
    terminal.until(lambda: terminal.typed().endswith("print ${i}"), "the corrected row")
    terminal.send("\x1b[B}\r")
    terminal.until_line("^2$")
    terminal.until_prompt()
    assert not any("rror" in row for row in terminal.lines()), terminal.lines()


@everywhere
def test_choices_everywhere(terminal):
    terminal.send("set eol c\t")
    terminal.until_last("muxsh> set eol cr", below=True)
    terminal.until_line(r"^crlf")
    terminal.send("\t\t\r")
    terminal.until_last("muxsh> set eol crlf ")
    terminal.send("\r")
    terminal.until_prompt()


@everywhere
def test_searches_everywhere(terminal):
    for word in ("one", "two"):
        terminal.line(f"print {word}")
        terminal.until_line(f"^{word}$")
        terminal.until_prompt()
    terminal.send("\x12one pri")
    terminal.until_line("^> print one$")
    terminal.send("\t")
    terminal.until_last("muxsh> print one")
    terminal.send("\x1f")
    terminal.until_last("muxsh> ")


def test_live_and_waiting_rows_everywhere():
    for place in PLACES:
        server = Server()
        with muxsh(**place) as terminal:
            terminal.line(f"open a 127.0.0.1:{server.port}")
            server.accept()
            terminal.until(lambda: "connected" in "".join(terminal.lines()), "the connection")
            terminal.until_prompt()
            server.say("half")
            terminal.until(lambda: terminal.lines()[-2:] == ["a< half", "muxsh>"], f"the live row: {place}")
            terminal.line("expect a whole")
            terminal.until_line("^waiting")
            terminal.send("print x")
            terminal.until(lambda: terminal.lines()[-1] == "print x", f"what is typed ahead: {place}")
            server.say(" and whole\n")
            terminal.until_last("muxsh> print x")
            server.say("".join(f"{number}\n" for number in range(300)))
            terminal.until_line("^a< 299$")
            terminal.until_last("muxsh> print x")


def test_a_dumb_terminal_still_has_plain_lines():
    server = Server()
    with muxsh(TERM="dumb") as terminal:
        terminal.line("repeat 1 {")
        terminal.until_last(".....> ")
        terminal.line("print inside")
        terminal.line("}")
        terminal.until_line("^inside$")
        terminal.line(f"open a 127.0.0.1:{server.port}")
        server.accept()
        terminal.until_line("# a: connected")
        terminal.line("view a json")
        server.say('{"a": 1}\n')
        terminal.until_line(r'^a< {"a": 1}$')
        terminal.line("edit")
        terminal.until_line("^muxsh: 'edit' needs a terminal that can move its cursor")
        terminal.line("print on")
        terminal.until_line("^on$")
        assert b"\x1b" not in terminal.received


def test_vi_keys_move_between_the_rows_of_a_block():
    with muxsh() as former:
        open(former.home + "/.editrc", "w").write("bind -v\n")
        with muxsh(home=former.home) as terminal:
            terminal.line("print before")
            terminal.until_line("^before$")
            terminal.until_prompt()
            terminal.line("repeat 1 {")
            terminal.until_last(".....>     ")
            terminal.line("print inside")
            terminal.until_last(".....>     ")
            terminal.send("}\x1b")
            terminal.until(lambda: terminal.screen.cursor.x == len(".....> "), "command mode")
            terminal.send("k")
            terminal.until(lambda: "print inside" in terminal.typed(), "the row above")
            terminal.send("k")
            terminal.until(lambda: "repeat" in terminal.typed(), "the first row")
            terminal.send("k")
            terminal.until(lambda: terminal.typed() == "muxsh> print before", "the history")
            terminal.send("j")
            terminal.until(lambda: any("inside" in row for row in terminal.lines()[-3:]), "the block again")
            terminal.send("\r")
            terminal.until_line("^inside$")


def test_help_is_wrapped_once_on_a_narrow_screen():
    with muxsh(columns=40, rows=60) as terminal:
        terminal.line("help mute")
        terminal.until_line("^Example")
        rows = terminal.lines()
        paragraph = rows[rows.index("muxsh> help mute") + 1 : rows.index("")]
        # A row that was wrapped twice would leave one with a word or two inside a paragraph.
        assert len(paragraph) > 2 and all(len(row) > 24 for row in paragraph[:-1]), paragraph
