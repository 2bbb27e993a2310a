"""Tests of the prompt on a real pseudo-terminal. Usage: run.py MUXSH ECHOD [NAME ...]"""

import signal
import sys

import asking
import basics
import borders
import completing
import driving
import human
import keys
import learning
import libraries
import looks
import matrix
import random_keys
import merging
import picture
import proxies
import replay
import saving
import screen
import screens
import serial
import sockets
import talk
import telnet
import tunnels
import values


LONGEST = 120


class TooLong(Exception):
    """A test exceeded its time limit. Not a TimeoutError, which is an OSError that helpers handle."""


def give_up(*_):
    raise TooLong(f"not over after {LONGEST} s")


def main():
    signal.signal(signal.SIGALRM, give_up)
    # Under nohup(1) SIGHUP is ignored, and the program honors what it inherits.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    tests = {}
    for module in (asking, basics, completing, driving, screen, screens, serial, sockets, talk, telnet, human, keys, learning, libraries, looks, matrix, borders, random_keys, merging, picture, proxies, replay, saving, tunnels, values):
        tests.update({name: test for name, test in vars(module).items() if name.startswith("test_")})
    chosen = sys.argv[3:] or list(tests)
    failed = 0
    for name in chosen:
        try:
            signal.alarm(LONGEST)
            tests[name]()
            print(f"ok {name}", flush=True)
        except Exception as error:  # every test is reported, whatever exception it raises
            failed += 1
            print(f"FAILED {name}: {type(error).__name__}: {error}", flush=True)
    signal.alarm(0)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
