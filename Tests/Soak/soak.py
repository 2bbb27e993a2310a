"""Watches programs at work: soak.py MINUTES MUXSH ECHOD.

A script (round.mux) and a prompt open, use and close sessions of every kind, with echod as one of the peers. Memory,
descriptors, children and processor time of the three programs are sampled. What is printed for each is the slope of its
memory by least squares, after a warm-up; a figure that rises fails the run.
"""

import os
import re
import subprocess
import sys
import tempfile
import time

import pexpect

MINUTES, MUXSH, ECHOD = float(sys.argv[1]), os.path.abspath(sys.argv[2]), os.path.abspath(sys.argv[3])
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "round.mux")
# KiB. Freed memory is not always returned, and the pages of a program are loaded when they are first used. A prompt
# keeps what was done up to a limit (16 MiB for `save`, 4 MiB for each name of a session), which takes hours to reach.
TOLERATED_RISE = {"script": 1024, "echod": 1024, "prompt": 32 * 1024}
TOLERATED_WORK = 1.5


class Program:
    """A running program and what was seen of it."""

    def __init__(self, name, process):
        self.name, self.process, self.rounds = name, process, 0
        self.samples = []

    def sample(self):
        """Notes rounds, resident memory (KiB), descriptors, children and processor time (ticks)."""
        folder = f"/proc/{self.process.pid}"
        with open(folder + "/status") as file:
            memory = int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])
        with open(folder + "/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        with open(f"{folder}/task/{self.process.pid}/children") as file:
            children = len(file.read().split())
        ticks = int(fields[11]) + int(fields[12])
        self.samples.append((self.rounds, memory, len(os.listdir(folder + "/fd")), children, ticks))

    def verdict(self):
        """Prints the figures, and returns the complaints."""
        steady = self.samples[len(self.samples) // 4 :]
        rounds, memory, descriptors, children, _ = zip(*steady)
        slope = slope_of(rounds, memory)
        rise = slope * (rounds[-1] - rounds[0])
        third = len(steady) // 3
        before, after = work(steady[: third + 1]), work(steady[-third - 1 :])
        print(
            f"{self.name:8} {rounds[-1]:7} rounds  memory {memory[0]} to {memory[-1]} KiB,"
            f" slope {slope * 1000:+.1f} KiB per 1000 rounds;"
            f" descriptors {min(descriptors)} to {max(descriptors)}, children at most {max(children)};"
            f" {before:.2f} then {after:.2f} ms of processor per round"
        )
        complaints = []
        if rise > TOLERATED_RISE[self.name]:
            complaints.append(f"{self.name}: memory rises: {rise:.0f} KiB in {rounds[-1] - rounds[0]} rounds")
        # What is open varies within a round, so the lowest figures are compared.
        if min(descriptors[-third:]) > min(descriptors[:third]):
            complaints.append(f"{self.name}: descriptors rise from {min(descriptors[:third])}")
        if min(children[-third:]) > min(children[:third]):
            complaints.append(f"{self.name}: children rise from {min(children[:third])}")
        if after > before * TOLERATED_WORK + 0.1:
            complaints.append(f"{self.name}: a round costs {after:.2f} ms, {before:.2f} ms before")
        return complaints


def slope_of(xs, ys):
    """Returns the slope of the line through the points by least squares."""
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys)) / max(1e-9, sum((a - x) ** 2 for a in xs))


def work(samples):
    """Returns the milliseconds of processor time for a round."""
    rounds = samples[-1][0] - samples[0][0]
    return (samples[-1][4] - samples[0][4]) * 1000 / os.sysconf("SC_CLK_TCK") / max(1, rounds)


def make_certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", folder + "/server.key", "-out", folder + "/server.pem"],
        check=True, stderr=subprocess.DEVNULL)
    with open(folder + "/server.pem") as source, open(folder + "/ca.pem", "w") as copy:
        copy.write(source.read())


def read_until(prompt, text):
    """Reads what the prompt shows, until it contains a text."""
    tail = b""
    while text not in tail:
        tail = tail[-200:] + os.read(prompt.child_fd, 1 << 16)


def fill(prompt):
    """Fills what the prompt keeps up to a limit: logs, the recording for save."""
    for line in (
        "serve fill :0", "open a localhost:${fill.port}", f"let text {'x' * 40}", "repeat 40000 {", "a> ${text}",
        f"a< {'X' * 40}", "}", "close *", "close fill", "print filled",
    ):
        prompt.send(line + "\r")
    read_until(prompt, b"\nfilled")


def type_round(prompt, port, number):
    """Types a round at the prompt, and waits for its end."""
    for line in (
        "serve up :0", "open a localhost:${up.port}", f"open p localhost:{port}", f"a,p> round {number}",
        f'expect a,p "ROUND {number}\\n"', "list", "show a", "view a hex", "a> unread", "spawn cat cat", "cat> line",
        "view a text", f"a> \x1b[1~\x1b[4~{'x' * 200}", "close *", "close up", f"print round-{number}-done",
    ):
        prompt.send(line + "\r")
    read_until(prompt, f"\nround-{number}-done".encode())



def main():
    folder = tempfile.mkdtemp(prefix="muxsh-soak-")
    make_certificate(folder)
    log = open(folder + "/echod.log", "wb")
    echod = subprocess.Popen([ECHOD, "--port", "0"], stdout=subprocess.PIPE, stderr=log, cwd=folder)
    port = echod.stdout.readline().decode().strip().rpartition(":")[2]
    errors = open(folder + "/errors", "wb")
    script = subprocess.Popen(
        [MUXSH, "-q", "-D", "PEER=" + port, SCRIPT], stdout=subprocess.PIPE, stderr=errors, cwd=folder)
    os.set_blocking(script.stdout.fileno(), False)
    environment = {"HOME": folder, "PATH": os.environ["PATH"], "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    prompt = pexpect.spawn(MUXSH, [], env=environment, cwd=folder, dimensions=(24, 80), timeout=60)
    prompt.delaybeforesend = None
    programs = [Program("script", script), Program("prompt", prompt), Program("echod", echod)]
    fill(prompt)
    end, sampled, pending = time.monotonic() + MINUTES * 60, 0.0, b""
    interval = max(0.5, MINUTES * 60 / 400)
    while time.monotonic() < end:
        programs[1].rounds += 1
        type_round(prompt, port, programs[1].rounds)
        pending += script.stdout.read() or b""
        lines = pending.split(b"\n")
        pending = lines.pop()
        programs[0].rounds += len(lines)
        programs[2].rounds = programs[0].rounds + programs[1].rounds
        if script.poll() is not None:
            with open(folder + "/errors") as file:
                sys.exit(f"the script has ended with status {script.returncode}:\n{file.read()}")
        if time.monotonic() - sampled >= interval:
            sampled = time.monotonic()
            for program in programs:
                program.sample()
        time.sleep(0.05)
    complaints = [text for program in programs for text in program.verdict()]
    for process in (script, echod):
        process.terminate()
        process.wait()
    prompt.close(force=True)
    print("\n".join(complaints) or "soak: flat")
    sys.exit(1 if complaints else 0)


main()
