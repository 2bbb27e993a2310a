"""The libraries of `source <NAME>`, against servers that answer in every way their protocols allow."""

import gzip
import http.server
import os
import socket
import subprocess
import tempfile
import threading
import zlib

from support import MUXSH
from terminal import LIMIT


def run(script, port):
    """Runs a script and returns what it prints and its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "a.mux")
        with open(path, "wb") as file:
            file.write(script if isinstance(script, bytes) else script.encode())
        done = subprocess.run(
            [MUXSH, "-q", "-D", f"server=localhost:{port}", path], capture_output=True, timeout=3 * LIMIT)
    return done.stdout.decode().splitlines(), done.returncode, done.stderr.decode()


class Pages(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, body, *headers, status=200, length=True):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if length:
            self.send_header("content-LENGTH", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        if self.path == "/gzip":
            self.answer(gzip.compress(b"zipped"), ("Content-Encoding", "gzip"))
        elif self.path == "/deflate":
            self.answer(zlib.compress(b"deflated"), ("Content-Encoding", "deflate"))
        elif self.path == "/end":
            self.answer(b"up to\r\nthe end", ("Connection", "close"), length=False)
            self.close_connection = True
        elif self.path == "/nothing":
            self.send_response(204)
            self.end_headers()
        elif self.path == "/headers":
            self.answer(self.headers.as_bytes().replace(b"\n", b"|"))
        else:
            self.answer(b"no final newline", ("Content-Type", "  text/plain; a:b "), status=404)

    do_HEAD = do_DELETE = do_GET

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response_only(100)
        self.end_headers()
        self.send_response(201)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        parts = [body, b"\r\n", b"x" * 300, b"HTTP/1.1 200 OK\r\n\r\n"]
        for part in parts:
            self.wfile.write(b"%X;a=b\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\nTrailer: x\r\n\r\n")

    do_PUT = do_POST


def test_http_reads_every_kind_of_body():
    server = http.server.HTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        lines, status, errors = run(
            """source <http>
open web ${server}
http.get web /none
print ${http.status} ${http.reason} ${http.body}
http.header content-type
print "[${http.value}]"
http.header missing
print "[${http.value}]"
http.head web /none
print ${http.status} "[${http.body}]"
http.get web /nothing
print ${http.status} "[${http.body}]"
http.post web /x text/plain "a body"
print ${http.status} ${http.body:length} ${http.body:first(6)} ${http.body:last(19):json}
http.get web /gzip
print ${http.body}
http.get web /deflate
print ${http.body}
http.delete web /none
print ${http.status}
let http.headers "X-Own: 1\\r\\n"
let http.host example.net
http.get web /headers
print ${http.body}
http.get web /end
print ${http.body:json}
expect web eof
""", server.server_port)
    finally:
        server.shutdown()
    assert status == 0, errors
    assert lines == [
        "404 Not Found no final newline", "[text/plain; a:b]", "[]", "404 []", "204 []",
        f"201 {6 + 2 + 300 + 19} a body HTTP/1.1 200 OK\\r\\n\\r\\n", "zipped", "deflated", "404",
        "Host: example.net|X-Own: 1||", "up to\\r\\nthe end",
    ], lines


def serve(answers):
    """Returns a listener that answers each line of one client with the next answer, byte by byte where it is long."""
    listener = socket.create_server(("127.0.0.1", 0))

    def talk():
        client, _ = listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = client.makefile("rb")
        for index, answer in enumerate(answers):
            if index > 0 and not reader.readline():
                break
            for byte in answer:
                client.send(bytes([byte]))
        reader.read()
        client.close()

    threading.Thread(target=talk, daemon=True).start()
    return listener


def test_redis_reads_every_kind_of_reply():
    replies = {
        b"+OK\r\n": "string 0 [OK]", b"-ERR no\r\n": "error 0 [ERR no]", b":-5\r\n": "integer 0 [-5]",
        b"$0\r\n\r\n": "string 0 []", b"$-1\r\n": "null 0 []", b"$6\r\na\r\nb\r\n\r\n": "string 0 [a\\r\\nb\\r\\n]",
        b"*0\r\n": "array 0 []", b"*-1\r\n": "null 0 []", b"_\r\n": "null 0 []", b"#t\r\n": "boolean 0 [t]",
        b",1.5e3\r\n": "double 0 [1.5e3]", b"(123456789012345678901\r\n": "number 0 [123456789012345678901]",
        b"!5\r\nERR x\r\n": "error 0 [ERR x]", b"=8\r\ntxt:some\r\n": "string 0 [some]",
        b"*3\r\n:1\r\n*2\r\n$1\r\na\r\n_\r\n+z\r\n": "array 4 [1\\na\\n\\nz]",
        b"%2\r\n+a\r\n:1\r\n+b\r\n:2\r\n": "map 4 [a\\n1\\nb\\n2]", b"~2\r\n:1\r\n:2\r\n": "set 2 [1\\n2]",
        b"|1\r\n+ttl\r\n:60\r\n$1\r\nv\r\n": "string 0 [v]",
        b"$?\r\n;2\r\nab\r\n;1\r\nc\r\n;0\r\n": "string 0 [abc]", b"*?\r\n:1\r\n:2\r\n.\r\n": "array 2 [1\\n2]",
        b">2\r\n+message\r\n+pushed\r\n+after\r\n": "string 0 [after]",
    }
    listener = serve([b"", *replies])
    script = "source <redis>\nopen c ${server}\n" + "".join(
        f'redis.command c "N {index}"\nprint "${{redis.type}} ${{redis.count}} [${{redis.reply:json}}]"\n'
        for index in range(len(replies))
    ) + 'print ${redis.pushed:json}\n'
    lines, status, errors = run(script, listener.getsockname()[1])
    listener.close()
    assert status == 0, errors
    assert lines == [*replies.values(), "message\\npushed\\n"], lines


def test_answers_that_are_not_valid_are_failures():
    answers = {
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc": "the Content-Length is not a length: -1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3x\r\n\r\nabc": "the Content-Length is not a length: 3x",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nA: b\r\ncontent-length:5\r\n\r\nabcde":
            "there are different values of Content-Length",
        b"ICY 200 OK\r\n\r\n": "the line does not match",
    }
    for answer, problem in answers.items():
        listener = serve([answer])
        _, status, errors = run(
            "source <http>\nopen w ${server}\nhttp.read w GET\n", listener.getsockname()[1])
        assert status == 4 and problem in errors, (answer, errors)
    listener = serve([b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc"])
    _, status, errors = run("source <http>\nopen w ${server}\nhttp.read w GET\n", listener.getsockname()[1])
    assert status == 0, errors
    for answer, problem in {
        b":abc\r\n": "an integer that is not a number: abc", b"$-5\r\nabc\r\n": "a length that is not a length: -5",
        b"*-7\r\n": "a length that is not a length: -7", b"$3\r\nabcd\r\n": "a string does not end after 3 bytes",
    }.items():
        listener = serve([answer])
        _, status, errors = run("source <redis>\nopen c ${server}\nredis.read c\n", listener.getsockname()[1])
        assert status == 4 and problem in errors, (answer, errors)


def test_redis_do_fails_with_the_error():
    listener = serve([b"", b"-ERR no such thing\r\n"])
    _, status, errors = run('source <redis>\nopen c ${server}\nredis.do c "X"\n', listener.getsockname()[1])
    assert status == 4 and "X: ERR no such thing" in errors, errors


def test_smtp_checks_each_line_of_a_reply():
    listener = serve([b"220-one\r\n220-\r\n220 two\r\n", b"250-a\r\n251 b\r\n"])
    lines, status, errors = run(
        'source <smtp>\nopen m ${server}\nsmtp.reply m 220\nprint ${smtp.text:json}\nsmtp.command m EHLO 250\n',
        listener.getsockname()[1])
    assert lines == ["one\\n\\ntwo"] and status == 4 and "the lines of a reply have different codes" in errors, errors
    listener = serve([b"554 go away\r\n"])
    _, status, errors = run("source <smtp>\nopen m ${server}\nsmtp.reply m 220\n", listener.getsockname()[1])
    assert status == 4 and "554 go away instead of 220" in errors, errors


def test_smtp_sends_a_mail_with_dots():
    received = []
    listener = socket.create_server(("127.0.0.1", 0))

    def talk():
        client, _ = listener.accept()
        reader = client.makefile("rb")
        client.send(b"220 hello\r\n")
        for answer in (b"235 ok", b"250 ok", b"250 ok", b"354 go"):
            received.append(reader.readline())
            client.send(answer + b"\r\n")
        while received[-1] != b".\r\n":
            received.append(reader.readline())
        client.send(b"250 taken\r\n")
        reader.read()

    threading.Thread(target=talk, daemon=True).start()
    script = """source <smtp>
open m ${server}
smtp.reply m 2
smtp.login m joe s3cret
smtp.send m a@x b@y <<END
Subject: dots

.one
..two
END
"""
    _, status, errors = run(script, listener.getsockname()[1])
    assert status == 0, errors
    assert received == [
        b"AUTH PLAIN AGpvZQBzM2NyZXQ=\r\n", b"MAIL FROM:<a@x>\r\n", b"RCPT TO:<b@y>\r\n", b"DATA\r\n",
        b"Subject: dots\r\n", b"\r\n", b"..one\r\n", b"...two\r\n", b".\r\n",
    ], received


def test_imap_reads_literals_and_continuations():
    listener = serve([
        b"* OK ready\r\n", b"* CAPABILITY IMAP4\r\na1 OK in\r\n",
        b"* 2 EXISTS\r\n* 1 FETCH (BODY[] {7}\r\na2 OK\r\n X {0}\r\n Y {2}\r\n\r\n)\r\n* LIST () {3}\r\nbox\r\na2 OK done\r\n",
        b"+ go\r\n", b"", b"a3 OK stored\r\n", b"a4 NO never\r\n", b"* x\r\na5 BAD what\r\n",
    ])
    lines, status, errors = run(
        """source <imap>
open b ${server}
imap.greeting b
print ${imap.status} ${imap.text}
imap.login b 'jo"e' 'a\\b'
print ${imap.status} ${imap.text} ${imap.lines:json}
imap.do b FETCH
print ${imap.lines:json}
imap.append b INBOX "one\\r\\n"
print ${imap.status} ${imap.text}
imap.command b NOPE
print ${imap.status} ${imap.text}
imap.do b WRONG
""", listener.getsockname()[1])
    assert lines == [
        "OK ready", "OK in CAPABILITY IMAP4\\n",
        "2 EXISTS\\n1 FETCH (BODY[] {7}\\r\\na2 OK\\r\\n X {0}\\r\\n Y {2}\\r\\n\\r\\n)\\nLIST () {3}\\r\\nbox\\n",
        "OK stored", "NO never",
    ], (lines, errors)
    assert status == 4 and "WRONG: BAD what" in errors, errors


def test_a_library_is_included_once_and_must_exist():
    lines, status, errors = run("source <http>\nsource <http>\nsource <redis>\nprint there\n", 1)
    assert lines == ["there"] and status == 0, errors
    lines, status, errors = run("source <nix>\n", 1)
    assert status == 2 and "there is no library of this name; there are <http>, <imap>, <redis>, <smtp>" in errors
