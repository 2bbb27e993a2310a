"""--report jsonl and --keep-going: muxsh driven by a program, and the events by their schema."""

import base64
import json
import os
import signal
import subprocess
import sys
import tempfile

import jsonschema

from support import ECHOD, MUXSH
from terminal import LIMIT

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts", "examples"))
from muxsh import Failed, Muxsh, content_of  # noqa: E402

with open(os.path.join(ROOT, "schemas", "events.json")) as file:
    SCHEMA = jsonschema.Draft202012Validator(json.load(file))


def events_of(text, *options, stdin=None):
    """Runs a script and returns its events, each checked by the schema, and the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "a.mux")
        if stdin is None:
            with open(path, "wb") as file:
                file.write(text)
        command = [MUXSH, "-q", "--report", "jsonl", *options] + ([] if stdin else [path])
        run = subprocess.run(command, input=stdin, capture_output=True, timeout=LIMIT)
    assert run.stdout, run.stderr
    events = [json.loads(line) for line in run.stdout.splitlines()]
    for event in events:
        SCHEMA.validate(event)
    return events, run.returncode


def of_kind(events, kind):
    return [event for event in events if event["event"] == kind]


def test_each_kind_of_event_fits_the_schema():
    events, status = events_of(
        b"""let --secret key s3cr3t-value
serve E :0 echo
open A localhost:${E.port}
A> one \\xff two
A<~ (?<first>\\w+) (.*)
listen L :0
open B localhost:${L.port}
accept L C
C> to B ${key}
B<~ .*
B>| 
C<|
spawn P -- true
P<|
print "\\e[31m" <b> "\\xfe"
test "passes" {
    check 1 == 1
}
test "is skipped" {
    skip "for a reason"
}
test "fails" {
    A> 1
    A< 2
}
close A --reset
"""
    )
    assert status == 4 and of_kind(events, "test"), of_kind(events, "failed")
    kinds = {event["event"] for event in events}
    assert kinds == {
        "run", "open", "sent", "received", "ended", "matched", "failed", "print", "note", "test", "close", "done",
    }, kinds
    assert "s3cr3t-value" not in json.dumps(events)
    sent = of_kind(events, "sent")
    assert base64.b64decode(sent[0]["base64"]) == b"one \xff two" and sent[0]["line"] == 4, sent[0]
    (matched,) = [event for event in of_kind(events, "matched") if event["line"] == 5]
    assert matched["captures"][1] == "one" and base64.b64decode(matched["captures"][2]["base64"]) == b"\xff two"
    assert [event["outcome"] for event in of_kind(events, "test")] == ["passed", "skipped", "failed"]
    opened = sorted((event["session"], event["kind"], event.get("former")) for event in of_kind(events, "open"))
    assert opened == [
        ("A", "session", None), ("B", "session", None), ("C", "accepted", "L.1"), ("E", "service", None),
        ("L", "listener", None), ("L.1", "accepted", None), ("P", "program", None),
    ], opened
    assert events[-1] == {**events[-1], "event": "done", "run": True, "status": 4, "passed": 1, "failed": 1, "skipped": 1}
    lines = [event["line"] for event in of_kind(events, "done")[:-1]]
    assert lines == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 19, 22, 26], lines
    opened, closed = of_kind(events, "open"), of_kind(events, "close")
    assert {event["session"] for event in closed} <= {event["session"] for event in opened}


def test_sent_and_received_bytes_are_exact():
    every = bytes(range(256)) * 3
    with tempfile.NamedTemporaryFile() as data:
        data.write(every)
        data.flush()
        script = f"""serve E :0 echo
open A localhost:${{E.port}}
send A --file {data.name}
expect A bytes {len(every)}
send A --raw "half"
send A --hex 00ff0a
send A --pace 1us ab
expect A bytes 10
"""
        events, status = events_of(script.encode())
    assert status == 0, events[-3:]

    def stream(kind):
        return b"".join(
            (part.encode() if isinstance(part := content_of(event), str) else part) + event.get("ending", "").encode()
            for event in of_kind(events, kind)
        )

    assert stream("sent") == stream("received") == every + b"half\x00\xff\nab\n", stream("sent")[-30:]


def test_a_failure_or_an_error_does_not_end_the_run():
    events, status = events_of(
        None, "--keep-going",
        stdin=b"print 1\nnonsense\ncheck 1 == 2\nif 1 == 1 {\n  wrong\n  print never\n}\nprint 2\nopen x localhost:1\nprint 3\n")
    assert [event["text"] for event in of_kind(events, "print")] == ["1", "2", "3"]
    done = of_kind(events, "done")
    assert [event["status"] for event in done] == [0, 2, 4, 2, 0, 3, 0, 2], done
    assert status == 2
    assert done[1]["failure"] == "unknown command 'nonsense'"
    order = [event["event"] for event in events if event.get("line") == 3]
    assert order == ["failed", "done"], order


def test_an_error_is_in_every_report():
    script = b"bogus\nprint y\nskip reason\nprint never\n"
    for report, wanted in (("junit", b"unknown command 'bogus'"), ("tap", b"not ok 1 - outside of tests"),
                           ("jsonl", b"   | ^^^^^\\n  help: ")):
        run = subprocess.run(
            [MUXSH, "-q", "--keep-going", "--report", report], input=script, capture_output=True, timeout=LIMIT)
        assert wanted in run.stdout and run.returncode == 2, (run.stdout, run.returncode)
        assert b"never" not in run.stderr and b"y\n" in run.stderr, run.stderr


def test_exit_ends_a_run_that_keeps_going():
    assert events_of(None, "--keep-going", stdin=b"check 1 == 2\nexit\nprint never\n")[1] == 4
    events, status = events_of(None, "--keep-going", stdin=b"check 1 == 2\nexit 7\nprint never\n")
    assert status == 7 and not of_kind(events, "print")
    assert events_of(None, "--keep-going", stdin=b"print 1\nif 1 == 1 {\n")[1] == 2


def test_failures_that_do_not_end_the_run_are_tests_of_tap():
    run = subprocess.run(
        [MUXSH, "-q", "--keep-going", "--report", "tap"], input=b"check 1 == 2\ntest a {\n}\ncheck 2 == 3\n",
        capture_output=True, timeout=LIMIT)
    results = [line for line in run.stdout.decode().splitlines() if line.startswith(("ok", "not ok", "1.."))]
    assert results == ["not ok 1 - outside of tests", "ok 2 - a", "not ok 3 - outside of tests", "1..3"], results


def test_the_class_runs_statements():
    with Muxsh(program=MUXSH) as shell:
        port = shell.run("serve E :0 upper", "let port ${E.port}", "print ${port}").events
        shell.run("open web localhost:${E.port}", "web> ping")
        done = shell.run("web<~ (P[A-Z]+)")
        assert done.captures == ["PING", "PING"] and done.status == 0 and port
        assert shell.run("web> \\xff").events[0]["event"] == "sent"
        assert shell.run("web<~ (.*)").captures[1] == b"\xff"
        done = shell.run("repeat 3 {\n  web> again\n  web< AGAIN\n}")
        assert done.received("web") == ["AGAIN"] * 3
        try:
            shell.run("web> no", "web< YES")
            raise AssertionError("a mismatch passes")
        except Failed as error:
            assert "differs" in str(error) and error.done.status == 4 and error.done.line
        assert shell.run("check 1 == 2", check=False).status == 4
        assert shell.close() == 4


def test_the_class_tells_that_muxsh_is_gone():
    with Muxsh(program=MUXSH) as shell:
        shell.run("print 1")
        os.kill(shell.process.pid, signal.SIGKILL)
        for _ in range(2):
            try:
                shell.run("print 2")
                raise AssertionError("a killed process answers")
            except Failed as error:
                assert str(error) == "muxsh has ended with status -9", error


def test_a_server_killed_in_the_middle_is_a_failure_of_its_statement():
    server = subprocess.Popen([ECHOD, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    port = int(server.stdout.readline().rsplit(b":", 1)[1])
    with Muxsh(program=MUXSH) as shell:
        shell.run(f"open A localhost:{port}", "A> x", "A< X")
        server.kill()
        server.wait()
        done = shell.run("A<~ .*", check=False)
        assert done.status == 4 and "A" in done.failure, done.failure
        assert shell.run("print still here").status == 0


def test_the_class_as_a_program():
    program = os.path.join(ROOT, "scripts", "examples", "muxsh.py")
    folder = os.path.dirname(MUXSH)
    run = subprocess.run(
        [sys.executable, program], input=b"serve E :0 upper\nopen A localhost:${E.port}\nA> x\nA<~ (.)\n",
        capture_output=True, timeout=LIMIT, env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"})
    assert run.stdout == b"X\nX\n" and run.returncode == 0, (run.stdout, run.stderr)
