"""Faults of the system under the programs: faults.py MUXSH ECHOD [SEED].

A matrix of system calls and errors (strace's injection) for a script, the prompt and echod; then signals at random
points, closed standard descriptors, full disks, and readers that do not read. Each run must go on with all its data, or
fail with words and a status. No run may hang, spin, crash, or say less than it has done.
"""

import concurrent.futures
import itertools
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pexpect

MUXSH, ECHOD = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else 1
LIMIT = 20
# Calls in a run: a program that spins makes a thousand times as many.
MOST_CALLS = 20_000

CALLS = ["pselect6", "read", "write", "recvfrom", "sendto", "accept4", "socket", "connect", "openat", "clone", "wait4",
         "pipe2", "bind", "listen", "getsockopt", "fcntl", "ioctl", "shutdown"]
ERRORS = ["EINTR", "EAGAIN", "ENOBUFS", "ENOMEM", "EMFILE", "ENFILE", "EPIPE", "ECONNABORTED", "EIO", "ENOSPC", "EACCES"]
# After these a program goes on: the call says that it can be made again.
TEMPORARY = {"EINTR", "EAGAIN"}
# Calls for which a temporary error is none: connect(2) and socket(2) say EAGAIN for a lack, clone(2) for a limit.
LASTING = {("connect", "EAGAIN"), ("connect", "EINTR"), ("socket", "EAGAIN"), ("socket", "EINTR"), ("clone", "EAGAIN"),
           ("clone", "EINTR"), ("openat", "EAGAIN"), ("openat", "EINTR"), ("pipe2", "EAGAIN"), ("pipe2", "EINTR"),
           ("bind", "EAGAIN"), ("bind", "EINTR"), ("listen", "EAGAIN"), ("listen", "EINTR"), ("fcntl", "EAGAIN"),
           ("fcntl", "EINTR"), ("ioctl", "EAGAIN"), ("ioctl", "EINTR"), ("shutdown", "EAGAIN"), ("shutdown", "EINTR"),
           ("getsockopt", "EAGAIN"), ("getsockopt", "EINTR")}

SCRIPT = """\
serve up :0
open a localhost:${up.port}
a> one
a< ONE
serve local unix:${tmp}/s
open u unix:${tmp}/s
u> two
u< TWO
listen l udp://:0
open d ${l.address}
d> datagram
accept l e
e< datagram
spawn c cat
c> three
c< three
c>|
wait c
run --input "b\\na\\n" sort
print "${0:hex}"
write ${tmp}/file "kept"
let text --file ${tmp}/file
print ${text}
test "in a test" {
    a> four
    a< FOUR
}
a>|
a<|
close *
print done
"""

complaints = []


def complain(what, found):
    complaints.append(f"{what}: {found}")


class Folder:
    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="muxsh-faults-")
        return self.path

    def __exit__(self, *error):
        subprocess.run(["rm", "-rf", self.path], check=False)


def environment(folder):
    return {"PATH": "/usr/bin:/bin", "HOME": folder, "XDG_STATE_HOME": folder, "TERM": "xterm", "LC_ALL": "C.UTF-8",
            "TMPDIR": folder, "SWIFT_BACKTRACE": "enable=no"}


def crashed(status):
    return -status in (signal.SIGSEGV, signal.SIGABRT, signal.SIGILL, signal.SIGTRAP, signal.SIGBUS, signal.SIGFPE) or \
        status in (128 + signal.SIGSEGV, 128 + signal.SIGABRT, 128 + signal.SIGILL, 128 + signal.SIGTRAP)


def ended_badly(what, status, text, calls):
    """Complains about a run that hangs, crashes or spins; returns whether it does."""
    if status == "hangs":
        complain(what, f"hangs: {text[-300:]}")
    elif crashed(status):
        complain(what, f"crashes with {status}: {text[-300:]}")
    elif len(calls) > MOST_CALLS:
        complain(what, f"makes {len(calls)} calls")
    else:
        return False
    return True


def run_script(folder, inject=None):
    """Runs the script under strace; returns status, output, errors, the transcript, the report and the calls."""
    with open(folder + "/s.mux", "w") as file:
        file.write(SCRIPT)
    trace = folder + "/trace"
    command = ["strace", "-o", trace] + (["-e", "inject=" + inject] if inject else [])
    command += [MUXSH, "--transcript", folder + "/t", "--report", "tap=" + folder + "/r", folder + "/s.mux"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                               env=environment(folder), start_new_session=True)
    try:
        out, err = process.communicate(timeout=LIMIT)
        status = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        status = "hangs"
    files = [open(folder + name, "rb").read() if os.path.exists(folder + name) else b"" for name in ("/t", "/r")]
    with open(trace, "rb") as file:
        calls = file.read().split(b"\n")
    return status, out, err, files[0], files[1], calls


def neutral(text):
    """The text without notes, ports, times and process numbers. A note may say that something is tried again."""
    text = b"".join(line for line in text.splitlines(True) if not line.startswith(b"# "))
    text = re.sub(rb"(127\.0\.0\.1|localhost):\d+", b"ADDRESS", text)
    text = re.sub(rb"\d+(\.\d+)? (ms|s)\b|duration_ms: [\d.]+", b"TIME", text)
    return re.sub(rb"process \d+|/tmp/\S+", b"X", text)


def places(calls, name, generator):
    """Returns which calls of a name to disturb: the first, the last and some between, after the program has begun."""
    start = next(i for i, line in enumerate(calls) if line.startswith(b"fcntl(0, F_GETFD"))
    begin = name.encode() + b"("
    before = sum(line.startswith(begin) for line in calls[:start])
    total = sum(line.startswith(begin) for line in calls)
    numbers = range(before + 1, total + 1)
    if len(numbers) <= 4:
        return list(numbers)
    return sorted({numbers[0], numbers[-1], *generator.sample(numbers, 3)})


def try_script(clean, name, error, place):
    with Folder() as folder:
        status, out, err, transcript, report, calls = run_script(folder, f"{name}:error={error}:when={place}")
    what = f"script, {name} {error} at {place}"
    if ended_badly(what, status, err, calls):
        return None
    if status == 0:
        for part, now, then in (("output", out, clean[1]), ("transcript", transcript, clean[3]), ("report", report, clean[4])):
            if neutral(now) != neutral(then):
                return complain(what, f"ends in 0 with another {part}: {now[-200:]}")
    elif not err.strip() and not (name == "write" and error != "EPIPE") and error != "EPIPE":
        return complain(what, f"fails with {status} without words")
    elif error in TEMPORARY and (name, error) not in LASTING:
        return complain(what, f"a temporary error ends the run: {status} {err[-300:]}")
    return None


def script_matrix(pool, generator):
    with Folder() as folder:
        clean = run_script(folder)
    assert clean[0] == 0, clean
    jobs = [(clean, name, error, place) for name in CALLS for error in ERRORS for place in places(clean[5], name, generator)]
    list(pool.map(lambda job: try_script(*job), jobs))
    return len(jobs)


def run_echod(folder, inject=None):
    """Starts echod under strace, talks to it with three clients, and ends it; returns what was seen."""
    trace = folder + "/trace"
    command = ["strace", "-o", trace] + (["-e", "inject=" + inject] if inject else []) + [ECHOD, "-v", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(folder),
                               start_new_session=True)
    answers, status = [], None
    try:
        line = process.stdout.readline()
        match = re.search(rb":(\d+)$", line.strip())
        if match:
            for _ in range(3):
                answers.append(ask(int(match[1])))
            with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
                child = file.read().split()
            if child:
                os.kill(int(child[0]), signal.SIGTERM)
        status = process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        status = "hangs"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    err = process.stderr.read()
    with open(trace, "rb") as file:
        return status, answers, err, file.read().split(b"\n")


def ask(port):
    """Returns what echod answers to a client; an end or a reset is an answer too."""
    text = b"hello " * 200
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as client:
            client.sendall(text)
            client.shutdown(socket.SHUT_WR)
            answer = b""
            while part := client.recv(65536):
                answer += part
            return answer == text.upper() or (b"" if text.upper().startswith(answer) else "other data")
    except TimeoutError:
        return "no answer"
    except OSError:
        return b""


def try_echod(name, error, place):
    with Folder() as folder:
        status, answers, err, calls = run_echod(folder, f"{name}:error={error}:when={place}")
    what = f"echod, {name} {error} at {place}"
    if ended_badly(what, status, err, calls):
        return None
    if status != 0 and not err.strip() and not (name == "write" and error == "EPIPE"):
        return complain(what, f"ends with {status} without words")
    if any(isinstance(answer, str) for answer in answers):
        return complain(what, f"answers {answers}")
    # One client may be lost to the error; the service goes on.
    if status == 0 and answers.count(True) < 2:
        return complain(what, f"loses more than one client: {answers}")
    if status == 0 and error in TEMPORARY and (name, error) not in LASTING and answers.count(True) < 3:
        return complain(what, f"a temporary error loses a client: {answers} {err[-200:]}")
    return None


def echod_matrix(pool, generator):
    with Folder() as folder:
        status, answers, err, calls = run_echod(folder)
    assert status == 0 and answers == [True] * 3, (status, answers, err)
    jobs = [(name, error, place) for name in CALLS for error in ERRORS for place in places(calls, name, generator)]
    list(pool.map(lambda job: try_echod(*job), jobs))
    return len(jobs)


PROMPT_LINES = ["serve up :0", "open a localhost:${up.port}", "a> one", "expect a ONE", "spawn c cat", "c> two",
                "expect c two", "run sort", "list", "print alive"]


def try_prompt(name, error, place):
    what = f"prompt, {name} {error} at {place}"
    with Folder() as folder:
        inject = ["-e", f"inject={name}:error={error}:when={place}"] if name else []
        prompt = pexpect.spawn("strace", ["-o", folder + "/trace", *inject, MUXSH], env=environment(folder),
                               timeout=LIMIT, dimensions=(24, 80))
        prompt.delaybeforesend = None
        try:
            seen = prompt.expect(["muxsh> ", pexpect.EOF])
            for line in PROMPT_LINES if seen == 0 else []:
                prompt.send(line + "\r")
            if seen == 0:
                # After an error the prompt is there, and says that it is; or it has ended.
                seen = prompt.expect([r"\nalive", pexpect.EOF])
            if seen == 0:
                prompt.send("\r\x15quit\r")
                prompt.expect(pexpect.EOF)
            prompt.close()
            status = prompt.exitstatus if prompt.signalstatus is None else -prompt.signalstatus
        except pexpect.TIMEOUT:
            status = "hangs"
            prompt.close(force=True)
        with open(folder + "/trace", "rb") as file:
            calls = file.read().split(b"\n")
    ended_badly(what, status, prompt.before if isinstance(prompt.before, bytes) else b"", calls)
    return calls


def prompt_matrix(pool, generator):
    calls = try_prompt(None, None, 0)
    jobs = [(name, error, place) for name in CALLS for error in ERRORS
            for place in generator.sample(places(calls, name, generator), min(2, len(places(calls, name, generator))))]
    list(pool.map(lambda job: try_prompt(*job), jobs))
    return len(jobs)


def signals(generator):
    """Stops, continues and kills runs at random points: nothing is lost by a stop, and nothing outlives a kill."""
    for number in range(30):
        with Folder() as folder:
            script = folder + "/s.mux"
            with open(script, "w") as file:
                file.write(SCRIPT.replace("spawn c cat", "spawn x sh -c \"sleep 1000 & sleep 1000\"\nspawn c cat"))
            process = subprocess.Popen([MUXSH, "--max-time", "60s", "-q", script], stdout=subprocess.PIPE, cwd=folder,
                                       stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environment(folder),
                                       start_new_session=True)
            time.sleep(generator.random() * 0.05)
            what = f"signals, run {number}"
            os.kill(process.pid, signal.SIGSTOP)
            time.sleep(generator.random() * 0.05)
            if number % 2 == 0:
                os.kill(process.pid, signal.SIGCONT)
                try:
                    out, err = process.communicate(timeout=LIMIT)
                    if process.returncode != 0 or not out.endswith(b"done\n"):
                        complain(what, f"a stop changes the run: {process.returncode} {out[-100:]} {err[-200:]}")
                except subprocess.TimeoutExpired:
                    complain(what, "hangs after SIGCONT")
                    process.kill()
            else:
                process.kill()
                process.wait()
            outlived(what, folder)


def outlived(what, folder):
    """Complains about programs that are left of a run; they are those whose working directory is its folder."""
    end = time.monotonic() + 5
    while True:
        left = []
        for name in os.listdir("/proc"):
            try:
                if name.isdigit() and os.readlink(f"/proc/{name}/cwd") == folder:
                    left.append(int(name))
            except OSError:
                pass
        if not left or time.monotonic() > end:
            break
        time.sleep(0.02)
    for number in left:
        complain(what, f"process {number} outlives the run")
        os.kill(number, signal.SIGKILL)


def killed_prompts(generator):
    """Kills prompts while they keep lines: the history has each line that was entered, and is read again."""
    for number in range(10):
        with Folder() as folder:
            prompt = pexpect.spawn(MUXSH, [], env=environment(folder), timeout=LIMIT, cwd=folder)
            prompt.delaybeforesend = None
            prompt.expect("muxsh> ")
            for line in range(5):
                prompt.send(f"print line-{number}-{line}\r")
                prompt.expect(f"\nline-{number}-{line}")
            prompt.send("print not entered")
            prompt.kill(signal.SIGKILL)
            prompt.close()
            again = pexpect.spawn(MUXSH, [], env=environment(folder), timeout=LIMIT, cwd=folder)
            again.delaybeforesend = None
            again.expect("muxsh> ")
            again.send("history\r")
            for line in range(5):
                if again.expect([f"print line-{number}-{line}", pexpect.TIMEOUT, pexpect.EOF], timeout=5) != 0:
                    complain(f"history, kill {number}", f"line {line} is missing")
                    break
            again.close(force=True)


def closed_descriptors():
    """Every combination of closed standard descriptors: a file of the run never takes the place of one of them."""
    for closed in itertools.chain.from_iterable(itertools.combinations((0, 1, 2), n) for n in range(4)):
        for program in ([MUXSH, "--transcript", "t", "-c", "print hello", "-c", "run true"], [MUXSH], [ECHOD, "--version"]):
            with Folder() as folder:
                redirections = " ".join(f"{n}{'<' if n == 0 else '>'}&-" for n in closed)
                with open(folder + "/out", "wb") as out, open(folder + "/err", "wb") as err:
                    process = subprocess.run(
                        ["sh", "-c", f'exec "$@" {redirections}', "sh", *program], stdin=subprocess.DEVNULL, stdout=out,
                        stderr=err, cwd=folder, env=environment(folder), timeout=LIMIT, check=False)
                what = f"closed {closed}, {' '.join(program[1:]) or 'no arguments'}"
                writes = program != [MUXSH]
                expected = 3 if 1 in closed and writes else None
                if crashed(process.returncode) or expected is not None and process.returncode != expected:
                    complain(what, f"status {process.returncode}")
                if 1 not in closed and writes and process.returncode != 0:
                    complain(what, f"status {process.returncode}")
                if program[-1] == "run true" and process.returncode == 0:
                    with open(folder + "/t", "rb") as file:
                        text = file.read()
                    if text != b"# hello\n":
                        complain(what, f"the transcript is {text}")


def full_disks():
    """A full disk below each file: words, a status, and a former file that is left as it was."""
    for arguments, names in (
        (["--transcript", "F"], "transcript"), (["--report", "tap=F"], "report"), (["--report", "junit=F"], "report"),
        (["--report", "html=F"], "report"), (["--report", "jsonl=F"], "report"),
    ):
        with Folder() as folder:
            with open(folder + "/s.mux", "w") as file:
                file.write('repeat 3000 {\nprint "a line of some length, again and again"\n}\ntest x {\nprint y\n}\n')
            found = limited(folder, [MUXSH, "-q"] + [a.replace("F", folder + "/f") for a in arguments] + [folder + "/s.mux"])
            what = f"full disk, {' '.join(arguments)}"
            size = os.path.getsize(folder + "/f") if os.path.exists(folder + "/f") else 0
            if crashed(found.returncode) or found.returncode == 0 and size >= 4096:
                complain(what, f"status {found.returncode}, {size} bytes")
            elif found.returncode not in (0, 3) or found.returncode == 3 and not found.stderr.strip():
                complain(what, f"status {found.returncode}, {names}: {found.stderr[-200:]}")
    for device in (["--transcript", "/dev/full"], ["--report", "tap=/dev/full"], ["--report", "junit=/dev/full"]):
        with Folder() as folder:
            found = subprocess.run([MUXSH, "-q", *device, "-c", "print x"], capture_output=True, env=environment(folder),
                                   stdin=subprocess.DEVNULL, timeout=LIMIT, check=False)
            if found.returncode != 3 or b"no space left" not in found.stderr.lower():
                complain(f"full disk, {' '.join(device)}", f"status {found.returncode}: {found.stderr[-200:]}")
    with Folder() as folder:
        found = subprocess.run(f"'{MUXSH}' -c 'print x' > /dev/full", shell=True, capture_output=True, timeout=LIMIT,
                               env=environment(folder), stdin=subprocess.DEVNULL, check=False)
        if found.returncode != 3 or not found.stderr:
            complain("full disk, standard output", f"status {found.returncode}: {found.stderr}")
    # save and history at the prompt: the prompt goes on, and says so.
    with Folder() as folder:
        os.makedirs(folder + "/muxsh")
        os.symlink("/dev/full", folder + "/muxsh/history")
        prompt = pexpect.spawn(MUXSH, [], env=environment(folder), timeout=LIMIT, cwd=folder)
        prompt.expect("muxsh> ")
        prompt.send("print one\rsave /dev/full\rprint two\r")
        if prompt.expect(["\ntwo", pexpect.TIMEOUT, pexpect.EOF]) != 0:
            complain("full disk, save and history", "the prompt does not go on")
        if b"/dev/full" not in prompt.before:
            complain("full disk, save", "no words")
        prompt.close(force=True)


def limited(folder, command):
    """Runs a command whose files may have 4 KiB; a longer write fails, since the signal is ignored."""
    script = 'trap "" XFSZ; ulimit -f 8; exec "$@"'
    return subprocess.run(["sh", "-c", script, "sh", *command], capture_output=True, stdin=subprocess.DEVNULL,
                          env=environment(folder), timeout=LIMIT, check=False)


def unread_output():
    """A reader that never reads: no work and no memory meanwhile, and an end when it is gone or time is over."""
    with Folder() as folder:
        process = subprocess.Popen([MUXSH, "-c", "repeat 10000000 {\nprint 0123456789\n}"], stdout=subprocess.PIPE,
                                   stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment(folder))
        before = None
        for _ in range(200):
            now = usage(process.pid)
            if now == before:
                break
            before = now
            time.sleep(0.1)
        else:
            complain("unread output", "it does not come to rest")
        if usage(process.pid)[1] > 64 * 1024:
            complain("unread output", f"memory is {usage(process.pid)[1]} KiB")
        process.stdout.close()
        try:
            if process.wait(LIMIT) == 0:
                complain("unread output", "status 0 though most was not read")
        except subprocess.TimeoutExpired:
            complain("unread output", "it does not end with its reader")
            process.kill()
        process = subprocess.Popen([MUXSH, "--max-time", "500ms", "-c", "repeat 10000000 {\nprint 0123456789\n}"],
                                   stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   env=environment(folder))
        try:
            process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            complain("unread output", "--max-time does not end it")
            process.kill()


def usage(pid):
    """Returns the processor time in ticks and the memory in KiB."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    with open(f"/proc/{pid}/status") as file:
        memory = int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])
    return int(fields[11]) + int(fields[12]), memory


def main():
    generator = random.Random(SEED)
    print(f"seed {SEED}")
    with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
        for name, matrix in (("script", script_matrix), ("echod", echod_matrix), ("prompt", prompt_matrix)):
            start = time.monotonic()
            print(f"{name}: {matrix(pool, generator)} runs in {time.monotonic() - start:.0f} s", flush=True)
    for part in (lambda: signals(generator), lambda: killed_prompts(generator), closed_descriptors, full_disks, unread_output):
        part()
    print("signals, killed prompts, closed descriptors, full disks, unread output: done")
    for text in complaints:
        print(text)
    print(f"faults: {len(complaints)} found")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
