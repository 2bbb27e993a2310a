"""WebSocket: the must-fail cases of RFC 6455 byte by byte, and real peers."""

import contextlib
import asyncio
import base64
import hashlib
import itertools
import os
import random
import re
import socket
import struct
import subprocess
import tempfile
import threading

import websockets
import wsproto
import wsproto.events

from proxies import Program, free_port, run
from support import MUXSH
from terminal import LIMIT

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(payload=b"", opcode=1, fin=True, reserved=0, mask=None, length=None):
    """A frame; `mask` has 4 bytes, `length` replaces the shortest encoding of the length."""
    if length is None:
        size = len(payload)
        length = (
            bytes([size]) if size < 126 else b"\x7e" + struct.pack(">H", size) if size < 65536
            else b"\x7f" + struct.pack(">Q", size))
    head = bytes([fin << 7 | reserved << 4 | opcode, length[0] | (128 if mask else 0)]) + length[1:]
    if mask:
        payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        head += mask
    return head + payload


def close_frame(code, reason=b"", **options):
    return frame(struct.pack(">H", code) + reason, 8, **options)


def read_exactly(client, count):
    data = b""
    while len(data) < count:
        piece = client.recv(count - len(data))
        assert piece, f"ended after {data}"
        data += piece
    return data


def read_frame(client):
    """Returns opcode, whether it was masked, and payload."""
    first, second = read_exactly(client, 2)
    size = second & 127
    if size == 126:
        size = struct.unpack(">H", read_exactly(client, 2))[0]
    elif size == 127:
        size = struct.unpack(">Q", read_exactly(client, 8))[0]
    mask = read_exactly(client, 4) if second & 128 else None
    payload = read_exactly(client, size)
    if mask:
        payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return first & 15, mask is not None, payload


def read_head(client):
    head = b""
    while b"\r\n\r\n" not in head:
        byte = client.recv(1)
        assert byte, f"ended after {head}"
        head += byte
    return head.decode()


class Server:
    """A WebSocket server of plain sockets; `serve` gets each connection after its handshake."""

    def __init__(self, serve, answer=None):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.target = f"ws://127.0.0.1:{self.listener.getsockname()[1]}/x"
        self.serve, self.answer, self.heads = serve, answer, []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.handle, args=(client,), daemon=True).start()

    def handle(self, client):
        with client:
            client.settimeout(LIMIT)
            try:
                self.heads.append(read_head(client))
            except (AssertionError, OSError):
                # The client leaves before its handshake.
                return
            key = re.search(r"Sec-WebSocket-Key: (.*)\r", self.heads[-1]).group(1).encode()
            accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
            answer = self.answer or "HTTP/1.1 101 Hi\r\nupgrade: WebSocket\r\nConnection: keep-alive, UPGRADE\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            client.sendall(answer.replace("{accept}", accept).encode())
            self.serve(client)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


# What a client must refuse, with the close code that is due (RFC 6455, sections 5 and 7.4; as in Autobahn's suite).
MUST_FAIL = {
    "reserved bit 1": (frame(b"x", reserved=4), 1002),
    "reserved bit 2": (frame(b"x", reserved=2), 1002),
    "reserved bit 3 of a ping": (frame(b"x", 9, reserved=1), 1002),
    **{f"opcode {opcode}": (frame(b"x", opcode), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "a ping of 126 bytes": (frame(b"x" * 126, 9), 1002),
    "a pong of 126 bytes": (frame(b"x" * 126, 10), 1002),
    "a fragmented ping": (frame(b"x", 9, fin=False), 1002),
    "a fragmented close": (close_frame(1000, fin=False), 1002),
    "a continuation of nothing": (frame(b"x", 0), 1002),
    "a text inside a text": (frame(b"x", 1, fin=False) + frame(b"y", 1), 1002),
    "text that is not UTF-8": (frame(b"\xce\xba\xff"), 1007),
    "UTF-8 that is too long": (frame(b"\xc0\xaf"), 1007),
    "a surrogate": (frame(b"\xed\xa0\x80"), 1007),
    "beyond Unicode": (frame(b"\xf4\x90\x80\x80"), 1007),
    "UTF-8 cut at the end": (frame(b"\xce\xba\xe1\xbd"), 1007),
    "bad UTF-8 in a later fragment": (frame(b"\xce", fin=False) + frame(b"\x20", 0), 1007),
    "UTF-8 cut at the end of the last fragment": (frame(b"\xe1", fin=False) + frame(b"\xbd", 0), 1007),
    "a close of one byte": (frame(b"\x03", 8), 1002),
    **{f"close code {code}": (close_frame(code), 1002) for code in (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535)},
    "a reason that is not UTF-8": (close_frame(1000, b"\xff"), 1007),
    "a close of 126 bytes": (close_frame(1000, b"x" * 124), 1002),
    "a length that is longer than needed": (frame(b"hello", length=b"\x7e\x00\x05"), 1002),
    "a 64-bit length for 300 bytes": (frame(b"x" * 300, length=b"\x7f" + struct.pack(">Q", 300)), 1002),
    "a negative length": (frame(b"x", length=b"\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), 1002),
    "a message beyond the inbox": (frame(b"x" * 5000), 1009),
    "fragments beyond the inbox": (frame(b"x" * 3000, fin=False) + frame(b"x" * 3000, 0), 1009),
}


def judged(client, sent, code, label, masked):
    for piece in [sent] if len(sent) > 40 else [sent[index:index + 1] for index in range(len(sent))]:
        # The peer may have refused already; its reason is there to be read.
        with contextlib.suppress(OSError):
            client.sendall(piece)
    opcode, was_masked, payload = read_frame(client)
    assert opcode == 8 and struct.unpack(">H", payload[:2])[0] == code, f"{label}: {opcode} {payload}"
    assert was_masked == masked, label


def test_a_client_refuses_what_breaks_the_protocol():
    seen, numbers = [], itertools.count()

    def serve(client):
        label, (sent, code) = cases[next(numbers)]
        try:
            judged(client, sent, code, label, masked=True)
            seen.append(None)
        except Exception as error:
            seen.append(f"{label}: {error}")

    cases = list(MUST_FAIL.items()) + [("a masked frame", (frame(b"x", mask=b"abcd"), 1002))]
    script = "set inbox 4KiB\n" + "".join(
        f"open a{index} $TARGET\ntry {{\nexpect a{index} all\nfail accepted\n}} else {{\nprint \"{index}: ${{error}}\"\n}}\n"
        for index in range(len(cases)))
    with Server(serve) as server:
        done = subprocess.run(
            [MUXSH, "-q", "-"], input=script.replace("$TARGET", server.target).encode(), capture_output=True,
            timeout=6 * LIMIT)
    assert [each for each in seen if each] == [] and len(seen) == len(cases), seen
    out = done.stdout.decode()
    assert done.returncode == 0 and "accepted" not in out, out + done.stderr.decode()
    for index, (label, (_, code)) in enumerate(cases):
        line = next(line for line in out.split("\n") if line.startswith(f"{index}: "))
        assert f"closed with code {code}" in line, (label, line)


def dial(port, path="/", more=""):
    client = socket.create_connection(("127.0.0.1", port), timeout=LIMIT)
    client.sendall(
        f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{more}"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    return client, read_head(client)


class Listener:
    """A muxsh that listens, and answers each message with itself."""

    def __init__(self, *options, answers=True):
        self.process = subprocess.Popen(
            [MUXSH, "-q"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        statements = ["set inbox 4KiB", f"listen w :0 --ws {' '.join(options)}", "print ${w.port}"]
        if answers:
            statements.insert(1, "on w* /^echo (?<text>.*)$/ {\n  ${session}> ${text}\n}")
        self.process.stdin.write("\n".join(statements + [""]).encode())
        self.process.stdin.flush()
        self.port = int(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def test_a_server_refuses_what_breaks_the_protocol():
    cases = dict(MUST_FAIL)
    with Listener() as listener:
        for label, (sent, code) in cases.items():
            # Each frame of the table is masked by setting its bit and a mask of zeros.
            client, head = dial(listener.port)
            assert head.startswith("HTTP/1.1 101 "), head
            with client:
                judged(client, masked(sent), code, label, masked=False)
        client, _ = dial(listener.port)
        with client:
            judged(client, frame(b"not masked"), 1002, "a frame without mask", masked=False)


def masked(stream):
    """Masks the frames of a stream with zeros."""
    result = b""
    while stream:
        size = stream[1] & 127
        length = 2 + (2 if size == 126 else 8 if size == 127 else 0)
        count = size if size < 126 else int.from_bytes(stream[2:length], "big")
        count = min(count, len(stream) - length)
        result += bytes([stream[0], stream[1] | 128]) + stream[2:length] + bytes(4) + stream[length:length + count]
        stream = stream[length + count:]
    return result


def test_the_handshake_of_a_server():
    with Listener("--protocol chat --protocol b", '--header "X-Extra: 1"') as listener:
        client, head = dial(listener.port, more="Sec-WebSocket-Protocol: a, b, chat\r\n")
        client.close()
        assert "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head, head
        assert "Sec-WebSocket-Protocol: b\r\n" in head and "X-Extra: 1\r\n" in head, head
        for request, status in {
            "GET / HTTP/1.1\r\nHost: x\r\n\r\n": "426 Upgrade Required",
            "POST / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n": "400 Bad Request",
            "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n": "426 Upgrade Required",
            "nonsense\r\n\r\n": "400 Bad Request",
        }.items():
            with socket.create_connection(("127.0.0.1", listener.port), timeout=LIMIT) as client:
                client.sendall(request.encode())
                answer = read_head(client)
                assert answer.startswith(f"HTTP/1.1 {status}\r\n"), (request, answer)
                assert client.recv(1) == b""
        # A peer whose head never ends is not read for ever.
        with socket.create_connection(("127.0.0.1", listener.port), timeout=LIMIT) as client:
            try:
                client.sendall(b"GET / HTTP/1.1\r\n")
                for _ in range(64):
                    client.sendall(b"x" * 1024)
                while client.recv(65536):
                    pass
            except ConnectionError:
                pass


def test_the_handshake_of_a_client():
    accept = "HTTP/1.1 101 Hi\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
    for answer, problem in {
        "HTTP/1.1 404 Not Found\r\n\r\n": "the server answered '404 Not Found' instead of opening a WebSocket",
        "HTTP/1.1 302 Found\r\nLocation: /other\r\n\r\n": "it leads to /other",
        "HTTP/1.1 101 Hi\r\n\r\n": "the server's answer does not open a WebSocket",
        accept.replace("{accept}", "wrong") + "\r\n": "a wrong Sec-WebSocket-Accept",
        accept + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n": "an extension that was not offered",
        accept + "Sec-WebSocket-Protocol: other\r\n\r\n": "a protocol that was not offered: other",
        "SSH-2.0-OpenSSH\r\n\r\n": "it does not speak HTTP",
        "HTTP/1.1 200 " + "x" * 20000: "its HTTP message is longer than 16 KiB",
        "HTTP/1.1 101": "the peer closed the connection during the WebSocket handshake",
    }.items():
        with Server(lambda client: None, answer=answer) as server:
            status, _, err = run(f"open a {server.target} --protocol chat --header 'Host: other.example'")
            assert status == 3 and problem in err, (answer, err)
            head = server.heads[0]
            assert head.startswith("GET /x HTTP/1.1\r\n") and "Sec-WebSocket-Protocol: chat\r\n" in head, head
            assert head.count("Host: ") == 1 and "Host: other.example\r\n" in head, head


def test_messages_in_any_split():
    texts = [b"", b"x", b"y" * 125, b"z" * 126, b"t" * 127, "ἀβγ €".encode(), b"u" * 65535, b"v" * 65536, b"a\nb\r\n"]

    def serve(client):
        choice = random.Random(7)
        stream = b""
        for text in texts:
            cut = choice.randrange(len(text) + 1)
            stream += frame(text[:cut], 2, fin=False) + frame(b"in between", 9) + frame(b"", 0, fin=False)
            stream += frame(text[cut:], 0)
        while stream:
            count = choice.choice([1, 2, 3, 500, 7000])
            client.sendall(stream[:count])
            stream = stream[count:]
        pongs = [read_frame(client) for _ in texts]
        client.sendall(close_frame(3000, b"bye"))
        assert all(pong == (10, True, b"in between") for pong in pongs), pongs
        closes.append(read_frame(client))

    closes = []
    with Server(serve) as server, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "message")
        statements = [f"open a {server.target}"]
        for index, text in enumerate(texts):
            statements += ["expect a line /(?s)^(?<all>.*)$/", f"write {path}{index} \"${{all}}\""]
        status, out, err = run(*statements, "expect a eof", "a<| 3000")
        assert status == 0, err
        for index, text in enumerate(texts):
            with open(path + str(index), "rb") as file:
                assert file.read() == text, index
    assert closes == [(8, True, struct.pack(">H", 3000) + b"bye")], closes


def test_what_is_sent():
    frames = []

    def serve(client):
        while True:
            frames.append(read_frame(client))
            if frames[-1][0] == 8:
                return over.set()

    over = threading.Event()
    with Server(serve) as server, tempfile.NamedTemporaryFile() as file:
        file.write(b"\x00\xff" * 40000)
        file.flush()
        status, out, err = run(
            f"open a {server.target}", "a> text", r"a> \xff", "send a --binary text", "send a --text t", "send a --hex 00",
            "send a --base64 AAE=", f"send a --file {file.name}", "send a --ping p", 'send a ""', 'send a --raw "x\\ny\\n"',
            "close a --code 4000 --reason done")
        assert status == 0, err
    assert over.wait(LIMIT), frames[-1]
    sent = [(1, b"text"), (2, b"\xff"), (2, b"text"), (1, b"t"), (2, b"\0"), (2, b"\0\1"), (2, b"\x00\xff" * 40000), (9, b"p"),
            (1, b""), (1, b"x\ny\n"), (8, struct.pack(">H", 4000) + b"done")]
    wanted = [(opcode, True, payload) for opcode, payload in sent]
    assert frames == wanted, [(got[0], got[2][:20]) for got in frames]
    for line in ("a> text", "a> \\xff", "send a --binary text", "close a --code 4000 --reason done"):
        assert line in out, out


def test_an_end_without_a_close_frame_is_a_cut():
    with Server(lambda client: client.sendall(frame(b"x"))) as server:
        status, out, err = run(f"open a {server.target}", "a< x", "a<|")
        assert status == 4 and "closed without a close frame, not ended cleanly" in err, err
        status, out, err = run(f"open a {server.target}", "set cut-is-eof on", "a< x", "a<|")
        assert status == 0, err


def test_a_peer_that_pings_and_never_reads_is_not_read_either():
    def serve(client):
        client.settimeout(0.2)
        total = 0
        try:
            while total < 64 << 20:
                total += client.send(frame(b"p" * 125, 9) * 512)
        except TimeoutError:
            pass
        totals.append(total)
        client.settimeout(LIMIT)

    totals = []
    with Server(serve) as server:
        status, _, err = run(f"open a {server.target}", "expect a eof within 20s")
        assert totals and totals[0] < 32 << 20, (totals, err)


def served(serve):
    """Runs a server of python3-websockets; returns its port."""
    ready, ports = threading.Event(), []

    def main():
        async def start():
            server = await websockets.serve(serve, "127.0.0.1", 0, subprotocols=["chat"])
            ports.append(server.sockets[0].getsockname()[1])
            ready.set()
            await asyncio.Future()

        asyncio.run(start())

    threading.Thread(target=main, daemon=True).start()
    assert ready.wait(LIMIT)
    return ports[0]


async def echo(socket, *_):
    async for message in socket:
        await socket.send(message)


def test_with_websockets_as_server():
    port = served(echo)
    status, out, err = run(
        f"open a ws://localhost:{port} --protocol chat", "a> grüße", "a< grüße", "send a --hex 00ff", "expect a hex 00ff",
        "send a --ping x", "a> after", "a< after", "print ${a.protocol}", "a>|", "a<| 1000")
    assert status == 0 and "\nchat\n" in out and '# a: pong "x"' in out, out + err


def test_with_websockets_as_client():
    async def talk(port):
        async with websockets.connect(f"ws://127.0.0.1:{port}/any?path") as socket:
            await socket.send("echo hello")
            assert await socket.recv() == "hello"
            pong = await socket.ping()
            await asyncio.wait_for(pong, LIMIT)
            # The inbox holds 4 KiB here.
            await socket.send("echo " + "x" * 4000)
            assert await socket.recv() == "x" * 4000
        return socket.close_code

    with Listener() as listener:
        assert asyncio.run(talk(listener.port)) == 1000


def test_with_wsproto_as_client():
    with Listener() as listener:
        connection = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        with socket.create_connection(("127.0.0.1", listener.port), timeout=LIMIT) as client:
            client.sendall(connection.send(wsproto.events.Request(host="localhost", target="/")))
            answers = []
            sent = False
            while len(answers) < 2:
                connection.receive_data(client.recv(65536))
                for event in connection.events():
                    if isinstance(event, wsproto.events.AcceptConnection) and not sent:
                        sent = True
                        client.sendall(connection.send(wsproto.events.TextMessage(data="echo one", message_finished=False)))
                        client.sendall(connection.send(wsproto.events.Ping(payload=b"now")))
                        client.sendall(connection.send(wsproto.events.TextMessage(data=" two")))
                    elif isinstance(event, (wsproto.events.TextMessage, wsproto.events.Pong)):
                        answers.append(event)
            assert answers[0].payload == b"now" and answers[1].data == "one two", answers


NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/log; events {{}}
http {{ access_log off; server {{ listen 127.0.0.1:{port};
  location / {{ proxy_pass http://127.0.0.1:{target}; proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; }} }} }}
"""


def test_through_nginx():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        port = free_port()
        path = os.path.join(folder, "nginx.conf")
        with open(path, "w") as file:
            file.write(NGINX.format(folder=folder, port=port, target=served(echo)))
        with Program(port, "nginx", "-p", folder, "-c", path):
            status, out, err = run(
                f"open a ws://localhost:{port}/", "a> through", "a< through", "show a", "a>|", "a<| 1000")
            assert status == 0 and re.search(r"\n  Server +nginx", out), out + err


def test_through_a_proxy_and_tls():
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
            check=True, capture_output=True)
        port = free_port()
        with Program(port, "microsocks", "-i", "127.0.0.1", "-p", str(port)):
            status, out, err = run(
                f"listen w :0 --ws --tls --cert {certificate} --key {key}",
                f"open a wss://localhost:${{w.port}}/p --ca {certificate} --via socks5://127.0.0.1:{port}", "accept w b",
                "a> up", "b< up", "b> down", "a< down", "print \"${b.path} ${a.tls.version} ${w.address}\"", "show a",
                "a>|", "b<| 1000", "a<| 1000")
        assert status == 0 and re.search(r"\n/p TLSv1\.\d wss://127\.0\.0\.1:\d+\n", out), out + err
        assert re.search(r"\nkind +wss\n", out) and re.search(r"\nverified +yes\n", out), out


def test_without_the_library_it_says_what_to_install():
    with Server(lambda client: None) as server, tempfile.TemporaryDirectory() as folder:
        open(os.path.join(folder, "libwslay.so.1"), "w").close()
        done = subprocess.run(
            [MUXSH, "-c", f"open a {server.target} --retry 5s"], env={**os.environ, "LD_LIBRARY_PATH": folder},
            capture_output=True, timeout=LIMIT)
        err = done.stderr.decode()
        assert done.returncode == 3, err
        assert "WebSocket needs libwslay.so.1, which is not installed" in err and "apt install libwslay1" in err, err


def test_empty_messages_fill_the_inbox_too():
    def serve(client):
        client.settimeout(0.5)
        try:
            while len(totals) < 4096:
                totals.append(client.send(frame(b"") * 32768))
        except TimeoutError:
            pass

    totals = []
    with Server(serve) as server:
        status, _, err = run("set inbox 4KiB", f"open a {server.target}", "sleep 1s", "exit")
        assert status == 0 and sum(totals) < 64 << 20, (sum(totals), err)


def test_the_masks_of_close_frames_are_random():
    masks = []

    def serve(client):
        client.sendall(frame(b"x" * 126, 9))
        masks.append(read_exactly(client, 8)[2:6])

    with Server(serve) as server:
        for name in "abc":
            run(f"open {name} {server.target}", f"expect {name} end")
    assert len(masks) == 3 and len(set(masks)) > 1, masks
