"""Talk mode: every line is sent to sessions, and the prompt shows which ones and their state."""

from support import MUXSH, connected, muxsh
from terminal import Server, Terminal


def test_talk_sends_every_line_and_commands_begin_with_a_colon():
    server = Server()
    with muxsh() as terminal:
        connected(terminal, server)
        terminal.line("talk a")
        terminal.until_last("a> ")
        terminal.line("hello ${nobody} \\n # no comment {")
        assert server.hear(34) == b"hello ${nobody} \\n # no comment {\n"[:34]
        server.say("an answer\n")
        terminal.until_line("^a< an answer$")
        # The typed line is shown once, as a transcript line.
        assert sum("no comment" in row for row in terminal.lines()) == 1
        terminal.line("::colon")
        assert server.hear(7) == b":colon\n"
        terminal.line("")
        assert server.hear(1) == b"\n"
        terminal.line(":print ${a.port}")
        terminal.until_line(f"^{server.port}$")
        terminal.until_last("a> ")
        terminal.line(":repeat 2 as i {")
        terminal.until_last(".....>     ")
        terminal.line("print round ${i}")
        terminal.line("}")
        terminal.until_line("^round 2$")
        terminal.until_last("a> ")
        terminal.line(":")
        terminal.until_prompt()
        terminal.line("talk a")
        terminal.until_last("a> ")
        terminal.send("\x04")
        terminal.until_prompt()
        terminal.line("a> from the command prompt")
        assert server.hear(24) == b"from the command prompt\n"


def test_talk_shows_when_the_peer_has_gone():
    server = Server()
    with muxsh() as terminal:
        connected(terminal, server)
        terminal.line("talk a")
        terminal.until_last("a> ")
        terminal.send("half")
        terminal.until_last("a> half")
        server.connection.close()
        # The prompt changes while the line is being typed.
        terminal.until_last("a (closed)> half")
        terminal.send("\x03")
        terminal.until_last("a (closed)> ")
        terminal.line(":close a")
        terminal.line("x")
        terminal.until_line("error: no session 'a' is open")
        terminal.line(":quit")
        assert terminal.status() == 0


def test_talk_with_several_counts_their_answers():
    servers = [Server(), Server(), Server()]
    with muxsh() as terminal:
        for name, server in zip("abc", servers):
            connected(terminal, server, name)
        terminal.line("talk a,b,c")
        terminal.until_last("a,b,c> ")
        terminal.line("question")
        terminal.until_last("a,b,c 0/3> ")
        servers[1].say("answer of b\n")
        terminal.until_last("a,b,c 1/3> ")
        servers[0].say("answer of a\n")
        terminal.until_last("a,b,c 2/3> ")
        for server in servers:
            assert server.hear(9) == b"question\n"
        servers[2].say("answer of c\n")
        terminal.until_last("a,b,c> ")
        terminal.line(":")
        terminal.until_prompt()
        terminal.line("talk *")
        terminal.until_last("a,b,c> ")
        terminal.line(":talk b")
        terminal.until_last("b> ")
        terminal.line("alone")
        assert servers[1].hear(6) == b"alone\n"


def test_a_pasted_text_is_talked_line_by_line():
    server = Server()
    with muxsh() as terminal:
        connected(terminal, server)
        terminal.line("talk a")
        terminal.until_last("a> ")
        terminal.send("\x1b[200~first\rsecond\r:print no command?\x1b[201~\r")
        assert server.hear(13) == b"first\nsecond\n"
        terminal.until_line(r"^no command\?$")


def test_talk_needs_somebody():
    with muxsh() as terminal:
        terminal.line("talk nobody")
        terminal.until_line("error: no session is named 'nobody'")
        terminal.until_prompt()
        terminal.line("talk *")
        terminal.until_line(r"error: no open session matches '\*'")
        terminal.until_prompt()


def test_a_pasted_text_is_sent_as_it_is():
    server = Server()
    for text in ("one\ntwo\n", "one\r\ntwo\r\n", "one\rtwo"):
        server = Server()
        with muxsh() as terminal:
            connected(terminal, server)
            terminal.line("talk a")
            terminal.until_prompt("a> ")
            terminal.send("\x1b[200~" + text + "\x1b[201~")
            terminal.send("\r")
            terminal.line("end")
            heard = server.hear(12)
            assert heard == b"one\ntwo\nend\n", (text, heard)


def test_the_answer_to_a_question_is_not_kept():
    server = Server()
    with muxsh() as terminal:
        connected(terminal, server)
        terminal.line("talk a")
        terminal.until_prompt("a> ")
        server.say("Code: ")
        terminal.until_line(r"^a< Code:")
        terminal.line("s3cret")
        assert server.hear(7) == b"s3cret\n"
        server.say("welcome\n")
        terminal.until_line("^a< welcome$")
        terminal.line("hello")
        assert server.hear(6) == b"hello\n"
        # A colon and blanks return to the prompt as a colon does.
        terminal.line(": ")
        terminal.until_prompt()
        with open(terminal.home + "/state/muxsh/history") as file:
            kept = file.read()
        assert "hello" in kept and "s3cret" not in kept, kept
        # The arrow keys still recall it: it may have been the answer to any prompt.
        terminal.send("\x1b[A\x1b[A")
        terminal.until_last("muxsh> a> s3cret")


def test_an_address_on_the_command_line_is_talked_to():
    server = Server()
    with Terminal([MUXSH, f"127.0.0.1:{server.port}"]) as terminal:
        server.accept()
        terminal.until_last("a> ")
        terminal.until_line("each line is sent; ':' returns to the commands, ':quit' ends muxsh")
        terminal.line("hello")
        assert server.hear(6) == b"hello\n"
        server.say("world\n")
        terminal.until_line("^a< world$")
        terminal.line(":quit")
        assert terminal.status() == 0


def test_an_address_without_a_listener_leaves_the_commands():
    server = Server()
    server.close()
    with Terminal([MUXSH, f"127.0.0.1:{server.port}"]) as terminal:
        terminal.until_line("error: a: cannot connect to 127.0.0.1:[0-9]+: connection refused")
        terminal.until_prompt()
        terminal.line("quit")
        terminal.status()
