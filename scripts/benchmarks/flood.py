"""Measures the longest time a key waits for its echo while a server floods the prompt. Usage: flood.py MUXSH LINES"""

import os
import re
import select
import socket
import sys
import tempfile
import threading
import time

import pexpect

lines = int(sys.argv[2])
listener = socket.create_server(("127.0.0.1", 0))
home = tempfile.mkdtemp()
environment = {"PATH": "/usr/bin:/bin", "HOME": home, "TERM": "xterm", "LC_ALL": "C.UTF-8"}
shell = pexpect.spawn(sys.argv[1], [], dimensions=(24, 80), env=environment)
shell.expect("muxsh> ")
shell.send(f"open a 127.0.0.1:{listener.getsockname()[1]}\r")
connection, _ = listener.accept()
shell.expect("connected.*muxsh> ")
data = b"".join(b"line %d of the flood\n" % number for number in range(lines))
flood = threading.Thread(target=connection.sendall, args=(data,), daemon=True)
flood.start()

waits, typed, seen, since = [], b"", b"", None
# The prompt folds a flood, so its last line may not be shown.
while flood.is_alive() or since is not None:
    if since is None:
        key = b"abcdefghij"[len(typed) % 10:][:1]
        os.write(shell.child_fd, key)
        typed, seen, since = typed + key, b"", time.perf_counter()
    if not select.select([shell.child_fd], [], [], 10)[0]:
        sys.exit("no more output")
    seen += os.read(shell.child_fd, 65536)
    if re.search(rb"muxsh> [^\r\n]*" + typed[-8:], re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", seen)):
        waits.append(time.perf_counter() - since)
        since, seen = None, seen[-100:]
    # A line has room for this many keys; then start over.
    if len(typed) == 60:
        os.write(shell.child_fd, b"\x15")
        typed = b""
print(f"{max(waits) * 1000:.1f} {len(waits)}")
shell.close(force=True)
