"""Tests of the prompt on a real pseudo-terminal. Usage: run.py MUXSH ECHOD [NAME ...]"""

import concurrent.futures
import os
import signal
import sys

import asking
import attach
import basics
import borders
import completing
import driving
import editing
import human
import keys
import learning
import libraries
import looks
import matrix
import random_keys
import merging
import narrow
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


MODULES = (
    asking, attach, basics, borders, completing, driving, editing, human, keys, learning, libraries, looks, matrix, merging, narrow, picture,
    proxies, random_keys, replay, saving, screen, screens, serial, sockets, talk, telnet, tunnels, values,
)
TESTS = {name: test for module in MODULES for name, test in vars(module).items() if name.startswith("test_")}
# Tests mostly wait for programs, so there are more of them than processors.
WORKERS = 3 * (os.cpu_count() or 1)


def prepare():
    signal.signal(signal.SIGALRM, give_up)
    # Under nohup(1) SIGHUP is ignored, and the program honors what it inherits.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def run(name):
    """Runs a test and returns its problem, or None."""
    try:
        signal.alarm(LONGEST)
        TESTS[name]()
        return None
    except Exception as error:  # every test is reported, whatever exception it raises
        return f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)


def main():
    chosen = sys.argv[3:] or list(TESTS)
    failed = 0
    with concurrent.futures.ProcessPoolExecutor(min(WORKERS, len(chosen)), initializer=prepare) as workers:
        running = {workers.submit(run, name): name for name in chosen}
        for future in concurrent.futures.as_completed(running):
            problem = future.result()
            failed += problem is not None
            name = running[future]
            print(f"ok {name}" if problem is None else f"FAILED {name}: {problem}", flush=True)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
