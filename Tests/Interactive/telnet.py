"""Telnet: options and escapes byte by byte, and a login at a real telnetd."""

import os
import socket
import subprocess
import tempfile
import threading

from proxies import run
from terminal import LIMIT

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
BINARY, ECHO, SGA, STATUS, TTYPE, NAWS, LINEMODE, COMPRESS2 = 0, 1, 3, 5, 24, 31, 34, 86


def exchange(*statements, serve):
    """Runs statements against a server of plain sockets at ${target}; returns status, output, errors."""
    listener = socket.create_server(("127.0.0.1", 0))
    problems = []

    def accept():
        try:
            with listener.accept()[0] as client:
                client.settimeout(LIMIT)
                serve(client)
        except Exception as error:
            problems.append(repr(error))

    thread = threading.Thread(target=accept)
    thread.start()
    result = run(f"open t telnet://127.0.0.1:{listener.getsockname()[1]}", *statements)
    thread.join()
    listener.close()
    assert not problems, (problems, result)
    return result


def expect(client, wanted):
    got = b""
    while len(got) < len(wanted):
        piece = client.recv(len(wanted) - len(got))
        assert piece, (got, wanted)
        got += piece
    assert got == bytes(wanted), (got, wanted)


def test_options_are_answered():
    def serve(client):
        for said, answer in [
            ([IAC, WILL, ECHO], [IAC, DO, ECHO]), ([IAC, WILL, SGA], [IAC, DO, SGA]),
            ([IAC, DO, TTYPE], [IAC, WILL, TTYPE]), ([IAC, SB, TTYPE, 1, IAC, SE], [IAC, SB, TTYPE, 0, *b"xterm", IAC, SE]),
            ([IAC, DO, NAWS], [IAC, WILL, NAWS, IAC, SB, NAWS, 0, 80, 0, 24, IAC, SE]),
            ([IAC, DO, SGA], [IAC, WILL, SGA]), ([IAC, DO, BINARY], [IAC, WILL, BINARY]),
            ([IAC, DO, LINEMODE], [IAC, WONT, LINEMODE]), ([IAC, DO, STATUS], [IAC, WONT, STATUS]),
            ([IAC, DO, ECHO], [IAC, WONT, ECHO]), ([IAC, WILL, BINARY], [IAC, DONT, BINARY]),
            ([IAC, WILL, 200], [IAC, DONT, 200]), ([IAC, WONT, ECHO], [IAC, DONT, ECHO]),
        ]:
            for byte in said:
                client.sendall(bytes([byte]))
            expect(client, answer)
        client.sendall(b"over\r\n")

    status, out, err = exchange("t< over", "show t", serve=serve)
    assert status == 0, err
    assert "the peer does SGA; we do TTYPE, NAWS, SGA, BINARY" in out, out


def test_data_is_escaped_both_ways():
    def serve(client):
        client.sendall(b"a\xff\xffb\r\0c\xff\xf1\r\n")
        expect(client, b"x\xff\xffy\r\0z\r\n")
        expect(client, [IAC, 244, IAC, 246, IAC, WILL, ECHO, IAC, DO, 99])

    status, out, err = exchange(
        r"t< a\xffb\rc", r"t> x\xffy\rz", "send t --telnet ip", "send t --telnet AYT", 'send t --telnet "WILL ECHO"',
        'send t --telnet "do 99"', serve=serve)
    assert status == 0, err


def test_lines_end_as_the_peer_understands():
    def serve(client):
        expect(client, b"one\r\n")
        client.sendall(bytes([IAC, DO, BINARY]))
        expect(client, [IAC, WILL, BINARY])
        client.sendall(b"go\r\n")
        expect(client, b"two\rthree\n\r")

    status, _, err = exchange("t> one", "t< go", "t> two", "set t eol lf", "t> three", r'send t --raw "\r"', serve=serve)
    assert status == 0, err


def test_hostile_negotiation_ends_or_is_harmless():
    def compress(client):
        client.sendall(bytes([IAC, SB, COMPRESS2, IAC, SE]) + b"x" * 1000)

    status, _, err = exchange("expect t eof", serve=compress)
    assert status == 4 and "the peer compresses without having been asked to" in err, err

    def endless(client):
        client.sendall(bytes([IAC, SB, STATUS]) + b"x" * 100_000)

    status, out, err = exchange("expect t eof", serve=endless)
    assert status == 0 and out.count("# t: the peer breaks the telnet protocol: ") == 1, err

    def loop(client):
        for _ in range(2000):
            client.sendall(bytes([IAC, WILL, ECHO, IAC, WONT, ECHO, IAC, DO, TTYPE, IAC, DONT, TTYPE]) * 8)
            client.recv(65536)
        client.sendall(b"over\r\n")
        while client.recv(65536):
            pass

    status, _, err = exchange("t< over", "t>|", serve=loop)
    assert status == 0, err


def test_a_listener_speaks_telnet_too():
    status, out, err = run(
        "listen l :0 --telnet", "open c telnet://localhost:${l.port}", "accept l s", "send s --telnet \"WILL ECHO\"",
        "send s --telnet \"DO TTYPE\"", 's> Password:', "c< Password:", "c> secret", "s< secret", "show c", "print ${l.address}")
    assert status == 0, err
    assert "the peer does ECHO; we do TTYPE" in out and "\ntelnet://127.0.0.1:" in out, out


LOGIN = """#!/bin/sh
printf 'login: '; read user
stty -echo; printf 'Password: '; read password; stty echo; echo
test "$password" = secret && echo "welcome $user on $TERM $(stty size)"
exec sh
"""


def test_a_login_at_telnetd():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "login")
        with open(path, "w") as file:
            file.write(LOGIN)
        os.chmod(path, 0o755)
        listener = socket.create_server(("127.0.0.1", 0))
        daemons = []

        def accept():
            client = listener.accept()[0]
            daemons.append(subprocess.Popen(["telnetd", "-E", path], stdin=client, stdout=client, stderr=client))
            client.close()

        thread = threading.Thread(target=accept)
        thread.start()
        status, out, err = run(
            f"open t telnet://127.0.0.1:{listener.getsockname()[1]}", 'expect t "login: "', "t> joe",
            'expect t "Password: "', "t> secret", "expect t line /welcome joe on xterm 24 80/", "t> echo $((6*7))",
            "expect t line /^42/", "t> exit", "expect t eof")
        thread.join()
        for daemon in daemons:
            daemon.kill()
            daemon.wait()
        listener.close()
    assert status == 0, out + err


def test_other_sessions_take_no_telnet_commands():
    status, _, err = run("spawn p cat", "send p --telnet IP")
    assert status == 3 and "p: cannot send: the connection is neither WebSocket nor telnet" in err, err
