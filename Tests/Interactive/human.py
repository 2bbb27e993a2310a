"""The prompt's human layer: suggestions, colors, the live row, passwords, logs, the first minute."""

import re
import socket

from support import connected, muxsh
from terminal import Server


def echoing(terminal, name="a"):
    terminal.line(f"serve e{name} :0")
    terminal.until_prompt()
    terminal.line(f"open {name} localhost:${{e{name}.port}}")
    terminal.until_line(rf"# {name}: connected to ")
    terminal.until_prompt()


def row(terminal, text):
    """The cells of the row that begins with a text."""
    index = next(number for number, line in enumerate(terminal.screen.display) if line.startswith(text))
    return [terminal.screen.buffer[index][column] for column in range(terminal.screen.columns)]


def color_of(terminal, line, text):
    """The colors of a text in a row."""
    cells = row(terminal, line)
    start = "".join(cell.data for cell in cells).index(text)
    return {(cell.fg, cell.bold) for cell in cells[start:start + len(text)]}


def assert_color(terminal, line, text, wanted):
    assert color_of(terminal, line, text) == wanted, (text, color_of(terminal, line, text))


def test_the_start_line_names_the_first_steps():
    for columns in (40, 90):
        with muxsh(columns=columns) as terminal:
            first = terminal.lines()[0]
            assert len(terminal.lines()) == 2, terminal.lines()
            for word in ("open", "talk", "help", "^D"):
                assert word in first, first


def test_what_users_of_other_tools_type_is_answered_with_the_line_that_was_meant():
    with muxsh() as terminal:
        for typed, meant in {
            "localhost:6379": "open a localhost:6379", "connect localhost 80": "open a localhost:80",
            "telnet router": "open a telnet://router", "nc -v 127.0.0.1 9": "open a 127.0.0.1:9", "?": "help",
            "ls": "list", "bye": "quit", "ws://x/y": "open a ws://x/y", "disconnect a": "close a",
        }.items():
            terminal.line(typed)
            terminal.until_line("help: write: " + re.escape(meant) + "$")
            terminal.until_prompt()
        terminal.line("open localhost 6379")
        terminal.until_line("'6379' is a port without a host; write localhost:6379")


def test_talk_says_once_how_to_go_back():
    with muxsh() as terminal:
        echoing(terminal)
        for _ in range(2):
            terminal.line("talk a")
            terminal.until_prompt("a> ")
            terminal.line(":")
            terminal.until_prompt()
        assert sum("each line is sent" in line for line in terminal.lines()) == 1, terminal.lines()


def test_a_session_name_alone_talks_to_it():
    with muxsh() as terminal:
        echoing(terminal)
        terminal.line(" a ")
        terminal.until_prompt("a> ")
        terminal.line("x")
        terminal.until_line("^a< X$")
        terminal.line(":")
        terminal.until_prompt()
        # A command of that name wins.
        echoing(terminal, "list")
        terminal.line("list")
        terminal.until_line("^NAME ")
        terminal.until_prompt()


def test_a_suggestion_is_grey_and_taken_with_the_arrow():
    with muxsh() as terminal:
        terminal.line("print one two three")
        terminal.until_prompt()
        terminal.send("pri")
        terminal.until(lambda: terminal.lines()[-1] == "muxsh> print one two three", "the suggestion")
        terminal.until(lambda: terminal.screen.cursor.x == len("muxsh> pri"), "the cursor")
        terminal.send("\x1b[1;3C")
        terminal.until(lambda: terminal.screen.cursor.x == len("muxsh> print"), "a word")
        terminal.send("\x1b[C")
        terminal.until(lambda: terminal.screen.cursor.x == len("muxsh> print one two three"), "all")
        terminal.send("\r")
        terminal.until(lambda: terminal.lines().count("one two three") == 2, "that it runs")
        # What is not taken is not run, and leaves no trace.
        terminal.line("print")
        terminal.until(lambda: terminal.lines()[-2:] == ["", "muxsh>"], "an empty line")
        assert "muxsh> print" in terminal.lines()


def test_without_color_there_are_no_suggestions():
    for arguments, variables in ((["--color", "never"], {}), ([], {"NO_COLOR": "1"})):
        with muxsh(*arguments, **variables) as terminal:
            terminal.line("print one")
            terminal.until_prompt()
            terminal.send("pri")
            terminal.until_last("muxsh> pri")
            terminal.send("nt")
            terminal.until_last("muxsh> print")


def test_a_suggestion_adds_no_row():
    with muxsh(columns=30) as terminal:
        terminal.line("print " + "x" * 60)
        terminal.until_prompt()
        terminal.send("pri")
        terminal.until(lambda: terminal.lines()[-1].startswith("muxsh> print xxx") and terminal.lines()[-1].endswith("…"), "it")
        terminal.send("\x15")
        terminal.until_prompt()


def test_the_line_is_colored_while_it_is_typed():
    with muxsh() as terminal:
        echoing(terminal)
        terminal.send('print "text" ${x} # note')
        terminal.until(lambda: terminal.lines()[-1].endswith("# note"), "the line")
        assert_color(terminal, "muxsh> print", "print", {("default", True)})
        assert_color(terminal, "muxsh> print", '"text"', {("green", False)})
        assert_color(terminal, "muxsh> print", "${x}", {("cyan", False)})
        terminal.send("\x15frobnicate x")
        terminal.until_last("muxsh> frobnicate x")
        assert_color(terminal, "muxsh> frob", "frobnicate", {("red", False)})
        terminal.send("\x15a> hi")
        terminal.until_last("muxsh> a> hi")
        assert color_of(terminal, "muxsh> a> hi", "a> hi"[:1]) != {("default", False)}
        terminal.send("\x15expect a /re/")
        terminal.until_last("muxsh> expect a /re/")
        assert_color(terminal, "muxsh> expect", "/re/", {("magenta", False)})


def test_the_history_fits_the_mode():
    with muxsh() as terminal:
        echoing(terminal)
        terminal.line("a")
        terminal.until_prompt("a> ")
        terminal.line(r"say \n ${x}")
        terminal.until_line("^a< SAY")
        terminal.line(":list")
        terminal.until_line("^NAME ")
        terminal.until_prompt("a> ")
        terminal.send("\x1b[A")
        terminal.until_last("a> :list")
        terminal.send("\x1b[A")
        terminal.until_last(r"a> say \n ${x}")
        terminal.send("\x15:\r")
        terminal.until_prompt()
        # At the command prompt the talk line is a statement, and the command has no colon.
        terminal.send("\x1b[A")
        terminal.until_last("muxsh> list")
        terminal.send("\x1b[A")
        terminal.until_last(r"muxsh> a> say \\n \${x}")
        terminal.send("\r")
        terminal.until(lambda: sum(line.startswith("a< SAY") for line in terminal.lines()) == 2, "the same line again")


def test_an_unfinished_line_is_one_live_row():
    with muxsh() as terminal:
        server = Server()
        connected(terminal, server)
        for dots in range(1, 21):
            server.say(".")
            terminal.until(lambda: any(line.startswith("a< " + "." * dots) for line in terminal.lines()), f"{dots} dots")
        terminal.until_prompt()
        assert sum(line.startswith("a<") for line in terminal.lines()) == 1, terminal.lines()
        server.say("\r10%\r20%")
        terminal.until_line("^a< 20%$")
        server.say("\r99%\r\nnext\n")
        terminal.until_line("^a< next$")
        rows = [line for line in terminal.all_lines() if line.startswith("a<")]
        assert rows == ["a< 99%", "a< next"], rows
        # The log has all bytes.
        terminal.line("show a --log")
        terminal.until_line(r"^a< \.{20}\\r10%\\r20%\\r99%$")


def test_the_live_row_does_not_disturb_the_typed_line():
    with muxsh(columns=40) as terminal:
        server = Server()
        connected(terminal, server)
        terminal.send("print typed")
        server.say("x" * 100)
        terminal.until_line("^a< x{35}…$")
        terminal.until_last("muxsh> print typed")
        server.say("\n")
        terminal.until(lambda: sum("xxx" in line for line in terminal.lines()) > 1, "the whole line")
        terminal.until_last("muxsh> print typed")


def test_a_password_is_not_shown_and_becomes_a_secret():
    with muxsh() as terminal:
        server = Server()
        connected(terminal, server)
        terminal.line("talk a")
        terminal.until_prompt("a> ")
        server.say("Password: ")
        terminal.until_line("^a< Password:$")
        terminal.send("hunter2")
        terminal.send("\r")
        assert server.hear(8) == b"hunter2\n"
        server.say("\nhunter2 is wrong\nlogin: ")
        terminal.until_line(r"^a< \$\{password\} is wrong$")
        terminal.send("\x1b[A")
        terminal.until_last("a> :talk a")
        assert not any("hunter2" in line for line in terminal.all_lines()), terminal.all_lines()
        with open(terminal.home + "/state/muxsh/history") as file:
            assert "hunter2" not in file.read()


def test_muted_sessions_are_counted_and_logged():
    with muxsh() as terminal:
        echoing(terminal)
        terminal.line("mute a")
        terminal.until_prompt()
        terminal.line("a> one")
        terminal.line("expect a ONE")
        terminal.until_prompt()
        terminal.line("unmute a")
        terminal.until_line("^# a: 2 lines hidden meanwhile: show a --log$")
        assert not any(line.startswith("a< ONE") for line in terminal.lines())
        terminal.until_prompt()
        terminal.line("show a --log")
        terminal.until_line("^a< ONE$")


def test_find_searches_the_logs_also_of_closed_sessions():
    with muxsh() as terminal:
        echoing(terminal)
        echoing(terminal, "b")
        terminal.line("a,b> needle")
        terminal.until_line("^b< NEEDLE$")
        terminal.line("close b")
        terminal.until_prompt()
        terminal.send("\x0c")
        terminal.until(lambda: terminal.lines() == ["muxsh>"], "a clear screen")
        terminal.line("find /^.< NEE/")
        terminal.until(lambda: len(terminal.lines()) == 4, "two lines")
        assert [line for line in terminal.lines() if "NEEDLE" in line] == ["a< NEEDLE", "b< NEEDLE"], terminal.lines()
        terminal.line("find needle in b")
        terminal.until_line("^b> needle$")
        terminal.line("find haystack")
        terminal.until_line("^nothing found$")
        terminal.line("find x in nobody")
        terminal.until_line("no session is named 'nobody'")


def test_reopen_connects_again():
    with muxsh() as terminal:
        server = Server()
        connected(terminal, server)
        server.connection.close()
        terminal.until_line(r"^a<\|")
        terminal.line("reopen")
        server.accept()
        terminal.until(lambda: sum("# a: connected to" in line for line in terminal.lines()) == 2, "the second connection")
        terminal.line("talk a")
        terminal.until_prompt("a> ")
        server.connection.close()
        terminal.until_prompt("a (closed)> ")
        terminal.line("")
        server.accept()
        terminal.until_prompt("a> ")
        terminal.line(":reopen nobody")
        terminal.until_line("'nobody' was not opened with 'open'|no session is named 'nobody'")


def test_while_talking_other_sessions_only_count():
    with muxsh() as terminal:
        one, two = Server(), Server()
        connected(terminal, one)
        connected(terminal, two, "b")
        terminal.line("talk a")
        terminal.until_prompt("a> ")
        two.say("x\ny\nz\n")
        terminal.until_prompt("a [b 3]> ")
        one.say("mine\n")
        terminal.until_line("^a< mine$")
        assert not any(line.startswith("b<") for line in terminal.lines()), terminal.lines()
        terminal.send("\x1b2")
        terminal.until_prompt("b> ")
        terminal.until_line("^# b: 3 lines not shown meanwhile: show b --log$")
        terminal.line("to b")
        assert two.hear(5) == b"to b\n"
        terminal.line(":show b --log")
        terminal.until_line("^b< z$")


def test_keys_switch_between_sessions():
    with muxsh() as terminal:
        servers = {name: Server() for name in "abc"}
        for name, server in servers.items():
            connected(terminal, server, name)
        terminal.send("\x1b3")
        terminal.until_prompt("c> ")
        terminal.send("\x1b[1;3C")
        terminal.until_prompt("a> ")
        terminal.send("\x1b[1;3D")
        terminal.until_prompt("c> ")
        terminal.send("typed\x1b2")
        terminal.until_prompt("b> typed")
        terminal.send("\x1b9\x15")
        terminal.until_prompt("b> ")


def test_talk_goes_on_with_those_that_are_open():
    with muxsh() as terminal:
        one, two = Server(), Server()
        connected(terminal, one)
        connected(terminal, two, "b")
        terminal.line("talk a,b")
        terminal.until_prompt("a,b> ")
        one.connection.close()
        terminal.until_prompt("b> ")
        terminal.line("hello")
        assert two.hear(6) == b"hello\n"
        terminal.line(":close a")
        terminal.line("again")
        assert two.hear(6) == b"again\n"


def test_output_without_a_newline_keeps_its_row():
    with muxsh() as terminal:
        terminal.line("print --raw abc")
        terminal.until(lambda: terminal.lines()[-2:] == ["abc", "muxsh>"], "both")
        terminal.line("print next")
        terminal.until(lambda: terminal.lines()[-2:] == ["next", "muxsh>"], "no blank row")
        assert "" not in terminal.lines(), terminal.lines()


def test_nul_is_no_key():
    with muxsh() as terminal:
        terminal.send("print a\x00b\r")
        terminal.until_line("^ab$")


def test_a_program_that_ended_says_how():
    with muxsh() as terminal:
        terminal.line("spawn p sh -c 'exit 3'")
        terminal.until_line("exited with status 3")
        terminal.line("list")
        terminal.until_line("^p +process +pid [0-9]+ +exited with status 3")


def test_a_colon_at_the_command_prompt_is_forgiven():
    with muxsh() as terminal:
        terminal.line(":print hello")
        terminal.until_line("^hello$")


def test_only_the_values_of_a_setting_are_completed():
    with muxsh() as terminal:
        terminal.send("set color \t")
        terminal.until_line("^always  also in pipes$")
        terminal.until(lambda: [row.split()[0] for row in terminal.lines()[-3:]] == ["always", "auto", "never"], "them only")


def test_an_entry_forgets_once_what_was_already_shown():
    with muxsh() as terminal:
        server = Server()
        connected(terminal, server)
        server.say("old\n")
        terminal.until_line("^a< old$")
        # A block, and a paste of two lines that send.
        terminal.line("repeat 1 {")
        terminal.line("a> one")
        terminal.line("a< new")
        terminal.line("}")
        assert server.hear(4) == b"one\n"
        server.say("new\n")
        terminal.until_prompt()
        server.say("old\n")
        terminal.until(lambda: terminal.lines().count("a< old") == 2, "the second")
        terminal.send("\x1b[200~a> two\ra> three\ra< 2\ra< 3\r\x1b[201~\r")
        assert server.hear(10) == b"two\nthree\n"
        server.say("2\n3\n")
        terminal.line("print met")
        terminal.until_line("^met$")
        assert not any("differs" in line for line in terminal.lines()), terminal.lines()
        # An entry that only looks forgets nothing.
        server.say("kept\n")
        terminal.until_line("^a< kept$")
        terminal.line("a< kept")
        terminal.line("print looked")
        terminal.until_line("^looked$")
        assert not any("error" in line for line in terminal.lines()), terminal.lines()


def test_a_shell_gets_the_terminal_and_gives_it_back():
    with muxsh() as terminal:
        other = Server()
        connected(terminal, other, "b")
        terminal.line('spawn sh --pty --env "PS1=ready> " sh -i')
        terminal.until_line("ready>")
        terminal.line("interact sh")
        terminal.until_line("sh has the terminal; Ctrl-] takes it back")
        terminal.send("echo $((6*7)); stty size\r")
        terminal.until_line("^42$")
        terminal.until_line("^20 90$")
        # Its size follows.
        terminal.resize(70, 18)
        terminal.send("stty size\r")
        terminal.until_line("^18 70$")
        other.say("hidden\n")
        # ^C is a key of the shell.
        terminal.send("sleep 100\r")
        terminal.send("\x03echo after\r")
        terminal.until_line("after$")
        terminal.send("\x1d")
        terminal.until_prompt()
        terminal.until_line("^# b: 1 line not shown meanwhile: show b --log$")
        assert not any(line.startswith("b<") for line in terminal.lines())
        terminal.line("show sh --log")
        terminal.until_line("sh< 42|^-- more")


def test_an_editor_in_the_prompt():
    with muxsh() as terminal:
        terminal.line("spawn n --pty --env TERM=vt100 nano")
        terminal.until_prompt()
        terminal.line("interact n")
        terminal.until_line("GNU nano")
        terminal.send("hello")
        terminal.until_line("^hello$")
        terminal.send("\x18n")
        # The end of the session gives the terminal back.
        terminal.until_prompt()
        terminal.line("print back")
        terminal.until_line("^back$")


def test_a_plain_server_can_have_the_terminal_too():
    with muxsh() as terminal:
        server = Server()
        connected(terminal, server)
        terminal.line("interact a --end C-a")
        terminal.until_line("a has the terminal; the --end key takes it back")
        terminal.send("hi\r")
        assert server.hear(3) == b"hi\n"
        server.say("one\ntwo\n\x1b[1mbold\x1b[0m\n")
        terminal.until_line("^two$")
        terminal.until_line("^bold$")
        terminal.send("\x01")
        terminal.until_prompt()
        terminal.line("interact nobody")
        terminal.until_line("no session is named 'nobody'")
        terminal.line("interact a --end Up")
        terminal.until_line("'Up' is not a key of one byte")
        server.connection.close()
        terminal.until_line(r"^a<\|")
        terminal.line("interact a")
        terminal.until_line("a: closed by the peer")


def test_a_flood_is_folded_and_kept_in_the_log():
    with muxsh() as terminal:
        server = Server()
        connected(terminal, server)
        terminal.send("print typed")
        server.say("".join(f"line {number}\n" for number in range(41200)))
        terminal.until_line(r"^# a: [0-9]{1,2},[0-9]{3} lines in 1\.0 s, [0-9,]+ folded: show a --log$")
        terminal.until_last("muxsh> print typed")
        server.say("after\n")
        terminal.until(lambda: any(re.search("^a< after$|folded", line) for line in terminal.lines()[-3:]), "the end")
        terminal.line("")
        terminal.until_line("^typed$")
        terminal.line("find /^a< line 41199$/")
        terminal.until_line("^a< line 41199$")


def test_telnet_hides_a_password_by_echo():
    with muxsh() as terminal:
        server = Server()
        terminal.line(f"open t telnet://127.0.0.1:{server.port}")
        server.accept()
        terminal.until_line("# t: connected to")
        terminal.until_prompt()
        terminal.line("talk t")
        terminal.until_prompt("t> ")
        server.say(b"Geheimnis: \xff\xfb\x01")
        assert server.hear(3) == b"\xff\xfd\x01"
        terminal.until_line("^t< Geheimnis:$")
        terminal.line("hunter2")
        assert server.hear(9) == b"hunter2\r\n"
        server.say(b"\xff\xfc\x01\r\nhunter2 it was\r\n")
        terminal.until_line(r"^t< \$\{password\} it was$")
        assert server.hear(3) == b"\xff\xfe\x01"
        terminal.send("shown again")
        terminal.until_last("t> shown again")
        assert not any("hunter2" in line for line in terminal.all_lines()), terminal.all_lines()


def test_two_exclamation_marks_repeat_the_last_entry():
    with muxsh() as terminal:
        terminal.line("print again")
        terminal.until_prompt()
        terminal.line("!!")
        terminal.until(lambda: terminal.lines()[-4:] == ["muxsh> !!", "print again", "again", "muxsh>"], "the entry and its output")


def test_while_it_waits_the_prompt_says_for_what_and_shows_what_is_typed_ahead():
    server = Server()
    with muxsh() as terminal:
        connected(terminal, server)
        terminal.line("expect a /PONG/ within 1h")
        terminal.until_line("^waiting for /PONG/: [0-9.]+ of 3600 s; .C stops$")
        terminal.send("print ahead\r")
        terminal.until_line("^print ahead⏎$")
        # What arrives meanwhile appears above, also the beginning of a line.
        server.say("news\nhalf")
        terminal.until(lambda: [row.split(":")[0] for row in terminal.lines()[-4:]] == [
            "a< news", "a< half", "waiting for /PONG/", "print ahead⏎"], "both rows")
        server.say(" PONG\n")
        terminal.until_line("^ahead$")
        terminal.until_prompt()
        assert not any("waiting" in row or "⏎" in row for row in terminal.all_lines()), terminal.all_lines()
        # A met expectation says so.
        assert any(re.search("^# a: met after [0-9.]+ m?s$", row) for row in terminal.lines()), terminal.lines()
        terminal.line("repeat 1 {")
        terminal.line("sleep forever")
        terminal.line("}")
        terminal.until_line("^waiting for the end of the sleep: [0-9.]+ s; .C stops$")
        terminal.resize(30, 20)
        terminal.until_line("^waiting for t…: [0-9]+ s; .C stops$")
        terminal.send("\x03")
        terminal.until_line("^# interrupted$")
        terminal.until_prompt()


def test_a_typed_password_is_not_shown_while_something_waits():
    server = Server()
    with muxsh() as terminal:
        connected(terminal, server)
        terminal.line("talk a")
        server.say("Password: ")
        terminal.until_line("^a< Password:")
        terminal.line(":sleep forever")
        terminal.until_line("^waiting for")
        terminal.send("hunter2")
        server.say("\nx\n")
        terminal.until_line("^a< x$")
        assert b"hunter2" not in terminal.received


def test_the_prompt_is_settable_and_knows_the_sessions():
    first, second = Server(), Server()
    with muxsh() as terminal:
        connected(terminal, first, "a")
        connected(terminal, second, "b")
        terminal.line("set prompt '${prompt.target} [${prompt.unseen}|${prompt.closed}] ${prompt.latency}> '")
        terminal.until_prompt("muxsh [|] > ")
        terminal.line("talk a")
        terminal.until_prompt("a [|] > ")
        second.say("1\n2\n")
        terminal.until_prompt("a [b 2|] > ")
        second.close()
        terminal.until_prompt("a [b 2|b] > ")
        terminal.line("PING")
        first.hear(5)
        first.say("PONG\n")
        terminal.until_line(r"^a \[b 2\|b\] [0-9.]+ m?s>")
        terminal.line(":set prompt ''")
        terminal.until_prompt("a [b 2, b closed]> ")
        # In a narrow terminal only the numbers.
        terminal.resize(30, 20)
        terminal.until_prompt("a [2 in 1, 1 closed]> ")


def test_what_a_server_says_never_acts_through_the_prompt():
    server = Server()
    with muxsh() as terminal:
        connected(terminal, server)
        server.say("evil \x1b[31m\x07\n")
        terminal.until_line(r"^a< evil \\e")
        terminal.line("expect a /evil (.*)/")
        terminal.line("let word ${1}")
        terminal.line("set prompt '${word}${nothing}> '")
        terminal.until_last("\\e[31m\\x07> ")


def test_a_password_stays_hidden_when_the_server_goes_on_meanwhile():
    server = Server()
    with muxsh() as terminal:
        connected(terminal, server)
        terminal.line("talk a")
        server.say("Password: ")
        terminal.until_line("^a< Password:")
        terminal.send("hunter2")
        server.say("\nLogin timed out\n")
        terminal.until_line("^a< Login timed out$")
        terminal.send("\r")
        assert server.hear(8) == b"hunter2\n"
        terminal.line("next")
        terminal.until_last("a> ")
        assert server.hear(5) == b"next\n"
        assert b"hunter2" not in terminal.received
        assert "hunter2" not in open(terminal.home + "/state/muxsh/history").read()


def test_a_shell_on_a_terminal_can_be_read_in_its_colors():
    with muxsh() as terminal:
        terminal.line("spawn sh --pty bash --norc")
        terminal.until_line(r"^sh< .*bash")
        terminal.line("view sh colour")
        terminal.line("sh> PS1='> '; printf 'a\\\\033[1;34mblue\\\\033[0m\\\\033]0;title\\\\007\\\\033[2Jend\\\\n'")
        terminal.until_line("^sh< ablueend$")
        number = [row.rstrip() for row in terminal.screen.display].index("sh< ablueend")
        row = terminal.screen.buffer[number]
        assert [row[column].fg for column in (4, 5, 8, 9)] == ["default", "blue", "blue", "default"]
        assert not any("\\e" in line for line in terminal.lines()[-2:]), terminal.lines()


def test_views_are_for_each_session():
    first, second = Server(), Server()
    with muxsh() as terminal:
        connected(terminal, first, "cache")
        connected(terminal, second, "events")
        terminal.line("view cache resp")
        terminal.line("view events js\t")
        terminal.until_prompt()
        first.say("*2\r\n$3\r\nfoo\r\n")
        second.say('{"event": "start"}\n')
        terminal.until_line(r'^events< {"event": "start"}$')
        first.say(":7\r\n")
        terminal.until_line(r'^cache< 1\) "foo"$')
        terminal.until_line(r"^cache< 2\) \(integer\) 7$")
        # What is expected is what was received.
        terminal.line('expect cache "foo\\r\\n:7"')
        terminal.until_line("^# cache: met after")
        terminal.line("show cache --log")
        terminal.until_line(r"^cache< \$3$")


def test_a_failed_script_is_told_once_at_the_prompt_that_follows():
    with muxsh() as former:
        path = former.home + "/bad.mux"
        open(path, "w").write("fail 'this reason is long enough that it needs a second row of the screen'\n")
        with muxsh("-i", path, home=former.home, columns=60) as terminal:
            terminal.line("print on")
            terminal.until_line("^on$")
            rows = terminal.all_lines()
            assert sum("error:" in row for row in rows) == 1, rows
            # Messages are wrapped between words, also those with a place.
            first = next(number for number, row in enumerate(rows) if "error:" in row)
            message = " ".join(rows[first : next(n for n, row in enumerate(rows) if row.startswith(" 1 | "))])
            assert message.endswith("error: this reason is long enough that it needs a second row of the screen"), rows
            terminal.line("repeat 1 {")
            terminal.line("fail 'this reason is long enough that it needs a second row'")
            terminal.line("}")
            terminal.until_line("^that it needs a second row$|^it needs a second row$|^needs a second row$")


def test_the_commands_of_a_script_are_known_at_the_prompt_that_follows():
    with muxsh() as former:
        path = former.home + "/commands.mux"
        open(path, "w").write("define greet WHO {\n    print hello ${WHO}\n}\n")
        with muxsh("-i", path, home=former.home) as terminal:
            terminal.line("greet you")
            terminal.until_line("^hello you$")


def test_a_page_is_not_drawn_over_by_a_session():
    server = Server()
    with muxsh(rows=12) as terminal:
        connected(terminal, server)
        terminal.line("help")
        terminal.until_last("-- more: Space, Enter, q --")
        before = terminal.lines()
        server.say("news 1\nnews 2\n")
        terminal.send("\r")
        terminal.until(lambda: terminal.lines()[:-2] == before[1:-1], "another line of the page")
        terminal.send("q")
        terminal.until_prompt()
        assert terminal.lines()[-3:] == ["a< news 1", "a< news 2", "muxsh>"], terminal.lines()


def test_control_u_and_k_leave_the_other_rows_of_a_block():
    with muxsh() as terminal:
        terminal.line("repeat 1 {")
        terminal.line("print one")
        terminal.send("print two\x15")
        terminal.until_prompt(".....> ")
        terminal.send("    print three four\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x0b\r}\r")
        terminal.until_line("^three$")
        assert [row for row in terminal.lines() if row in ("one", "two", "three")] == ["one", "three"]
        terminal.until_prompt()
        # On an empty line ^D leaves.
        terminal.send("print x\x15\x04")
        assert terminal.status() == 0


def test_errors_and_results_are_colored():
    def colors(terminal, text, length):
        number = next(n for n, row in enumerate(terminal.screen.display) if text in row)
        column = terminal.screen.display[number].index(text)
        return {terminal.screen.buffer[number][column + offset].fg for offset in range(length)}

    server = Server()
    with muxsh() as terminal:
        connected(terminal, server)
        terminal.line("prnt x")
        terminal.until_line("^error: unknown command")
        terminal.until_prompt()
        assert colors(terminal, "error:", 6) == {"red"} and colors(terminal, "^^^^", 4) == {"red"}
        assert colors(terminal, "unknown", 7) == {"default"}
        server.say("abc\n")
        terminal.until_line("^a< abc$")
        terminal.line("a< abd")
        terminal.until_line("arrived:  a< abc")
        terminal.until_prompt()
        assert colors(terminal, "c", 1) and colors(terminal, "arrived:  a< ab", 15) == {"default"}
        number = next(n for n, row in enumerate(terminal.screen.display) if "arrived:" in row)
        row = terminal.screen.buffer[number]
        assert row[terminal.screen.display[number].index("abc") + 2].fg == "red"
        for body, color in (("", "green"), ("fail no", "red"), ("skip why", "brown")):
            terminal.line(f'test "in {color}" {{')
            terminal.line(body)
            terminal.line("}")
            terminal.until_line(f'# test "in {color}" (passed|failed|skipped)')
            terminal.until_prompt()
            number = max(n for n, row in enumerate(terminal.screen.display) if f'# test "in {color}" ' in row)
            assert terminal.screen.buffer[number][3].fg == color, color


def test_a_line_to_a_peer_that_has_ended_is_warned_about():
    server = Server()
    with muxsh() as terminal:
        connected(terminal, server)
        server.connection.shutdown(socket.SHUT_WR)
        terminal.until_line(r"^a<\|$")
        terminal.line("a> anyone")
        terminal.until_line("^# a: the peer has ended its side and may not read this; to connect again: reopen a$")
        assert server.hear(7) == b"anyone\n"
        terminal.line("mute a")
        terminal.line("list")
        terminal.until_line("half-closed by peer, muted")
        terminal.line("talk a")
        terminal.until_line("^# a is muted; to see its answers: unmute a$")


def test_rows_are_counted_from_the_beginning_of_an_entry():
    with muxsh() as terminal:
        terminal.line("print before")
        terminal.until_prompt()
        terminal.line("repeat 1 {")
        terminal.line("print one")
        terminal.line("fail why")
        terminal.line("}")
        terminal.until_line("^<prompt>:3:5: error: why$")


def test_alt_enter_begins_another_row():
    with muxsh() as terminal:
        terminal.send("print one\x1b\rprint two\r")
        terminal.until_line("^two$")
        terminal.until_prompt()
        assert terminal.lines()[-5:] == ["muxsh> print one", ".....> print two", "one", "two", "muxsh>"], terminal.lines()
        terminal.send("\x1b[A")
        terminal.until_last(".....> print two")


def test_without_color_a_long_wait_is_told_too():
    with muxsh("--color", "never") as terminal:
        terminal.line("sleep forever")
        terminal.until_line("^# waiting for the end of the sleep; .C stops$")
        terminal.send("\x03")
        terminal.until_line("^# interrupted$")


def asked(terminal, *pieces):
    """Connects session a, talks to it, and has it ask in pieces; returns the server when typing is hidden."""
    server = Server()
    connected(terminal, server)
    terminal.line("talk a")
    terminal.until_prompt("a> ")
    for count in range(len(pieces)):
        server.say(pieces[count])
        # Each piece is seen before the next one is sent.
        terminal.until_line(r"^a< .*" + re.escape(re.sub(r"\x1b\[[0-9;]*m|\0", "", "".join(pieces[: count + 1])).rstrip()[-3:]))
    return server


def test_a_password_is_hidden_also_when_it_is_asked_for_in_pieces_or_in_color():
    for pieces in (("Pass", "word: "), ("Password", ": "), ("\x1b[1mPassword: \x1b[0m",), ("user\nPass", "word for x: ")):
        with muxsh() as terminal:
            server = asked(terminal, *pieces)
            terminal.line("s3cr3tpw")
            assert server.hear(9) == b"s3cr3tpw\n"
            server.say("\nok\n")
            terminal.until_line("^a< ok$")
            terminal.line(f":save {terminal.home}/z.mux")
            terminal.until_line("^# saved")
            assert b"s3cr3tpw" not in terminal.received and "s3cr3tpw" not in open(terminal.home + "/z.mux").read(), pieces


def test_nothing_keeps_a_hidden_password():
    with muxsh() as terminal:
        server = asked(terminal, "Password: ")
        for key in ("\x15", "\x17", "\x0b", "\x1bd", "\x1b\x7f"):
            terminal.send("s3cr3tpw" + key)
        terminal.send("\x15other\r")
        assert server.hear(6) == b"other\n"
        server.say("\nok\n")
        terminal.until_line("^a< ok$")
        terminal.send("\x19\x1f\x1f.")
        terminal.until(lambda: terminal.typed().endswith("."), "the keys")
        assert b"s3cr3tpw" not in terminal.received


def test_a_password_may_begin_with_a_colon():
    for typed, sent in (("::s3cr3tpw", b":s3cr3tpw\n"), (":s3cr3tpw x", b":s3cr3tpw x\n")):
        with muxsh() as terminal:
            server = asked(terminal, "Password: ")
            terminal.line(typed)
            assert server.hear(len(sent)) == sent
            server.say("\nok\n")
            terminal.until_line("^a< ok$")
            terminal.line(f":save {terminal.home}/z.mux")
            terminal.until_line("^# saved")
            assert b"s3cr3tpw" not in terminal.received and "s3cr3tpw" not in open(terminal.home + "/z.mux").read()
