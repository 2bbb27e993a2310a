"""The echo server of many Python tutorials on select: reads up to 1024 bytes and returns them upper-cased.

Usage: tutorial_server.py [PORT]
"""

import select
import socket
import sys

listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0))
listener.listen(64)
print("listening on 127.0.0.1:%d" % listener.getsockname()[1], flush=True)

sources = [listener]
while True:
    readable, _, _ = select.select(sources, [], [])
    for source in readable:
        if source is listener:
            client, _ = listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sources.append(client)
            continue
        try:
            data = source.recv(1024)
        except ConnectionError:
            data = b""
        if data:
            source.send(data.upper())
        else:
            sources.remove(source)
            source.close()
