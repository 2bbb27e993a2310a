"""Round trips with pexpect. Usage: pexpect_roundtrips.py PORT COUNT"""

import socket
import sys

import pexpect.fdpexpect

connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
session = pexpect.fdpexpect.fdspawn(connection)
for _ in range(int(sys.argv[2])):
    session.send(b"hello\n")
    session.expect_exact(b"HELLO\n")
