"""Terminal or pipe, prompt or script: the behavior for each combination of input and output."""

import re

from support import MUXSH
from terminal import Terminal


def run(command, typed="", **options):
    """Runs a shell command line on a terminal until it ends; returns its entire output and its status."""
    with Terminal(["/bin/sh", "-c", command], **options) as terminal:
        if typed:
            terminal.send(typed)
        status = terminal.status()
        return terminal.received.decode(), status


def plain(text):
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).replace("\r\n", "\n")


def test_terminal_in_and_out_without_a_script_is_the_prompt():
    text, status = run(f"exec {MUXSH}", "print hello\rquit\r")
    assert status == 0 and "muxsh> " in text and "hello\n" in plain(text), text


def test_terminal_in_and_pipe_out_is_a_script_from_the_keyboard():
    # The shell waits for cat, whose output is the terminal.
    text, status = run(f"{MUXSH} | cat", "print hello\rexit 3\r")
    assert status == 0 and "muxsh> " not in text and "hello\n" in plain(text), text


def test_pipe_in_and_terminal_out_is_a_script_with_colours():
    text, status = run(f"printf 'serve e :0\\nopen a :${{e.port}}\\na> x\\na< X\\n' | {MUXSH}")
    assert status == 0 and "muxsh> " not in text, text
    assert re.search(r"\x1b\[[0-9;]+ma> \x1b\[0mx", text), text


def test_pipe_in_and_out_is_a_script_without_colours():
    text, status = run(f"printf 'print hello\\n' | {MUXSH} | cat")
    assert (text, status) == ("hello\r\n", 0), text


def test_a_script_on_a_terminal_has_no_prompt():
    text, status = run(f"exec {MUXSH} -c 'print hello' -c 'exit 5'")
    assert (text, status) == ("hello\r\n", 5), text


def test_a_script_and_then_the_prompt():
    text, status = run(f"exec {MUXSH} -i -c 'let x 5'", "print x is ${x}\rexit 6\r")
    assert status == 6 and "muxsh> " in text and "x is 5\n" in plain(text), text


def test_a_prompt_needs_a_terminal_on_both_sides():
    text, status = run(f"{MUXSH} -i -c 'print hello' < /dev/null")
    assert status == 1 and "-i needs a terminal" in text, text
