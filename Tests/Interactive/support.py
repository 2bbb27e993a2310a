"""Shared by the prompt tests: the programs, and functions to start them."""

import os
import sys

from terminal import Terminal

MUXSH, ECHOD = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])


def muxsh(*arguments, **options):
    terminal = Terminal([MUXSH, *arguments], **options)
    terminal.until_prompt()
    return terminal


def connected(terminal, server, name="a"):
    terminal.line(f"open {name} 127.0.0.1:{server.port}")
    server.accept()
    terminal.until_line(rf"# {name}: connected to 127\.0\.0\.1:{server.port} in ")
    terminal.until_prompt()
