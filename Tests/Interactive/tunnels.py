"""Tunnels and their faults, seen from outside: plain sockets on both sides, and real clients and servers."""

import os
import random
import shutil
import socket
import subprocess
import threading
import time

from support import MUXSH
from terminal import LIMIT


class Tunnel:
    """A muxsh with a tunnel `t` to a port, which runs statements from a pipe."""

    def __init__(self, target, *options, address=":0", arguments=()):
        self.process = subprocess.Popen(
            [MUXSH, "-q", "--timeout", f"{LIMIT}s", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        self.port = int(self.ask(f"tunnel t {address} to {target} {' '.join(options)}", "print ${t.port}"))

    def ask(self, *statements):
        """Runs statements, and returns the line that the last one prints."""
        self.process.stdin.write("".join(each + "\n" for each in statements).encode())
        self.process.stdin.flush()
        line = self.process.stdout.readline().decode().rstrip("\n")
        assert line, self.process.stderr.read()
        return line

    def run(self, *statements):
        assert self.ask(*statements, "print done") == "done"

    def connect(self):
        client = socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()


class Server:
    """A server on a free port; `serve` handles each connection in its own thread."""

    def __init__(self, serve):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1500)
        self.target = f"localhost:{self.listener.getsockname()[1]}"
        self.serve = serve
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.guarded, args=(connection,), daemon=True).start()

    def guarded(self, connection):
        try:
            with connection:
                self.serve(connection)
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def echo(connection):
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


def read_all(client):
    """Returns what arrives up to the end, and whether that is a reset."""
    data = b""
    while True:
        try:
            piece = client.recv(65536)
        except ConnectionResetError:
            return data, True
        if not piece:
            return data, False
        data += piece


def exchange(client, data, count=None):
    client.sendall(data)
    got = b""
    while len(got) < (len(data) if count is None else count):
        piece = client.recv(65536)
        assert piece, got
        got += piece
    return got


def test_bytes_pass_unchanged_in_any_split_and_with_half_closes():
    data = random.Random(1).randbytes(3_000_000)
    with Server(echo) as server, Tunnel(server.target) as tunnel:
        client = tunnel.connect()

        def send():
            rest = memoryview(data)
            while rest:
                count = random.randint(1, 200_000)
                client.sendall(rest[:count])
                rest = rest[count:]
            client.shutdown(socket.SHUT_WR)

        threading.Thread(target=send, daemon=True).start()
        got, was_reset = read_all(client)
        assert got == data and not was_reset
        tunnel.run("expect t connections 0")


def test_bytes_pass_unchanged_while_faults_change():
    data = random.Random(2).randbytes(300_000)
    with Server(echo) as server, Tunnel(server.target) as tunnel:
        client = tunnel.connect()
        threading.Thread(
            target=lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)), daemon=True).start()
        for _ in range(5):
            tunnel.run(
                "fault t delay 5ms jitter 5ms", "fault t up slice 700", "fault t down rate 4MiB", "sleep 10ms",
                "fault t pause for 10ms", "sleep 20ms", "fault t off slice", "fault t off")
        got, was_reset = read_all(client)
        assert got == data and not was_reset


def test_a_delay_of_both_directions():
    with Server(echo) as server, Tunnel(server.target) as tunnel:
        client = tunnel.connect()
        exchange(client, b"x")
        tunnel.run("fault t delay 60ms")
        began = time.monotonic()
        exchange(client, b"y")
        assert time.monotonic() - began >= 0.12
        tunnel.run("fault t off")


def test_a_cut_is_an_end_at_that_byte_and_a_reset_is_a_reset():
    def source(connection):
        connection.sendall(b"0123456789" * 1000)
        connection.recv(1)

    with Server(source) as server, Tunnel(server.target) as tunnel:
        tunnel.run("fault t down cut after 4567")
        assert read_all(tunnel.connect()) == ((b"0123456789" * 1000)[:4567], False)
        tunnel.run("fault t off", "fault t down reset after 3")
        client = tunnel.connect()
        data, was_reset = read_all(client)
        # What a reset overtakes is lost.
        assert data in (b"", b"012") and was_reset, (data, was_reset)
        tunnel.run("fault t off", "expect t connections 0")


def test_a_cut_ends_with_fin_although_the_client_still_sends():
    with Server(lambda connection: read_all(connection)) as server, Tunnel(server.target) as tunnel:
        client = tunnel.connect()
        client.sendall(b"x" * 1000)
        tunnel.run("expect t connections 1", "fault t cut")
        client.sendall(b"y" * 100_000)
        assert read_all(client) == (b"", False)


def test_refused_and_hanging_connections():
    with Server(echo) as server, Tunnel(server.target) as tunnel:
        open_one = tunnel.connect()
        exchange(open_one, b"a")
        tunnel.run("fault t refuse")
        try:
            tunnel.connect()
            raise AssertionError("accepted")
        except ConnectionRefusedError:
            pass
        # Those that are open stay.
        exchange(open_one, b"b")
        tunnel.run("fault t off refuse", "fault t hang")
        client = tunnel.connect()
        client.sendall(b"c")
        client.settimeout(0.1)
        try:
            client.recv(1)
            raise AssertionError("answered")
        except TimeoutError:
            pass
        client.settimeout(LIMIT)
        tunnel.run("fault t off")
        assert client.recv(1) == b"c"


def test_one_connection_has_faults_of_its_own():
    with Server(echo) as server, Tunnel(server.target) as tunnel:
        first, second = tunnel.connect(), tunnel.connect()
        exchange(first, b"1"), exchange(second, b"2")
        tunnel.run("fault t.2 down corrupt 2")
        assert exchange(first, b"abc") == b"abc" and exchange(second, b"abc") == b"acc"
        tunnel.run("close t.1")
        assert read_all(first)[0] == b""
        exchange(second, b"x")
        tunnel.run("close t.2 --reset", "expect t connections 0")


def test_a_closed_connection_ends_with_fin_whatever_waits():
    with Server(echo) as server, Tunnel(server.target) as tunnel:
        client = tunnel.connect()
        tunnel.run("expect t connections 1", "fault t rate 1")
        client.sendall(b"z" * 100_000)
        tunnel.run("close t.1", "expect t connections 0")
        data, was_reset = read_all(client)
        assert data in (b"", b"z") and not was_reset, (data, was_reset)


def test_a_missing_server_resets_the_client():
    # Bound, so that nobody else gets the port, but it does not listen.
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with listener, Tunnel(f"localhost:{port}") as tunnel:
        try:
            assert read_all(tunnel.connect()) == (b"", True)
        except ConnectionResetError:
            # It came before the connection was set up here.
            pass
        # The server appears later.
        listener.listen()
        client = tunnel.connect()
        connection, _ = listener.accept()
        connection.sendall(b"here")
        assert client.recv(4) == b"here"


def test_a_reset_is_passed_on():
    def reset(connection):
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with Server(reset) as server, Tunnel(server.target) as tunnel:
        client = tunnel.connect()
        client.sendall(b"x")
        assert read_all(client) == (b"", True)


def test_a_slow_reader_stops_the_sender_and_memory_stays_bounded():
    def source(connection):
        sent = 0
        connection.settimeout(1)
        try:
            while sent < 400_000_000:
                sent += connection.send(b"z" * 65536)
        except TimeoutError:
            pass
        amounts.append(sent)

    amounts = []
    with Server(source) as server, Tunnel(server.target) as tunnel:
        tunnel.run("fault t delay 10ms")
        client = tunnel.connect()
        while not amounts:
            time.sleep(0.05)
        with open(f"/proc/{tunnel.process.pid}/status") as file:
            memory = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
        assert amounts[0] < 100_000_000 and memory < 200_000, (amounts, memory)
        assert len(read_all(client)[0]) == amounts[0]


def test_a_thousand_connections():
    with Server(echo) as server, Tunnel(server.target) as tunnel:
        clients = [tunnel.connect() for _ in range(1000)]
        for number, client in enumerate(clients):
            client.sendall(b"%d\n" % number)
        for number, client in enumerate(clients):
            assert client.makefile("rb").readline() == b"%d\n" % number
        tunnel.run("expect t connections 1000")
        for client in clients:
            client.close()
        tunnel.run("expect t connections 0")


def test_datagrams():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.settimeout(LIMIT)
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(LIMIT)
    with Tunnel(f"udp://127.0.0.1:{server.getsockname()[1]}", address="udp://127.0.0.1:0") as tunnel:
        client.connect(("127.0.0.1", tunnel.port))
        for data in (b"one", b"", b"x" * 9000):
            client.send(data)
            got, peer = server.recvfrom(65536)
            assert got == data
            server.sendto(data + b"!", peer)
            assert client.recv(65536) == data + b"!"
        tunnel.run("fault t up lose 100%")
        client.send(b"lost")
        tunnel.run("fault t off", "fault t up duplicate 100%")
        client.send(b"twice")
        assert server.recv(100) == server.recv(100) == b"twice"


def test_tls_on_both_sides():
    with Server(echo) as server:
        script = f"""tunnel s :0 to {server.target} --tls --cert cert.pem --key key.pem
tunnel t :0 to tls://localhost:${{s.port}} --ca cert.pem
open a localhost:${{t.port}}
a> through both
a< through both
open b tls://localhost:${{s.port}} --ca cert.pem
b> directly
b< directly
print "${{b.tls.version}}"
"""
        folder = os.path.join("/tmp", f"muxsh-tunnel-{os.getpid()}")
        os.makedirs(folder)
        try:
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem",
                 "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                cwd=folder, check=True, capture_output=True)
            with open(os.path.join(folder, "a.mux"), "w") as file:
                file.write(script)
            run = subprocess.run([MUXSH, "-q", "a.mux"], cwd=folder, capture_output=True, timeout=3 * LIMIT)
        finally:
            shutil.rmtree(folder)
    assert run.returncode == 0 and run.stdout == b"TLSv1.3\n", run.stderr


def test_a_real_client_through_faults():
    port = socket.create_server(("127.0.0.1", 0))
    number = port.getsockname()[1]
    port.close()
    redis = subprocess.Popen(["redis-server", "--port", str(number), "--save", ""], stdout=subprocess.DEVNULL)
    try:
        with Tunnel(f"localhost:{number}") as tunnel:
            def client(*words):
                return subprocess.run(
                    ["redis-cli", "-p", str(tunnel.port), *words], capture_output=True, timeout=5 * LIMIT).stdout

            while client("SET", "key", "x" * 1000) != b"OK\n":
                pass
            for fault in ("delay 20ms", "rate 20KiB", "slice 1", "slice 10 every 1ms", "pause for 50ms"):
                tunnel.run(f"fault t {fault}")
                assert client("GET", "key") == b"x" * 1000 + b"\n", fault
                tunnel.run("fault t off")
            tunnel.run("fault t down cut after 100")
            assert b"x" * 1000 not in client("GET", "key")
            tunnel.run("fault t off")
            assert client("GET", "key") == b"x" * 1000 + b"\n"
    finally:
        redis.kill()
        redis.wait()


def test_random_faults_repeat_with_the_seed():
    def arrived(seed):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 0))
        server.settimeout(LIMIT)
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        target = f"udp://127.0.0.1:{server.getsockname()[1]}"
        with Tunnel(target, address="udp://127.0.0.1:0", arguments=("--seed", seed)) as tunnel:
            client.connect(("127.0.0.1", tunnel.port))
            client.send(b"first")
            server.recv(100)
            tunnel.run("fault t lose 50%")
            for number in range(50):
                client.send(b"%d" % number)
            # Not before all have been judged.
            tunnel.run("sleep 200ms", "fault t off")
            client.send(b"last")
            got = []
            while (data := server.recv(100)) != b"last":
                got.append(data)
            return got

    first = arrived("7")
    assert first == arrived("7") and first != arrived("8") and 5 < len(first) < 45


def test_what_list_and_show_tell():
    with Server(echo) as server, Tunnel(server.target) as tunnel:
        client = tunnel.connect()
        exchange(client, b"12345")
        tunnel.run("fault t up delay 1ms", "fault t.1 down slice 5")
        tunnel.process.stdin.write(b"list\nshow t\nprint end\n")
        tunnel.process.stdin.flush()
        lines = []
        while (line := tunnel.process.stdout.readline().decode().rstrip("\n")) != "end":
            lines.append(line)
    text = "\n".join(lines)
    assert "t.1" in lines[2] and "relayed" in lines[2] and "up delay, down slice" in lines[2], text
    assert f"to                  {server.target}" in lines and "faults              up delay" in lines, text
    assert ", 5 bytes up, 5 bytes down, up delay, down slice" in lines[-1], text


def bridged(target, faults):
    """Starts a bridge `b` between a client and a server, with faults; returns the process and the port of the client."""
    lines = [
        "listen l :0", "print ${l.port}", "accept l c within 20s", f"open s {target}", "start bad {", *faults,
        "print set", "}", "bridge c s as b"]
    process = subprocess.Popen(
        [MUXSH, "-q", *[part for line in lines for part in ("-c", line)]], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)
    return process, int(process.stdout.readline())


def connected(process, port):
    """Returns the client's connection once the faults are set."""
    client = socket.create_connection(("127.0.0.1", port), timeout=LIMIT)
    assert process.stdout.readline() == b"set\n", process.stderr.read()
    return client


def test_faults_of_a_bridge():
    with Server(echo) as server:
        process, port = bridged(server.target, ["fault b down delay 120ms", "fault b up corrupt 2"])
        with connected(process, port) as client:
            began = time.monotonic()
            assert exchange(client, b"abc\n") == b"acc\n" and time.monotonic() - began >= 0.12
            client.shutdown(socket.SHUT_WR)
            assert read_all(client) == (b"", False)
        process.communicate(timeout=3 * LIMIT)
        assert process.returncode == 0
        for fault, ending in (("cut after 5", (b"01234", False)), ("reset after 5", None)):
            process, port = bridged(server.target, [f"fault b down {fault}"])
            with connected(process, port) as client:
                client.sendall(b"0123456789")
                data, was_reset = read_all(client)
                assert (data, was_reset) == ending if ending else was_reset and data in (b"", b"01234"), (fault, data)
            process.communicate(timeout=3 * LIMIT)


def test_bytes_pass_a_bridge_unchanged_while_faults_change():
    data = random.Random(3).randbytes(200_000)
    faults = ["repeat 10 {", "fault b delay 2ms jitter 2ms", "fault b up slice 900 for 5ms", "fault b down rate 8MiB",
              "sleep 5ms", "fault b pause for 5ms", "sleep 10ms", "fault b off", "}"]
    with Server(echo) as server:
        process, port = bridged(server.target, faults)
        with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as client:
            threading.Thread(
                target=lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)), daemon=True).start()
            got, was_reset = read_all(client)
            same = next((i for i, (a, b) in enumerate(zip(got, data)) if a != b), min(len(got), len(data)))
            assert got == data and not was_reset, (len(got), same, was_reset)
        _, errors = process.communicate(timeout=3 * LIMIT)
        # All may have passed before the last fault was set.
        assert process.returncode == 0 or b"nor a bridge with a name" in errors, errors


def test_an_http_client_through_each_fault():
    def page(connection):
        request = b""
        while b"\r\n\r\n" not in request:
            piece = connection.recv(65536)
            if not piece:
                return
            request += piece
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\nConnection: close\r\n\r\n" + b"p" * 2000)

    with Server(page) as server, Tunnel(server.target) as tunnel:
        def curl():
            return subprocess.run(
                ["curl", "-s", "--max-time", "1", f"http://localhost:{tunnel.port}/"], capture_output=True)

        assert curl().stdout == b"p" * 2000
        expected = {
            "delay 20ms": 0, "rate 20KiB": 0, "slice 7": 0, "pause for 30ms": 0, "cut after 1000": 18, "reset after 100": 56,
            "swallow": 28, "hang": 28, "refuse": 7, "down corrupt 2040": 0, "down pass 50": 28,
        }
        for fault, status in expected.items():
            tunnel.run(f"fault t {fault}")
            done = curl()
            assert done.returncode == status, (fault, done)
            tunnel.run("fault t off", "expect t connections 0 within 10s")
            if fault == "down corrupt 2040":
                assert sum(a != b for a, b in zip(done.stdout, b"p" * 2000)) == 1
        assert curl().stdout == b"p" * 2000
