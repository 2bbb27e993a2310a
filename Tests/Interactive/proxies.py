"""open --via: real proxies, chains of them, and what goes wrong at one."""

import contextlib
import os
import re
import socket
import subprocess
import tempfile

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


def header_of(version):
    """Returns the PROXY header that `open` sends, and the port it sends it from."""
    got = []

    def serve(connection):
        got.append((connection.recv(1000), connection.getpeername()[1]))

    with Server(serve) as server:
        status, _, err = run(f"open a {server.target.replace('localhost', '127.0.0.1')} --proxy-protocol {version}", "a<|")
        assert status == 0, err
    (header, port), = got
    return header, port, int(server.target.split(":")[1])


def test_the_proxy_header_of_open():
    header, port, target = header_of("v1")
    assert header == f"PROXY TCP4 127.0.0.1 127.0.0.1 {port} {target}\r\n".encode(), header
    header, port, target = header_of("v2")
    local = bytes([127, 0, 0, 1])
    assert header == (
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + local * 2 + port.to_bytes(2) + target.to_bytes(2)), header


def test_the_proxy_headers_of_listen():
    v2 = b"\r\n\r\n\0\r\nQUIT\n"
    cases = {
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\nhello\n": "192.0.2.1:1234",
        b"PROXY TCP6 2001:db8::1 ::1 9 80\r\nhello\n": "[2001:db8::1]:9",
        b"PROXY UNKNOWN\r\nhello\n": "none",
        b"PROXY UNKNOWN ffff:f...f:ffff x y z\r\nhello\n": "none",
        v2 + b"\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\0\x07\0\x50hello\n": "192.0.2.1:7",
        v2 + b"\x21\x11\0\x0f\xc0\0\2\1\xc0\0\2\2\0\x07\0\x50tlvhello\n": "192.0.2.1:7",
        v2 + b"\x21\x21\0\x24\x20\1\x0d\xb8" + bytes(11) + b"\1" + bytes(16) + b"\0\x07\0\x50hello\n": "[2001:db8::1]:7",
        v2 + b"\x20\0\0\0hello\n": "none",
    }
    refused = {
        b"GET / HTTP/1.1\r\n\r\n": "it does not begin with a PROXY header",
        b"PROXY TCP4 a b 1 2\r\n": "its PROXY header is not valid",
        b"PROXY TCP4 ::1 ::1 1 2\r\n": "its PROXY header is not valid",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 99999 2\r\n": "its PROXY header is not valid",
        b"PROXY " + b"x" * 200: "its PROXY header has no end",
        v2 + b"\x11\x11\0\0": "its PROXY header is not valid",
        v2 + b"\x21\x11\0\4abcd": "its PROXY header is not valid",
        b"PROX": "it ended before its PROXY header",
    }
    script = "listen l :0 --proxy-protocol\nprint port ${l.port}\nfor i in 1..%d {\n  accept l c within 20s\n" \
        "  c< hello\n  if defined c.source {\n    print source ${c.source}\n  } else {\n    print source none\n  }\n" \
        "  close c\n}\nsleep 100ms\n" % len(cases)
    process = subprocess.Popen([MUXSH], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(script.encode())
    process.stdin.flush()
    while not (line := process.stdout.readline()).startswith(b"port"):
        assert line, process.stderr.read()
    port = int(line.split()[1])
    for data in refused:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(data)
            # It may be refused already.
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_WR)
            read_all(client)
    for data in cases:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in data:
                client.sendall(bytes([byte]))
            read_all(client)
    out, err = process.communicate(timeout=3 * LIMIT)
    lines = out.decode().splitlines()
    assert process.returncode == 0, err
    assert [each[7:] for each in lines if each.startswith("source ")] == list(cases.values()), lines
    problems = [each.split(": ", 2)[2] for each in lines if each.startswith("# l: reading the PROXY header of ")]
    assert problems == list(refused.values()), problems


def test_both_ends_of_a_real_proxy():
    with tempfile.TemporaryDirectory() as folder:
        back, front = free_port(), free_port()
        with open(os.path.join(folder, "h.cfg"), "w") as file:
            file.write(f"""defaults
    mode tcp
    timeout client 10s
    timeout server 10s
    timeout connect 10s
listen through
    bind 127.0.0.1:{front} accept-proxy
    server s 127.0.0.1:{back} send-proxy-v2
""")
        with Program(front, "haproxy", "-db", "-f", os.path.join(folder, "h.cfg")):
            status, out, err = run(
                f"listen l :{back} --proxy-protocol", f"open a 127.0.0.1:{front} --proxy-protocol v1", "accept l c",
                "a> hello", "c< hello", "print ${c.source}")
    assert status == 0, err
    # The address of the first client, not that of the proxy.
    (source,) = [line for line in out.splitlines() if re.fullmatch(r"127\.0\.0\.1:\d+", line)]
    (proxy,) = re.findall(r"l\.1: connected from (\S+) for (\S+)", out)
    assert proxy[1] == source != proxy[0], (proxy, source)
