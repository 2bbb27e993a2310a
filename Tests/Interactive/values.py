"""Arbitrary bytes at the borders of the command line, which no other test can pass: arguments, the environment, file
and host names, options, reports; and files that are written or read slowly, or not at all."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time

from support import ECHOD, MUXSH
from terminal import LIMIT

# Each value as the system passes it, and as it is displayed.
AWKWARD = {
    "invalid UTF-8": (b"x\xff\xe9y", b"x\\xff\\xe9y"),
    "newline": (b"x\ny", b"x\\ny"),
    "ESC": (b"x\x1b[31my", b"x\\e[31my"),
    "stand-in": (b"x\xf4\x8f\xbf\xa9y", None),
    "blanks": (b" x  y ", b" x  y "),
}
LARGE = b"z" * (1 << 17)


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory(prefix="muxsh-values-") as path:
        yield os.fsencode(path)


# Sanitizers and scripts/coverage are set up for all programs of a run.
KEPT = {name: os.environb[name] for name in (b"ASAN_OPTIONS", b"TSAN_OPTIONS", b"LLVM_PROFILE_FILE") if name in os.environb}


def run(*arguments, stdin=b"", env=None, cwd=None, program=MUXSH, status=0):
    """Returns the standard output and standard error of a run that must end with `status`."""
    variables = {b"PATH": b"/usr/bin:/bin", b"HOME": cwd or b"/tmp", b"TERM": b"dumb", **KEPT, **(env or {})}
    outcome = subprocess.run(
        [program, *arguments], input=stdin, env=variables, cwd=cwd, capture_output=True, timeout=LIMIT
    )
    assert outcome.returncode == status, (arguments, outcome)
    for byte in (0x1B, 0x07, 0xFF):
        assert byte not in outcome.stderr, (arguments, outcome.stderr)
    return outcome.stdout, outcome.stderr


def test_a_value_is_bytes_whichever_way_it_comes():
    for name, (value, _) in [*AWKWARD.items(), ("large", (LARGE, None)), ("empty", (b"", None))]:
        if len(value) < 100_000:
            out, _ = run("-q", "-c", b"print --raw ${env.X}", env={b"X": value})
            assert out == value, name
        if len(value) < 100_000:
            assert run("-q", "-D", b"v=" + value, "-c", "print --raw ${v}")[0] == value, name
        if b"\n" not in value and 0 < len(value) < 100_000:
            assert run("-q", "-c", b"print --raw '" + value + b"'")[0] == value, name
        if b"\n" not in value:
            assert run("-q", stdin=b"print --raw '" + value + b"'\n")[0] == value, name


def test_names_of_files_are_bytes():
    for name, (value, shown) in AWKWARD.items():
        with folder() as path:
            with open(os.path.join(path, value), "wb") as file:
                file.write(b"print ${file}\n")
            out, _ = run("-q", value, cwd=path)
            assert shown is None or out.rstrip(b"\n").replace(b"\n", b"\\n") == shown, (name, out)
            word = b"".join(b"\\x%02x" % byte for byte in value)
            run("-q", "-c", b'source "' + word + b'"', cwd=path)
            script = b'serve e :0 echo\nopen a :${e.port}\nsend a --file "%s"\nexpect a "print"\nclose *\n' % word
            run("-q", "--transcript", b"t" + value, "--report", b"tap=r" + value, stdin=script, cwd=path)
            assert sorted(os.listdir(path)) == sorted([value, b"r" + value, b"t" + value]), (name, os.listdir(path))
            _, errors = run("-q", b"no" + value, cwd=path, status=1)
            assert shown is None or errors == b"muxsh: cannot read no" + shown + b": no such file or directory\n", errors
            if b"\n" not in value and value.strip() == value:
                unix = b'listen l "unix:u%s"\nopen a ${l.address}\naccept l b\na> x\nb< x\nclose *\n' % word
                run("-q", stdin=unix, cwd=path)


def test_a_program_gets_its_words_and_its_environment_as_they_are():
    for name, (value, _) in AWKWARD.items():
        word = b"".join(b"\\x%02x" % byte for byte in value)
        script = b'spawn p printf %%s "%s"\nexpect p bytes %d\nprint --raw ${0}\n' % (word, len(value))
        assert run("-q", stdin=script)[0] == value, name
        script = b"spawn p printenv X\nexpect p bytes %d\nprint --raw ${0}\n" % len(value)
        assert run("-q", stdin=script, env={b"X": value})[0] == value, name


def test_a_nul_ends_nothing_early():
    for statement in (
        'open a "tls://localhost\\0.evil.example:443"', 'open a "localhost\\0x:80"', 'listen l "unix:x\\0y"',
        'serve s "127.0.0.1\\0:0"', 'source "x\\0y"', 'spawn a "ls\\0x"', 'spawn a ls "x\\0y"',
        'open a tls://localhost:1 --cert "x\\0y"', 'open a tls://localhost:1 --key "x\\0y"',
        'open a tls://localhost:1 --ca "x\\0y"', 'open a tls://localhost:1 --alpn "h2\\0"',
        'open a tls://localhost:1 --servername "x\\0y"', 'open a localhost:1 --bind "127.0.0.1\\0:0"',
    ):
        _, errors = run("-q", "-c", statement, status=2)
        assert b"NUL" in errors or b"is not a" in errors, (statement, errors)
        # The same when the value is known only at run time.
        head, _, rest = statement.partition('"')
        text, _, tail = rest.rpartition('"')
        if statement.startswith("source"):
            continue
        _, errors = run("-q", stdin=f'let v "{text}"\n{head}${{v}}{tail}\n'.encode(), status=4)
        assert b"NUL" in errors or b"is not a" in errors, (statement, errors)
    run("-q", stdin=b'serve e :0\nopen a :${e.port}\nlet v "x\\0y"\nsend a --file ${v}\n', status=4)


def test_what_a_server_says_does_not_act_on_the_terminal():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for statement, status in ((b'skip "unsupported: ${1}"', 77), (b'fail "bad: ${1}"', 4), (b"print ${1}", 0)):
            script = b"open a 127.0.0.1:%d\nexpect a /(.*)!/s\n%s\n" % (port, statement)
            program = subprocess.Popen(
                [MUXSH, "-q"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            program.stdin.write(script)
            program.stdin.close()
            connection, _ = server.accept()
            connection.sendall(b"one\x1b[31m\x07\ntwo\xff!")
            connection.close()
            out, errors = program.stdout.read(), program.stderr.read()
            assert program.wait(LIMIT) == status
            if status:
                assert errors.count(b"\n") == (1 if status == 77 else 2), errors
                assert b"one\\e[31m\\x07\\ntwo\\xff" in errors, errors
            else:
                assert out == b"one\\e[31m\\x07\ntwo\\xff\n", out


def test_reports_and_transcripts_hold_one_line_for_one_thing():
    script = b'test "a\\e[1m\\nb\\xff" {\nfail "why\\e[1m\\nnot"\n}\ntest "c" {\nskip "x\\na> y"\n}\n'
    with folder() as path:
        out, _ = run("--report", "tap", "--transcript", "t", stdin=script, cwd=path, status=4)
        assert b"\x1b" not in out and b"\xff" not in out
        assert b"not ok 1 - a\\\\e[1m b\\\\xff\n" in out or b"not ok 1 - a" in out, out
        written = open(os.path.join(path, b"t"), "rb").read()
        assert all(line.startswith(b"#") for line in written.splitlines()), written


def test_a_variable_that_is_empty_counts_as_not_set():
    out, _ = run("-q", "-c", "print ${tmp}", env={b"TMPDIR": b""})
    assert out.startswith(b"/tmp/muxsh."), out
    run("-q", "-c", "print x", env={b"MUXSH_TIMEOUT_SCALE": b""})
    _, errors = run("-q", "-c", "print ${tmp}", env={b"TMPDIR": b"/no/such"}, status=3)
    assert b"cannot create a private directory in /no/such: no such file or directory" in errors, errors
    assert b"check the environment variable TMPDIR" in errors


def test_a_temporary_directory_goes_whatever_is_in_it():
    script = b'spawn p sh -c "cd ${tmp} && mkdir -p d/e && touch d/e/f && touch \\"$(printf \'x\\\\377\')\\" && chmod 0 d && echo done"\n'
    out, _ = run("-q", stdin=script + b"p< done\nprint ${tmp}\n")
    assert not os.path.exists(out.strip()), out


def test_a_full_or_closed_standard_output_is_told():
    full, closed = b"no space left on device", b"it is closed"
    for program, arguments in ((MUXSH, ["--help"]), (MUXSH, ["-q", "-c", "print x"]), (MUXSH, ["--version"]), (ECHOD, ["--help"]), (ECHOD, ["--port", "0"])):
        for redirection, words in ((">/dev/full", full), (">&-", closed)):
            outcome = subprocess.run(
                ["sh", "-c", 'exec "$@" ' + redirection, "sh", program, *arguments], capture_output=True, timeout=LIMIT)
            assert outcome.returncode == 3, (arguments, outcome)
            assert outcome.stderr == os.path.basename(program).encode() + b": cannot write standard output: " + words + b"\n", outcome
        # A reader that is gone needs no message.
        reading, writing = os.pipe()
        os.close(reading)
        outcome = subprocess.run([program, *arguments], stdout=writing, stderr=subprocess.PIPE, timeout=LIMIT)
        os.close(writing)
        assert outcome.stderr == b"" and outcome.returncode == 3, (arguments, outcome)


def stalled(arguments, act, stdin=None):
    """Runs with a standard error that is not read until `act` has ended the program; returns the status."""
    reading, writing = os.pipe()
    try:
        program = subprocess.Popen([MUXSH, *arguments], stdin=stdin, stdout=subprocess.DEVNULL, stderr=writing)
        os.close(writing)
        act(program, reading)
        return program.wait(LIMIT)
    finally:
        os.close(reading)


def until_full(pipe):
    """Waits until a pipe is so full that a writer would block."""
    import fcntl
    import termios

    count = bytearray(4)
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        fcntl.ioctl(pipe, termios.FIONREAD, count)
        if int.from_bytes(count, "little") >= 60_000:
            return
        os.sched_yield()
    raise AssertionError("the pipe never filled")


def test_nobody_who_does_not_read_keeps_it_from_ending():
    script = "repeat 100000 {\ntest \"x\" {\nfail \"a line that goes to standard error\"\n}\n}\n"
    with folder() as path:
        file = os.path.join(path, b"s.mux")
        open(file, "w").write(script)
        end = lambda program, pipe: (until_full(pipe), program.send_signal(signal.SIGTERM))
        assert stalled(["-q", file], end) == 143
        assert stalled(["-q", "--max-time", "2s", file], lambda program, pipe: until_full(pipe)) == 4


def test_a_fifo_that_nobody_reads_is_no_trap():
    with folder() as path:
        fifo = os.path.join(path, b"t")
        os.mkfifo(fifo)
        _, errors = run("-q", "--max-time", "300ms", "--transcript", fifo, "-c", "print x", status=4)
        assert b"while waiting for a reader of " in errors, errors
        # A late reader receives everything.
        program = subprocess.Popen([MUXSH, "-q", "--transcript", fifo, "-c", "print x"], stdout=subprocess.DEVNULL)
        with open(fifo, "rb") as reader:
            assert reader.read() == b"# x\n"
        assert program.wait(LIMIT) == 0
        # A reader that reads nothing blocks the script, and a signal ends it.
        program = subprocess.Popen([MUXSH, "-q", "--transcript", fifo, "-c", "repeat 100000 {\nprint text text\n}"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        reader = os.open(fifo, os.O_RDONLY)
        until_full(reader)
        program.send_signal(signal.SIGTERM)
        assert program.wait(LIMIT) == 143
        os.close(reader)


def test_a_script_that_comes_slowly_is_under_the_limit_too():
    with folder() as path:
        fifo = os.path.join(path, b"s.mux")
        os.mkfifo(fifo)
        _, errors = run("--max-time", "300ms", fifo, status=4)
        assert b"the run exceeded its time limit of 300.0 ms while reading " in errors, errors
        slow = subprocess.Popen([MUXSH, "--max-time", "300ms", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        assert slow.wait(LIMIT) == 4 and b"while reading standard input" in slow.stderr.read()
        program = subprocess.Popen([MUXSH, "-q", fifo], stdout=subprocess.PIPE)
        with open(fifo, "wb") as writer:
            writer.write(b"print from a fifo\n")
        assert program.stdout.read() == b"from a fifo\n" and program.wait(LIMIT) == 0


def test_modes_are_set_on_new_files_only():
    with folder() as path:
        mode = os.stat("/dev/null").st_mode
        run("-q", "--transcript", "/dev/null", "--report", "tap=/dev/null", "-c", "print x", cwd=path)
        assert os.stat("/dev/null").st_mode == mode
        old = os.path.join(path, b"old")
        open(old, "w").close()
        os.chmod(old, 0o644)
        run("-q", "--transcript", "old", "--report", "tap=new", "-c", "print x", cwd=path)
        assert os.stat(old).st_mode & 0o777 == 0o644
        assert os.stat(os.path.join(path, b"new")).st_mode & 0o777 == 0o600
        os.symlink(b"old", os.path.join(path, b"link"))
        run("-q", "--transcript", "link", "-c", "print through", cwd=path)
        assert open(old).read() == "# through\n"


def test_echod_serves_on_when_nobody_reads_its_log():
    reading, writing = os.pipe()
    program = subprocess.Popen([ECHOD, "--port", "0", "-v"], stdout=subprocess.PIPE, stderr=writing)
    os.close(writing)
    port = int(program.stdout.readline().split(b":")[-1])
    for _ in range(3000):
        with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as client:
            client.sendall(b"x")
            assert client.recv(1) == b"X"
    # The dropped lines are counted once the log is read again.
    os.set_blocking(reading, False)
    read = b""
    end = time.monotonic() + LIMIT
    while b"lines of the log dropped" not in read and time.monotonic() < end:
        with contextlib.suppress(BlockingIOError):
            read += os.read(reading, 65536)
        with socket.create_connection(("127.0.0.1", port), timeout=LIMIT):
            pass
    assert b"lines of the log dropped" in read
    program.send_signal(signal.SIGTERM)
    assert program.wait(LIMIT) == 0
    os.close(reading)


def test_echod_answers_those_who_waited_in_its_queue():
    for options in ([], ["--max-connections", "5"]):
        answers_its_queue(options)


def answers_its_queue(options):
    program = subprocess.Popen([ECHOD, "--port", "0", *options], stdout=subprocess.PIPE)
    port = int(program.stdout.readline().split(b":")[-1])
    program.send_signal(signal.SIGSTOP)
    clients = []
    for number in range(600):
        client = socket.create_connection(("127.0.0.1", port), timeout=LIMIT)
        client.sendall(b"client %d" % number)
        clients.append(client)
    program.send_signal(signal.SIGTERM)
    program.send_signal(signal.SIGCONT)
    for number, client in enumerate(clients):
        expected = b"CLIENT %d" % number
        answer = b""
        while len(answer) < len(expected) and (more := client.recv(100)):
            answer += more
        assert answer == expected
        client.close()
    assert program.wait(LIMIT) == 0


def test_running_out_of_descriptors_and_processes_is_told():
    script = b"listen l :0\nprint ${l.port}\nsleep forever\n"
    program = subprocess.Popen(
        ["bash", "-c", 'ulimit -n 24; exec "$0" /dev/fd/0', MUXSH], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL)
    program.stdin.write(script)
    program.stdin.close()
    while not (line := program.stdout.readline()).strip().isdigit():
        assert line
    clients = [socket.create_connection(("127.0.0.1", int(line)), timeout=LIMIT) for _ in range(30)]
    while b"out of file descriptors" not in (line := program.stdout.readline()):
        assert line
    program.send_signal(signal.SIGTERM)
    assert program.wait(LIMIT) == 143
    for client in clients:
        client.close()
    outcome = subprocess.run(
        ["bash", "-c", 'ulimit -n 5; exec "$0" -c "print x"', MUXSH], capture_output=True, timeout=LIMIT)
    assert outcome.returncode == 3, outcome
    assert outcome.stderr == b"muxsh: cannot wait for signals: too many open files\n", outcome


def test_the_last_line_of_a_client_that_half_closes_is_answered():
    script = b"listen l :0\non l.* /^GET (\\w+)$/ {\n${session}> VALUE ${1}\n}\nprint ${l.port}\nsleep forever\n"
    program = subprocess.Popen(
        [MUXSH, "-q", "/dev/stdin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    program.stdin.write(script)
    program.stdin.close()
    with socket.create_connection(("127.0.0.1", int(program.stdout.readline())), timeout=LIMIT) as client:
        client.sendall(b"GET x")
        client.shutdown(socket.SHUT_WR)
        assert client.makefile("rb").read() == b"VALUE x\n"
    program.send_signal(signal.SIGTERM)
    program.wait(LIMIT)


def test_a_datagram_is_faithful_and_its_transcript_runs_again():
    answer = b"\x00\x01dns\n\n"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, folder() as path:
        server.bind(("127.0.0.1", 0))
        server.settimeout(LIMIT)
        for options in (b"", b" --frame raw"):
            script = b"open u udp://127.0.0.1:%d%s\nu> ask\nexpect u lines 1\nprint --raw ${0}\nclose u\n" % (
                server.getsockname()[1], options)
            arguments = ["-q", "--transcript", "t", "-"]
            for _ in range(2):
                program = subprocess.Popen(
                    [MUXSH, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=path)
                program.stdin.write(script)
                program.stdin.close()
                asked, peer = server.recvfrom(100)
                assert asked == b"ask"
                server.sendto(answer, peer)
                out = program.stdout.read()
                assert program.wait(LIMIT) == 0
                # Next run the transcript as a script, which writes its own transcript.
                if arguments[-1] == "-":
                    assert out == (answer if options else answer[:-1]), (options, out)
                    first = open(os.path.join(path, b"t"), "rb").read()
                    assert b"u< \\x00\\x01dns\\n\\n\n" in first, first
                    os.rename(os.path.join(path, b"t"), os.path.join(path, b"first"))
                    script, arguments = b"", ["-q", "first"]


def test_wrong_usage_is_told_in_its_lines():
    for name, (value, shown) in AWKWARD.items():
        if shown is None:
            continue
        value, shown = b"a=" + value, b"a=" + shown
        for program, arguments, status in (
            (MUXSH, ["--max-time"], 1), (MUXSH, ["--color"], 1), (MUXSH, ["--runs"], 1), (MUXSH, ["-o"], 1),
            (ECHOD, ["--mode"], 1), (ECHOD, [], 1), (ECHOD, ["--bind"], 3), (ECHOD, ["--idle-timeout"], 1),
        ):
            if arguments == ["-o"]:
                value, shown = b"a=localhost:" + value, b"localhost:" + shown
            _, errors = run(*arguments, value, program=program, status=status)
            assert shown in errors and errors.count(b"\n") in (1, 2), (name, arguments, errors)
        _, errors = run("-c", "print x", env={b"MUXSH_TIMEOUT_SCALE": value}, status=1)
        assert errors.count(b"\n") == 2, errors
    _, errors = run("", status=1)
    assert errors == b"muxsh: cannot read '': no such file or directory\n", errors
    # The ready line and the log of echod are also for human readers.
    with folder() as path:
        program = subprocess.Popen([ECHOD, "--bind", b"unix:" + path + b"/x\x1b\ny\xff"], stdout=subprocess.PIPE)
        assert program.stdout.readline().endswith(b"/x\\e\\ny\\xff\n")
        program.send_signal(signal.SIGTERM)
        assert program.wait(LIMIT) == 0


def test_a_text_has_a_limit():
    script = b"let a 0123456789abcdef\nrepeat 40 {\nlet a ${a}${a}\n}\n"
    _, errors = run("-q", stdin=script, status=4)
    assert b"error: a value of 134217728 bytes is too large (limit 64 MiB)" in errors, errors


def test_thousands_of_patterns_need_little_room():
    # A sanitizer reserves address space.
    if "MUXSH_SANITIZED" in os.environ:
        return
    script = b"on a.* /xI/ {\n}\n" * 20_000
    outcome = subprocess.run(
        ["bash", "-c", 'ulimit -v 8000000; exec "$0" --check /dev/stdin', MUXSH], input=script, capture_output=True,
        timeout=LIMIT)
    assert outcome.returncode == 0, outcome


def test_a_fifo_of_authorities_is_not_waited_for():
    with folder() as path:
        os.mkfifo(os.path.join(path, b"f"))
        _, errors = run(
            "-c", "open a tls://127.0.0.1:1", env={b"SSL_CERT_FILE": b"f"}, cwd=path, status=3)
        assert b"connection refused" in errors, errors


def test_a_password_is_whole():
    with folder() as path:
        make = "openssl req -x509 -newkey rsa:2048 -nodes -keyout k -out c -subj /CN=localhost && " \
            "openssl pkcs12 -export -in c -inkey k -passout pass:sesame -out p"
        subprocess.run(["sh", "-c", make], cwd=path, check=True, capture_output=True)
        run("-q", "-c", 'listen l :0 --tls --cert p --key-password sesame', "-c", "exit 0", cwd=path)
        _, errors = run("-q", "-c", 'listen l :0 --tls --cert p --key-password "sesame\\0x"', cwd=path, status=3)
        assert b"wrong password for p (--key-password)" in errors, errors


def test_what_a_dead_program_said_last_shows_no_piece_of_a_secret():
    script = b'let --secret pw hunter2secret\nlisten l :0\n' \
        b'spawn q sh -c "printf hunter2; sleep 0.3; printf secret; exit 3"\nwait q status 3\nspawn r sh -c "exit 4"\n' \
        b'spawn s sh -c "printf hunter2; sleep 0.3; printf secret; exit 3"\naccept l x within 1s\n'
    _, errors = run("-q", stdin=script, status=3)
    assert b"s exited with status 3; last line of its output: ${pw}\n" in errors, errors
    assert b"secret" not in errors.replace(b"--secret", b""), errors


def stems_from(ancestor):
    """Returns the descendants of a process."""
    parents = {}
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            with open(f"/proc/{int(name)}/stat") as file:
                parents[int(name)] = int(file.read().rsplit(") ", 1)[1].split()[1])
    found = {ancestor}
    while more := {process for process, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {ancestor}


def lives(process):
    with contextlib.suppress(OSError):
        with open(f"/proc/{process}/stat") as file:
            return file.read().rsplit(") ", 1)[1][0] != "Z"
    return False


def test_what_a_killed_warden_leaves_is_ended():
    script = b'spawn x sh -c "sleep 1000 & setsid sleep 1000 & echo begun; exec sleep 1000"\nx< begun\nprint ready\nsleep forever\n'
    for number in (signal.SIGKILL, signal.SIGSTOP):
        program = subprocess.Popen(
            [MUXSH, "-q", "/dev/stdin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        program.stdin.write(script)
        program.stdin.close()
        assert program.stdout.readline() == b"ready\n"
        (warden,) = [one for one in stems_from(program.pid) if stems_from(one) == stems_from(program.pid) - {one}]
        below = stems_from(warden)
        assert len(below) >= 3, below
        os.kill(warden, number)
        if number == signal.SIGSTOP:
            program.send_signal(signal.SIGTERM)
        end = time.monotonic() + LIMIT
        while any(map(lives, below)):
            assert time.monotonic() < end, below
            os.sched_yield()
        program.send_signal(signal.SIGTERM)
        assert program.wait(LIMIT) == 143


def test_a_script_has_a_limit():
    for arguments, place in ((["-n", "/dev/zero"], b"/dev/zero"), (["-n", "-"], b"-")):
        with open("/dev/zero", "rb") as endless:
            outcome = subprocess.run([MUXSH, *arguments], stdin=endless, capture_output=True, timeout=LIMIT)
        assert outcome.returncode == 1, outcome
        assert outcome.stderr == b"muxsh: cannot read " + place + b": longer than 64 MiB, the limit for a script\n"
    _, errors = run("-c", "source /dev/zero", status=2)
    assert b"cannot read '/dev/zero': longer than 64 MiB" in errors, errors


def test_long_names_are_checked_in_no_time_and_told_in_few_words():
    name, other = b"a" * 1_000_000, b"b" * 1_000_000
    for script in (
        b"open " + name + b" localhost:1\n" + other + b"> x\n", b"let " + name + b" 1\nprint ${" + other + b"}\n",
        b"define " + name + b" {\n}\n" + other + b" x\n",
    ):
        _, errors = run("-n", "-", stdin=script, status=2)
        assert len(errors) < 10_000, len(errors)
