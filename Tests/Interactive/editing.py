"""Editing at the prompt: blocks as one text, lists below the line, the search, undo, the user's editor."""

import os

from support import connected, muxsh
from terminal import Server

UP, DOWN, LEFT, RIGHT = "\x1b[A", "\x1b[B", "\x1b[D", "\x1b[C"


def cell(terminal, text):
    """Returns the first character on the screen that shows the text, with its attributes."""
    for number, row in enumerate(terminal.screen.display):
        if text in row:
            return terminal.screen.buffer[number][row.index(text)]
    raise AssertionError(f"{text!r} is not on the screen")


def block(terminal):
    terminal.line("repeat 2 as i {")
    terminal.until_last(".....>     ")
    terminal.line("print round ${i}")
    terminal.until_last(".....>     ")


def test_any_row_of_a_block_can_be_edited():
    for options in ([], ["--color", "never"]):
        with muxsh(*options) as terminal:
            block(terminal)
            terminal.send(UP)
            terminal.until(lambda: terminal.typed() == ".....>     print round ${i}", "the row above")
            terminal.send("\x05, changed\r")
            # Enter inside an open block begins a row; the last row is below it.
            terminal.until(lambda: terminal.typed() == ".....>", "another row")
            terminal.send(DOWN + "}\r")
            terminal.until_line("^round 1, changed$")
            terminal.until_line("^round 2, changed$")
            terminal.until_prompt()
            # The history keeps it as one entry; Up and Down move inside it, and then through the history.
            terminal.send(UP)
            terminal.until(lambda: terminal.typed().endswith("> }"), "the block")
            terminal.send("\x01" + UP * 3)
            terminal.until(lambda: terminal.typed() == "muxsh> repeat 2 as i {", "its first row")
            terminal.send(DOWN * 4)
            terminal.until_prompt()


def test_enter_runs_a_whole_block_from_any_row():
    with muxsh() as terminal:
        block(terminal)
        terminal.send("}" + UP)
        terminal.until(lambda: "print round" in terminal.typed(), "the row above")
        terminal.send("\r")
        terminal.until_line("^round 2$")
        terminal.until_prompt()
        assert [row for row in terminal.lines() if "round" in row or "}" in row] == [
            ".....>     print round ${i}", ".....> }", "round 1", "round 2",
        ], terminal.lines()


def test_rows_are_indented_and_typed_blanks_replace_that():
    with muxsh() as terminal:
        terminal.line("repeat 1 {")
        terminal.line("repeat 1 {")
        terminal.until_last(".....>         ")
        terminal.line("  print mine")
        terminal.until_line(r"^\.\.\.\.\.>   print mine$")
        terminal.line("")
        terminal.line("}")
        terminal.until_line(r"^\.\.\.\.\.>     }$")
        # The blanks of a row in which nothing was typed are not kept.
        terminal.line("}")
        terminal.until_line("^mine$")
        terminal.line("print <<END")
        terminal.until_last(".....> ")
        terminal.line("    kept")
        terminal.line("END")
        terminal.until_line("^    kept$")


def test_a_wrong_row_is_marked_when_it_is_left_until_it_is_right():
    with muxsh() as terminal:
        terminal.line("repeat 1 {")
        terminal.send("prnt x")
        terminal.until_last(".....>     prnt x")
        assert cell(terminal, ".....>").fg == "default"
        terminal.send("\r")
        terminal.until(lambda: cell(terminal, ".....>     prnt").fg == "red", "the mark")
        terminal.send(UP + "\x01" + RIGHT * 6 + "i")
        terminal.until(lambda: "print x" in terminal.typed(), "the correction")
        terminal.until(lambda: cell(terminal, ".....>     print").fg == "default", "no mark")
    with muxsh("--color", "never") as terminal:
        terminal.line("repeat 1 {")
        terminal.line("prnt x")
        terminal.until_line(r"^\.\.\.\.\.!     prnt x$")
        terminal.send(UP + "\x01" + RIGHT * 6 + "i")
        terminal.until_line(r"^\.\.\.\.\.>     print x$")


def test_a_list_of_described_choices_stands_below_the_line():
    with muxsh() as terminal:
        terminal.send("set eol c\t")
        terminal.until_last("muxsh> set eol cr", below=True)
        terminal.until_line(r"^crlf  \\r\\n: SMTP")
        terminal.send("\t\t")
        terminal.until_last("muxsh> set eol crlf", below=True)
        assert cell(terminal, "crlf  \\r").reverse
        # Shift-Tab goes back, ^G gives back what was typed.
        terminal.send("\x1b[Z")
        terminal.until(lambda: terminal.typed() == "muxsh> set eol cr", "the former choice")
        terminal.send("\t\x07")
        terminal.until_last("muxsh> set eol cr")
        terminal.send("\x03")
        terminal.until_prompt()
        # Enter takes a choice, and runs the line only then.
        terminal.send("set color \t\t\t")
        terminal.until_last("muxsh> set color auto", below=True)
        terminal.send("\r")
        terminal.until_last("muxsh> set color auto ")
        terminal.send("\r")
        terminal.until_prompt()
        assert not any("on a terminal" in row for row in terminal.lines()), terminal.lines()


def test_typing_narrows_the_list():
    with muxsh() as terminal:
        terminal.send("re\t")
        for name in ("record", "reopen", "repeat", "reserve", "retry"):
            terminal.until_line(f"^{name} ")
        terminal.send("o")
        terminal.until(lambda: not any(row.startswith("retry") for row in terminal.lines()), "fewer choices")
        terminal.send("\t")
        terminal.until_last("muxsh> reopen ")


def test_a_long_list_is_shown_in_part():
    with muxsh(rows=8) as terminal:
        terminal.send("\t")
        terminal.until_line("^… [0-9]+ more$")
        assert len(terminal.lines()) <= 8
        terminal.send("\x1b[Z")
        terminal.until_line("^write ")
        terminal.send("\x03")
        terminal.until_prompt()


def test_candidates_are_found_by_their_characters():
    with muxsh() as terminal:
        terminal.send("prnt\tx\r")
        terminal.until_line("^x$")
        terminal.until_prompt()
        terminal.send("set tmo\t")
        terminal.until_last("muxsh> set timeout ")


def test_addresses_are_offered_with_how_they_are_known():
    server = Server()
    with muxsh() as terminal:
        connected(terminal, server, "alpha")
        terminal.line("listen door 127.0.0.1:0")
        terminal.until_line("# door: listening")
        terminal.send("open b 127\t")
        terminal.until_line(rf"^127\.0\.0\.1:{server.port} +peer of alpha$")
        terminal.until_line(r"^127\.0\.0\.1:[0-9]+ +listener door$")
        terminal.until_line(r"^127\.0\.0\.1:0 +typed 1 time$")


def test_values_of_variables_are_offered_but_no_secrets():
    with muxsh() as terminal:
        terminal.line("let color bluish")
        terminal.line("let --secret coldword hunter2")
        terminal.send("print ${col\t")
        terminal.until_line("^color +bluish$")
        terminal.until_line(r"^coldword +\*+|^coldword ")
        assert not any("hunter2" in row for row in terminal.lines()[3:]), terminal.lines()


def test_programs_and_words_of_the_conversation_are_completed():
    server = Server()
    with muxsh() as terminal:
        terminal.send("spawn s mkfif\t")
        terminal.until_last("muxsh> spawn s mkfifo ")
        terminal.send("\x03")
        terminal.until_prompt()
        connected(terminal, server)
        server.say("220 mail.example.com ESMTP\n")
        terminal.until_line("^a< 220")
        terminal.line("talk a")
        terminal.until_last("a> ")
        terminal.send("EHLO mail\t")
        terminal.until_last("a> EHLO mail.example.com ")


def test_the_form_of_a_command_is_hinted_at():
    with muxsh() as terminal:
        terminal.send("open a ")
        terminal.until_line("^muxsh> open a ADDRESS$")
        terminal.until_last("muxsh> open a ")
        # It is only a hint: the keys that take a suggestion do not take it.
        terminal.send("\x05x")
        terminal.until_last("muxsh> open a x")
        terminal.send("\x03")
        terminal.until_prompt()
        terminal.line("repeat 2 {")
        terminal.until_last(".....>     ")
        terminal.send("sleep ")
        terminal.until_line(r"^\.\.\.\.\.>     sleep .*D")
    with muxsh("--color", "never") as terminal:
        terminal.send("open a ")
        terminal.until_last("muxsh> open a ")
        assert "ADDRESS" not in "".join(terminal.lines()[1:])


def test_the_search_finds_all_terms_in_any_sequence():
    for settings in ("", "bind -v\n"):
        with muxsh() as former:
            open(former.home + "/.editrc", "w").write(settings)
            with muxsh(home=former.home) as terminal:
                for word in ("beta alpha", "alpha beta", "gamma", "ALPHA gamma beta"):
                    terminal.line(f"print {word}")
                    terminal.until_line(f"^{word}$")
                    terminal.until_prompt()
                terminal.send("half\x12")
                terminal.until_last("search: ", below=True)
                terminal.send("beta alpha")
                # Newest first.
                terminal.until(lambda: terminal.lines()[-3:] == [
                    "> print ALPHA gamma beta", "  print alpha beta", "  print beta alpha"], "three entries")
                terminal.send("\x12")
                terminal.until_line("^> print alpha beta$")
                terminal.send("\x07")
                terminal.until_last("muxsh> half")
                terminal.send("\x12pha")
                terminal.until_line("^> print ALPHA gamma beta$")
                terminal.send("\x12\x12\t")
                terminal.until_last("muxsh> print beta alpha")
                terminal.send("!\r")
                terminal.until_line("^beta alpha!$")
                terminal.until_prompt()
                # What is no longer found is not run.
                terminal.send("\x12gammax")
                terminal.until_line("^no entry has all of these$")
                terminal.send("\r\x7f")
                terminal.until_line("^> print ALPHA gamma beta$")
                terminal.send("\r")
                terminal.until(lambda: terminal.lines().count("ALPHA gamma beta") == 2, "the entry to run")


def test_the_search_without_color_shows_the_entry():
    with muxsh("--color", "never") as terminal:
        terminal.line("print alpha beta")
        terminal.until_line("^alpha beta$")
        terminal.until_prompt()
        terminal.send("\x12be al")
        terminal.until_last("search 'be al': print alpha beta")
        terminal.send("\r")
        terminal.until(lambda: terminal.lines().count("alpha beta") == 2, "the entry to run")


def test_undo_gives_back_what_was_typed_a_word_at_a_time():
    with muxsh() as terminal:
        terminal.send("print one two")
        terminal.until_last("muxsh> print one two")
        terminal.send("\x1f")
        terminal.until_last("muxsh> print one ")
        terminal.send("\x15")
        terminal.until_last("muxsh> ")
        terminal.send("\x1f")
        terminal.until_last("muxsh> print one ")
        terminal.send("\x1f\x1f\x1f\x1f")
        terminal.until_last("muxsh> ")


def editor(home, script):
    path = home + "/editor"
    open(path, "w").write("#!/bin/sh\n" + script)
    os.chmod(path, 0o755)
    return path


def test_the_editor_gets_the_block_and_gives_it_back():
    with muxsh() as former:
        home = former.home
        program = editor(home, 'cp "$2" "$HOME/seen"; sed -i s/one/two/ "$2"; stat -c %a "$2" >"$HOME/mode"\n')
        with muxsh(home=home, EDITOR=program + " --wait") as terminal:
            terminal.line("repeat 1 {")
            terminal.send("print one\x18\x05")
            terminal.until_last(".....>     print two")
            assert open(home + "/seen").read() == "repeat 1 {\n    print one\n"
            assert open(home + "/mode").read() == "600\n"
            terminal.line("")
            terminal.line("}")
            terminal.until_line("^two$")
            terminal.until_prompt()
            terminal.line("print one by one")
            terminal.until_prompt()
            terminal.line("edit")
            terminal.until_last("muxsh> print two by one")
            terminal.line("")
            terminal.until_line("^two by one$")
            terminal.until_prompt()
            terminal.line("edit 99")
            terminal.until_line("error: the history has no entry 99")


def test_an_editor_that_fails_leaves_the_text():
    with muxsh() as former:
        with muxsh(home=former.home, EDITOR=editor(former.home, "exit 3\n")) as terminal:
            terminal.send("print kept\x18\x05")
            terminal.until_line("^muxsh: the editor exited with status 3; the text is as it was$")
            terminal.until_last("muxsh> print kept")


def test_sessions_are_served_while_the_editor_runs():
    server = Server()
    with muxsh() as former:
        home = former.home
        program = editor(home, f"while ! [ -e {home}/go ]; do sleep 0.05; done\n")
        with muxsh(home=home, EDITOR=program) as terminal:
            connected(terminal, server)
            for row in ("on a PING {", "a> PONG", "}"):
                terminal.line(row)
            terminal.until_prompt()
            terminal.send("print x\x18\x05")
            terminal.until(lambda: "muxsh> print x" not in terminal.lines(), "the editor")
            server.say("PING\n")
            assert server.hear(5) == b"PONG\n"
            open(home + "/go", "w").close()
            terminal.until_last("muxsh> print x")


def test_an_editor_that_leaves_no_file_leaves_the_text():
    for script in ('rm -f "$1"; mkfifo "$1"\n', 'rm -f "$1"; mkdir "$1"\n', 'rm -f "$1"\n'):
        with muxsh() as former:
            with muxsh(home=former.home, EDITOR=editor(former.home, script)) as terminal:
                terminal.send("print kept\x18\x05")
                terminal.until_line("^muxsh: cannot read .*entry.mux: ")
                terminal.until_last("muxsh> print kept")
