"""--learn: recorded scripts that hold after a few runs, and what is not guessed."""

import http.client
import http.server
import itertools
import json
import os
import random
import socketserver
import subprocess
import tempfile
import threading
import time
import uuid

from support import MUXSH
from terminal import LIMIT


class Lines(socketserver.StreamRequestHandler):
    """Answers each line with what the server's function returns, a list of lines."""

    def handle(self):
        state = {}
        try:
            for line in self.rfile:
                for answer in self.server.answer(line.strip(), state):
                    self.wfile.write(answer.encode() + b"\r\n")
        except ConnectionResetError:
            pass


class Server:
    """A server of lines on a free port, for a `with` block."""

    def __init__(self, answer):
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Lines)
        self.server.daemon_threads = True
        self.server.answer = answer
        self.port = self.server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def learn(script, port, *options):
    """Returns the file after --learn, the run, and a run of the file afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "a.mux")
        with open(path, "wb") as file:
            file.write(script.replace("PORT", str(port)).encode())
        os.chmod(path, 0o640)
        run = subprocess.run([MUXSH, "--learn", *options, path], capture_output=True, timeout=10 * LIMIT)
        with open(path, "rb") as file:
            text = file.read().decode().replace(str(port), "PORT")
        assert os.stat(path).st_mode & 0o777 == 0o640 and os.listdir(folder) == ["a.mux"]
        again = subprocess.run([MUXSH, "-q", path], capture_output=True, timeout=10 * LIMIT)
    return text, run, again


def test_an_identifier_becomes_a_capture():
    def answer(line, state):
        words = line.split()
        if words[0] == b"HELLO":
            state["id"] = f"s-{random.getrandbits(64):016x}-{random.randint(1, 9)}"
            return [f"200 session={state['id']} at {time.strftime('%H:%M:%S')}", "constant1234"]
        return ["welcome back " + state["id"]] if words[1].decode() == state["id"] else ["401 who?"]

    with Server(answer) as server:
        text, run, again = learn(
            """# a comment
open a localhost:PORT --eol crlf
a> HELLO
    a< 200 session=s-0123456789abcdef-4 at 00:00:00
a< constant1234
a> USE s-0123456789abcdef-4
a< welcome back s-0123456789abcdef-4
""", server.port)
    assert run.returncode == 0, run.stderr
    assert text == """# a comment
open a localhost:PORT --eol crlf
a> HELLO
    a<~ ^200 session=(?<value>[\\w+/.~%=-]+) at \\d+:\\d+:\\d+$
a< constant1234
a> USE ${value}
a< welcome back ${value}
""", text
    assert again.returncode == 0, again.stderr
    assert b"3 lines of " in run.stderr and b" rewritten; it has passed twice since" in run.stderr, run.stderr
    assert b":4: -" in run.stdout and b":6: +a> USE ${value}" in run.stdout, run.stdout


class Login(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    tokens = set()

    def log_message(self, *_):
        pass

    def answer(self, status, body, *headers):
        self.send_response(status)
        for header in headers:
            self.send_header(*header)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        token = uuid.uuid4().hex
        self.tokens.add(token)
        body = {"number": random.randint(10000, 99999), "token": token, "expires": time.time_ns()}
        self.answer(200, json.dumps(body).encode(), ("Set-Cookie", f"sid=X{token[::-1]}; Path=/"))

    def do_GET(self):
        token = self.headers.get("Authorization", "")[7:]
        known = token in self.tokens and self.headers.get("Cookie") == f"sid=X{token[::-1]}"
        self.answer(200 if known else 401, b"me\n")


def recorded_login(port, folder):
    """Returns the script of a login that a real client does through a recording proxy."""
    transcript = os.path.join(folder, "all.mux")
    recorder = subprocess.Popen(
        [MUXSH, "--transcript", transcript, "-c", "listen proxy :0", "-c", "print ready ${proxy.port}",
         "-c", "accept proxy client within 20s", "-c", f"open server localhost:{port} --eol crlf",
         "-c", "bridge client server"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    while not (line := recorder.stdout.readline()).startswith(b"ready"):
        assert line, "the recorder has ended"
    client = http.client.HTTPConnection("localhost", int(line.split()[1]))
    client.request("POST", "/login", json.dumps({"user": "joe"}), {"Content-Type": "application/json"})
    answer = client.getresponse()
    cookie = answer.headers["Set-Cookie"].split(";")[0]
    token = json.loads(answer.read())["token"]
    client.request("GET", "/me", headers={"Authorization": "Bearer " + token, "Cookie": cookie})
    assert client.getresponse().status == 200
    client.close()
    recorder.communicate(timeout=2 * LIMIT)
    with open(transcript) as file:
        return "".join(line for line in file if line.startswith(("server", "open server")))


def test_a_recorded_login_with_token_and_cookie_runs_again():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Login)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            script = recorded_login(server.server_port, folder)
        text, run, again = learn(script, server.server_port)
        assert run.returncode == 0 and again.returncode == 0, (run.stderr, again.stderr)
    finally:
        server.shutdown()
    assert "Authorization: Bearer ${token}" in text and "Cookie: sid=${sid}" in text, text
    assert '"token": "(?<token>[0-9a-f]+)", "expires": \\d+' in text, text
    assert text.count("GMT$") == 2 and "server< me" in text, text


def test_what_changes_gets_the_narrowest_pattern():
    numbers = itertools.count(7)

    def answer(line, state):
        n = next(numbers)
        return [
            f"number {n}", f"hex {n * 7919 + 65536:05x}a", f"word x{n}.y", "same 5 \\d (a+b)* ${x} \u00e9",
            f"{'two words' if n % 2 else 'one'} here", f"took 0.{n:03d} of 1.500 secs", f"10.0.0.{n}",
            time.strftime("%Y-%m-%dT00:00:") + f"{n:02d}Z", "a" * (n % 3) + "b",
        ]

    with Server(answer) as server:
        text, run, again = learn(
            """open a localhost:PORT
a> x
a< number 3
a< hex 1000aa
a< word abc
a< same 5 \\\\d (a+b)* \\${x} \u00e9
a< one here
a< took 0.001 of 1.500 secs
a< 10.0.0.1
a< 2001-02-03T04:05:06Z
a< aab
""", server.port, "--runs", "4")
    assert run.returncode == 0 and again.returncode == 0, (run.stderr, again.stderr)
    assert text.splitlines()[2:] == [
        "a<~ ^number \\d+$", "a<~ ^hex [0-9a-f]+$", "a<~ ^word \\S+$", "a< same 5 \\\\d (a+b)* \\${x} \u00e9",
        "a<~ ^\\S+ .*?here$", "a<~ ^took \\d+\\.\\d+ of \\d+\\.\\d+ secs$", "a<~ ^10\\.0\\.0\\.\\d+$",
        "a<~ ^\\d+-\\d{1,2}-\\d{1,2}T\\d+:\\d+:\\d+Z$", "a<~ ^\\S+$",
    ], text


def test_a_word_with_a_number_keeps_its_letters():
    numbers = itertools.count(5)

    def answer(line, state):
        n = next(numbers)
        return [f"login{n}: x", f"v{n}beta", f"{n}th"]

    with Server(answer) as server:
        text, run, again = learn("open a localhost:PORT\na> x\na< login2: x\na< v2beta\na< 2th\n", server.port)
    assert run.returncode == 0 and again.returncode == 0, (run.stderr, again.stderr)
    assert text.splitlines()[2:] == ["a<~ ^login\\d+: x$", "a<~ ^v\\d+beta$", "a<~ ^\\d+th$"], text


def test_the_length_of_what_changes_changes_too():
    numbers = itertools.count(98)

    def answer(line, state):
        text = f"value {next(numbers)}" if line == b"number" else "value f" + f"{random.getrandbits(28):07x}"
        return [f"${len(text)}", text]

    with Server(answer) as server:
        text, run, again = learn(
            "open a localhost:PORT\na> number\na< $8\na< value 97\na> hex\na< $14\na< value f123abcd\n", server.port,
            "--runs", "1")
    # One run has seen numbers of two digits only; the next have three.
    assert run.returncode == 0 and again.returncode == 0, (run.stderr, again.stderr)
    assert text == "open a localhost:PORT\na> number\na<~ ^\\$\\d+$\na<~ ^value \\d+$\na> hex\na< $14\n" \
        "a<~ ^value [0-9a-f]+$\n", text


def test_a_changing_order_is_told_and_not_guessed():
    flips = itertools.cycle([("one", "two"), ("two", "one")])
    with Server(lambda line, state: next(flips)) as server:
        script = "open a localhost:PORT\na> x\na< one\na< two\n"
        text, run, _ = learn(script, server.port)
    assert text == script and run.returncode == 4
    assert b"the order of this line and line 4 changes between runs" in run.stderr, run.stderr


def test_a_run_that_fails_otherwise_changes_nothing():
    with Server(lambda line, state: [str(random.random())]) as server:
        script = "open a localhost:PORT --timeout 200ms\na> x\na< 0.5\nexpect a never within 50ms\n"
        text, run, _ = learn(script, server.port)
    assert text == script and run.returncode == 4
    assert b"run 1 of " in run.stderr and b"failed, so nothing is changed" in run.stderr, run.stderr


def test_a_script_that_holds_needs_no_change():
    with Server(lambda line, state: ["pong"]) as server:
        script = "open a localhost:PORT\na> ping\na< pong\n"
        text, run, _ = learn(script, server.port)
    assert text == script and run.returncode == 0 and b"needs no change" in run.stderr, run.stderr


def test_a_change_that_does_not_pass_is_not_written():
    count = itertools.count()

    # Three runs, and then the server answers otherwise.
    def answer(line, state):
        n = next(count)
        return [f"{n}" if n < 3 else "gone"]

    with Server(answer) as server:
        script = "open a localhost:PORT\na> x\na< 9\n"
        text, run, _ = learn(script, server.port)
    assert text == script and run.returncode == 4
    assert b"does not pass, so it is left as it is" in run.stderr, run.stderr


def test_lines_with_variables_and_secrets_are_left():
    with Server(lambda line, state: [f"x {random.random()}", f"s3cret-word {random.random()}"]) as server:
        script = (
            "let --secret word s3cret-word\nlet v 5\nopen a localhost:PORT\na> x\na< x ${v}\na< nothing\n")
        text, run, _ = learn(script, server.port)
    assert text == script and run.returncode == 4, (text, run.stderr)
    assert b":5: left as it is: it contains variables" in run.stderr, run.stderr
    assert b":6: left as it is: a secret is in what arrived" in run.stderr and b"s3cret" not in run.stderr


def test_line_endings_and_other_bytes_stay():
    with Server(lambda line, state: [f"id {random.randint(10, 99)}"]) as server:
        script = "\ufeff# caf\u00e9\r\nopen a localhost:PORT\r\n\r\n\ta> x\r\n\ta< id 5\r\n# end"
        text, run, _ = learn(script, server.port)
    assert run.returncode == 0, run.stderr
    assert text == script.replace("a< id 5", "a<~ ^id \\d+$"), text
