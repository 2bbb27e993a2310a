"""open --via: real proxies, chains of them, and what goes wrong at one."""

import os
import socket
import subprocess
import tempfile
import threading

from support import MUXSH
from terminal import LIMIT
from tunnels import Server, echo, read_all


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Program:
    """A proxy that runs until the end of a `with` block; it accepts connections when the block begins."""

    def __init__(self, port, *command):
        self.port, self.command = port, command

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self
            except ConnectionRefusedError:
                assert self.process.poll() is None, self.command

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def microsocks(*options):
    port = free_port()
    return Program(port, "microsocks", "-i", "127.0.0.1", "-p", str(port), *options)


def tinyproxy(folder, *lines):
    port = free_port()
    path = os.path.join(folder, f"{port}.conf")
    with open(path, "w") as file:
        file.write("\n".join([f"Port {port}", "Listen 127.0.0.1", "Allow 127.0.0.1", *lines]) + "\n")
    return Program(port, "tinyproxy", "-d", "-c", path)


def run(*statements):
    done = subprocess.run(
        [MUXSH, *[part for each in statements for part in ("-c", each)]], capture_output=True, timeout=3 * LIMIT)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def talk(target, *vias):
    options = " ".join(f"--via {via}" for via in vias)
    return run(f"open a {target} {options}", "a> hello", "a< hello")


def test_socks5_by_name_and_by_address():
    with Server(echo) as server, microsocks() as proxy:
        for host in ("localhost", "127.0.0.1"):
            status, out, err = talk(server.target.replace("localhost", host), f"socks5://localhost:{proxy.port}")
            assert status == 0, err
            assert f" through socks5://localhost:{proxy.port} in " in out, out


def test_socks5_with_a_login():
    with Server(echo) as server, microsocks("-u", "joe", "-P", "s3cret-word") as proxy:
        status, out, err = talk(server.target, f"socks5://joe:s3cret-word@localhost:{proxy.port}")
        assert status == 0, err
        status, out, err = run(
            "let --secret word s3cret-word", f"open a {server.target} --via socks5://joe:${{word}}@localhost:{proxy.port}",
            "a> x", "a< x")
        assert status == 0 and "s3cret" not in out and "joe:${word}@" in out, out
        status, out, err = talk(server.target, f"socks5://joe:wrong@localhost:{proxy.port}")
        assert status == 3 and "it rejects the user name or the password" in err, err
        status, out, err = talk(server.target, f"socks5://localhost:{proxy.port}")
        assert status == 3 and "it wants a user name: write socks5://user:password@" in err, err


def test_http_connect_with_a_login():
    with tempfile.TemporaryDirectory() as folder, Server(echo) as server:
        with tinyproxy(folder) as proxy:
            status, out, err = talk(server.target, f"http://localhost:{proxy.port}")
            assert status == 0, err
        with tinyproxy(folder, "BasicAuth joe word") as proxy:
            assert talk(server.target, f"http://joe:word@localhost:{proxy.port}")[0] == 0
            status, out, err = talk(server.target, f"http://localhost:{proxy.port}")
            assert status == 3 and "it answers: HTTP/1." in err and " 407 " in err, err


def test_a_chain_of_proxies():
    with tempfile.TemporaryDirectory() as folder, Server(echo) as server:
        with microsocks() as first, tinyproxy(folder) as second, microsocks() as third:
            status, out, err = talk(
                server.target, f"socks5://localhost:{first.port}", f"http://127.0.0.1:{second.port}",
                f"socks5://localhost:{third.port}")
            assert status == 0, err
        with microsocks() as first:
            status, out, err = talk(server.target, f"socks5://localhost:{first.port}", f"http://localhost:{free_port()}")
            assert status == 3 and f"the proxy socks5://localhost:{first.port}: it reports: connection refused" in err, err


def fake(answers, got):
    """A proxy that gives each answer after some bytes, byte by byte, and then is silent until the client leaves."""

    def serve(connection):
        for count, answer in answers:
            data = b""
            while len(data) < count:
                data += connection.recv(count - len(data))
            got.append(data)
            for byte in answer:
                connection.sendall(bytes([byte]))
        read_all(connection)

    return Server(serve)


def test_socks4a_and_data_directly_after_the_answer():
    got = []
    request = b"\x04\x01\x00\x50\x00\x00\x00\x01joe\x00some.name.example\x00"
    with fake([(len(request), b"\x00\x5a\x00\x00\x00\x00\x00\x00welcome\r\n")], got) as proxy:
        status, out, err = run(f"open a some.name.example:80 --via socks4a://joe@{proxy.target}", "a< welcome")
    assert status == 0 and got == [request], (err, got)
    request = b"CONNECT some.name.example:80 HTTP/1.1\r\nHost: some.name.example:80\r\n\r\n"
    got = []
    with fake([(len(request), b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\nwelcome\r\n")], got) as proxy:
        status, out, err = run(f"open a some.name.example:http --via http://{proxy.target}", "a< welcome")
    assert status == 0 and got == [request], (err, got)


def test_what_a_bad_proxy_answers():
    problems = {
        ("socks5", (3, b"HT")): "it is not SOCKS 5",
        ("socks5", (3, b"\x05\xff")): "it wants a user name",
        ("socks4a", (9, b"\x00\x5b\x00\x00\x00\x00\x00\x00")): "it refuses the connection (91)",
        ("socks4a", (9, b"HTTP/1.1")): "it is not SOCKS 4",
        ("http", (9, b"220 mail ready\r\n\r\n")): "it is not an HTTP proxy",
        ("http", (9, b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 3000)): "its answer has no end",
    }
    for (kind, answer), problem in problems.items():
        with fake([answer], []) as proxy:
            status, out, err = run(f"open a host.example:80 --via {kind}://{proxy.target}")
            assert status == 3 and f"the proxy {kind}://{proxy.target}: {problem}" in err, err
    with Server(lambda connection: connection.recv(3)) as proxy:
        status, out, err = run(f"open a host.example:80 --via socks5://{proxy.target}")
        assert status == 3 and "it has closed the connection" in err or "connection reset" in err, err
    with fake([], []) as proxy:
        status, out, err = run(f"open a host.example:80 --via socks5://{proxy.target} --timeout 100ms")
        assert status == 3 and f"timed out after 100.0 ms from the proxy socks5://{proxy.target}" in err, err
