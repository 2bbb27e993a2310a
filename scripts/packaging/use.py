#!/usr/bin/env python3
"""Uses an installed muxsh in another root, as a new user would: use.py ROOT. Each step fails the run with its words."""

import os
import re
import subprocess
import sys

import pexpect

ROOT = sys.argv[1]
CHROOT = ["chroot", ROOT, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=xterm", "NO_COLOR=1", "LC_ALL=C.UTF-8"]


def run(*arguments, text="", status=0):
    """Runs a program in the root, and returns what it prints."""
    found = subprocess.run([*CHROOT, *arguments], input=text, capture_output=True, text=True, timeout=60)
    assert found.returncode == status, (arguments, found)
    return found.stdout


def write(path, text):
    with open(ROOT + path, "w") as file:
        file.write(text)


def main():
    print(run("muxsh", "--version").strip(), "and", run("echod", "--version").strip())
    # A server, and a conversation from a pipe.
    echod = subprocess.Popen([*CHROOT, "echod", "--port", "0"], stdout=subprocess.PIPE, text=True)
    port = re.search(r":(\d+)$", echod.stdout.readline().strip())[1]
    assert "a< HELLO" in run("muxsh", text=f"open a localhost:{port}\na> hello\na< HELLO\n")
    print("hello: ok")
    # The prompt.
    prompt = pexpect.spawn(CHROOT[0], [*CHROOT[1:], "muxsh"], timeout=30, dimensions=(24, 80))
    prompt.expect("muxsh> ")
    prompt.send(f"open b localhost:{port}\r")
    prompt.expect("# b: connected")
    prompt.send("b> typed\r")
    prompt.expect("b< TYPED")
    prompt.send("quit\r")
    prompt.expect(pexpect.EOF)
    prompt.close()
    assert prompt.exitstatus == 0, prompt.exitstatus
    print("prompt: ok")
    # TLS, both sides; the certificate is made outside.
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", ROOT + "/tmp/server.key", "-out", ROOT + "/tmp/server.pem"],
        check=True, stderr=subprocess.DEVNULL)
    write("/tmp/tls.mux", "listen s :0 --tls --cert /tmp/server.pem --key /tmp/server.key\n"
          "open c tls://localhost:${s.port} --ca /tmp/server.pem\naccept s p\nc> secret\np< secret\n"
          "print ${c.tls.version}\nclose *\n")
    assert "TLSv1.3" in run("muxsh", "-q", "/tmp/tls.mux")
    print("TLS: ok")
    # The example, the pages, the completions, the libraries.
    run("muxsh", "-q", "/usr/share/doc/muxsh/examples/hello.mux")
    for path in ("man/man1/muxsh.1.gz", "man/man5/muxsh.5.gz", "man/man7/muxsh.7.gz", "man/man1/echod.1.gz",
                 "bash-completion/completions/muxsh", "fish/vendor_completions.d/echod.fish", "muxsh/library/http.mux"):
        assert os.path.exists(f"{ROOT}/usr/share/{path}"), path
    echod.terminate()
    assert echod.wait(20) == 0
    run("dpkg", "--remove", "muxsh")
    assert not os.path.exists(ROOT + "/usr/bin/muxsh")
    print("package: used in a bare root, and removed")


main()
