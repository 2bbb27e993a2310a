"""let --secret NAME --ask: a question at the terminal, in scripts and at the prompt."""

import os
import subprocess
import tempfile
import termios

from support import MUXSH, muxsh
from terminal import LIMIT, Server, Terminal

SCRIPT = """let --secret password --ask "Password: "
open a 127.0.0.1:PORT
a> ${password}
a< ok
"""


def script(port):
    file = tempfile.NamedTemporaryFile("w", suffix=".mux")
    file.write(SCRIPT.replace("PORT", str(port)))
    file.flush()
    return file


def has_echo(terminal):
    return bool(termios.tcgetattr(terminal.process.child_fd)[3] & termios.ECHO)


def test_a_script_asks_without_echo():
    server = Server()
    with script(server.port) as file, Terminal([MUXSH, file.name]) as terminal:
        terminal.until_last("Password: ")
        assert not has_echo(terminal)
        terminal.send("hunter2\n")
        server.accept()
        assert server.hear(8) == b"hunter2\n"
        server.say("ok\n")
        server.connection.close()
        assert terminal.status() == 0
        assert b"hunter2" not in terminal.received
        assert any(row == "a> ${password}" for row in terminal.lines())


def test_an_interrupted_question_restores_the_terminal():
    with script(1) as file, Terminal([MUXSH, file.name]) as terminal:
        terminal.until_last("Password: ")
        terminal.send("abc\x03")
        terminal.until_line('interrupted while waiting for the answer to "Password: "')
        assert has_echo(terminal)
        assert terminal.status() == 130


def test_no_answer_is_a_failure():
    with script(1) as file, Terminal([MUXSH, file.name]) as terminal:
        terminal.until_last("Password: ")
        terminal.send("\x04")
        terminal.until_line('error: no answer to "Password: "')
        assert terminal.status() == 4


def test_the_prompt_asks_and_continues():
    with muxsh() as terminal:
        terminal.line('let --secret pin --ask "PIN: "')
        terminal.until_last("PIN: ")
        terminal.send("1234567\n")
        terminal.until_prompt()
        terminal.line("print <${pin}>")
        terminal.until_line("^<1234567>$|^<\\$\\{pin\\}>$")
        terminal.line("print after")
        terminal.until_line("^after$")
        terminal.until_prompt()
        terminal.line('let --secret pin --ask "PIN: "')
        terminal.until_last("PIN: ")
        terminal.send("x\x03")
        terminal.until_prompt()
        terminal.line("print again")
        terminal.until_line("^again$")


def test_without_a_terminal_it_is_a_failure():
    with script(1) as file:
        outcome = subprocess.run(
            [MUXSH, file.name], stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT,
            start_new_session=True, env=dict(os.environ),
        )
    assert outcome.returncode == 4
    assert b"error: cannot ask for 'password': there is no terminal" in outcome.stderr
    assert b"take it from elsewhere: let --secret password ${env.NAME}" in outcome.stderr
