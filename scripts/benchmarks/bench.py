"""Measures muxsh and echod against today's common tools, in one run. Usage: bench.py MUXSH ECHOD FOLDER

Each comparison alternates between the contenders and keeps the best round of each, so that other activity of the
machine affects both. Only the ratios matter; the targets are printed next to them.
"""

import os
import resource
import socket
import subprocess
import sys
import tempfile
import time

MUXSH, ECHOD, FOLDER = sys.argv[1:4]
HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"
rows = []


def start(arguments):
    """Starts a server that first prints its address; returns it with its port."""
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    return process, int(process.stdout.readline().rsplit(":", 1)[1])


def stop(process):
    process.kill()
    process.wait()


def seconds(arguments, **options):
    begin = time.perf_counter()
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, **options)
    return time.perf_counter() - begin


def best(contenders, rounds):
    """Returns the shortest time of each contender over `rounds` alternating rounds."""
    times = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, measure in contenders.items():
            times[name].append(measure())
    return {name: min(values) for name, values in times.items()}


def report(what, ratio, target, detail):
    rows.append((what, ratio, target, detail))
    print(f"{what:<46} {ratio:6.2f}   target {target:<8} {detail}", flush=True)


def script(text):
    file = tempfile.NamedTemporaryFile("w", suffix=".mux", dir=FOLDER, delete=False)
    file.write(text)
    file.close()
    return file.name


def bench_echo():
    trips = 100_000
    for clients in (50, 500, 4000):
        servers = {
            "C": start([FOLDER + "/echo_select"]),
            "echod": start([ECHOD, "--port", "0"]),
        }
        if clients <= 500:
            servers["Python tutorial"] = start([PYTHON, HERE + "/tutorial_server.py"])

        def rate(port):
            return -float(subprocess.check_output([FOLDER + "/load", str(port), str(clients), str(trips)]))

        found = best({name: (lambda port=port: rate(port)) for name, (_, port) in servers.items()}, 5)
        for process, _ in servers.values():
            stop(process)
        rates = {name: -value for name, value in found.items()}
        detail = ", ".join(f"{name} {value:,.0f}/s" for name, value in rates.items())
        report(f"echo, {clients} clients: echod / C select loop", rates["echod"] / rates["C"], ">= 0.9", detail)


def bench_round_trips():
    server, port = start([FOLDER + "/echo_select"])
    text = f"open a 127.0.0.1:{port}\nrepeat 20000 {{\n    a> hello\n    a< HELLO\n}}\n"
    name = script(text)
    found = best(
        {
            "C": lambda: seconds([FOLDER + "/roundtrips", str(port), "20000"]),
            "muxsh": lambda: seconds([MUXSH, "-q", name]),
            "muxsh with transcript": lambda: seconds([MUXSH, name]),
        },
        # A round trip is mostly two wake-ups, whose times vary: many rounds.
        13,
    )
    pexpect = seconds([PYTHON, HERE + "/pexpect_roundtrips.py", str(port), "2000"]) * 10
    stop(server)
    detail = f"C {found['C']:.3f} s, muxsh {found['muxsh']:.3f} s, with transcript {found['muxsh with transcript']:.3f} s"
    report("20,000 round trips: muxsh / C loop", found["muxsh"] / found["C"], "<= 1.15", detail)
    report("20,000 round trips: muxsh / pexpect", found["muxsh"] / pexpect, "< 1", f"pexpect {pexpect:.1f} s (2,000 x 10)")


def bench_start_up():
    empty = script("exit 0\n")
    expect = FOLDER + "/empty.exp"
    with open(expect, "w") as file:
        file.write("exit 0\n")

    def many(arguments, count=100):
        def measure():
            begin = time.perf_counter()
            for _ in range(count):
                subprocess.run(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            return (time.perf_counter() - begin) / count * 1000

        return measure

    found = best({"expect": many(["expect", expect]), "nc": many(["nc", "-h"]), "muxsh": many([MUXSH, empty])}, 5)
    detail = ", ".join(f"{name} {value:.2f} ms" for name, value in found.items())
    report("start-up: muxsh / expect", found["muxsh"] / found["expect"], "<= 1.5", detail)


def bench_stream():
    server, port = start([FOLDER + "/stream", "256"])
    text = script(f'open a 127.0.0.1:{port}\nexpect a "NEEDLE" within 1m\n')
    regex = script(f"open a 127.0.0.1:{port}\nexpect a /^NEEDLE (\\d+)$/ within 1m\n")
    found = best(
        {
            "nc | grep": lambda: seconds(["/bin/sh", "-c", f"nc 127.0.0.1 {port} </dev/null | grep NEEDLE"]),
            "text": lambda: seconds([MUXSH, "-q", text]),
            "regex": lambda: seconds([MUXSH, "-q", regex]),
        },
        5,
    )
    stop(server)
    # The largest child so far is muxsh: the other programs are small.
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    detail = ", ".join(f"{name} {value:.3f} s" for name, value in found.items())
    report("256 MiB stream, text: muxsh / nc | grep", found["text"] / found["nc | grep"], "<= 2", detail)
    report("256 MiB stream, regex: muxsh / nc | grep", found["regex"] / found["nc | grep"], "<= 2", "")
    report("256 MiB stream: memory of muxsh in MiB", memory, "<= 64", "(the most of any program in this run)")


def cpu_seconds(arguments):
    """Returns the CPU time of a program: user time plus system time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def bench_steps():
    """200,000 iterations of a loop without I/O: counting, and counting with a condition, compared with Tcl."""
    turns = 200_000
    loops = {
        "let": (f"let n 0\nrepeat {turns} {{\n    let n ${{n}} + 1\n}}\n",
                f"set n 0\nfor {{set i 0}} {{$i < {turns}}} {{incr i}} {{ set n [expr {{$n + 1}}] }}\n", 2),
        "while, if": (f"let n 0\nwhile ${{n}} < {turns} {{\n    let n ${{n}} + 1\n    if ${{n}} == -1 {{\n        print x\n    }}\n}}\n",
                      f"set n 0\nwhile {{$n < {turns}}} {{ set n [expr {{$n + 1}}]; if {{$n == -1}} {{ puts x }} }}\n", 4),
        "call": (f"define f x {{\n    let y ${{x}}\n}}\nrepeat {turns} as i {{\n    f ${{i}}\n}}\n",
                 f"proc f x {{ global y; set y $x }}\nfor {{set i 0}} {{$i < {turns}}} {{incr i}} {{ f $i }}\n", 4),
    }
    for name, (mux, tcl, steps) in loops.items():
        tcl_file = FOLDER + "/loop.tcl"
        with open(tcl_file, "w") as file:
            file.write(tcl)
        mux_file = script(mux)
        # expect is Tcl with the event loop that muxsh would replace; its startup time is about the same.
        found = best(
            {
                "muxsh": lambda: cpu_seconds([MUXSH, mux_file]),
                "Tcl": lambda: cpu_seconds(["expect", "-f", tcl_file]),
            },
            7,
        )
        detail = f"muxsh {found['muxsh'] * 1000:.1f} ms, Tcl in expect {found['Tcl'] * 1000:.1f} ms"
        report(f"200,000 turns of a loop ({name}): muxsh / Tcl", found["muxsh"] / found["Tcl"], "<= 1", detail)
        report(f"a step of it ({name}), in us of CPU", found["muxsh"] / turns / steps * 1e6, "< 2", f"{steps} steps a turn")


def bench_strands():
    """1,000 strands, each with a connection and a round trip, against a C program that does the same in one event loop."""
    server, port = start([FOLDER + "/echo_select"])
    text = (f"parallel 1000 as i {{\n    open c${{i}} 127.0.0.1:{port}\n    c${{i}}> hello\n    c${{i}}< HELLO\n}}\n"
            "exit\n")
    name = script(text)
    single = script(text.replace("parallel 1000 as i", "repeat 1000 as i"))
    found = best(
        {
            "at once": lambda: seconds([MUXSH, "-q", name]),
            "one after the other": lambda: seconds([MUXSH, "-q", single]),
            "C": lambda: seconds([FOLDER + "/load", str(port), "1000", "1000"]),
        },
        5,
    )
    stop(server)
    detail = ", ".join(f"{name} {value:.3f} s" for name, value in found.items())
    report("1,000 strands with a round trip / one by one", found["at once"] / found["one after the other"], "<= 1", detail)


def big_file(mebibytes):
    name = f"{FOLDER}/{mebibytes}MiB"
    block = bytes(range(256)) * 4096
    with open(name, "wb") as file:
        for _ in range(mebibytes):
            file.write(block)
    return name


def bench_send_file():
    """1 GiB from a file to a peer that discards it, until the connection ends."""
    file = big_file(1024)
    server, port = start([FOLDER + "/discard"])
    text = script(f'open a 127.0.0.1:{port}\nsend a --file "{file}"\na>|\nexpect a eof within 1m\n')
    found = best(
        {
            "nc": lambda: seconds(["/bin/sh", "-c", f"exec nc -N 127.0.0.1 {port} < {file}"]),
            "socat": lambda: seconds(["socat", "-u", f"OPEN:{file}", f"TCP:127.0.0.1:{port}"]),
            "muxsh": lambda: seconds([MUXSH, "-q", text]),
        },
        5,
    )
    stop(server)
    os.remove(file)
    detail = ", ".join(f"{name} {value:.3f} s" for name, value in found.items())
    report("1 GiB of a file, speed: muxsh / nc", found["nc"] / found["muxsh"], ">= 0.9", detail)
    report("1 GiB of a file, speed: muxsh / socat", found["socat"] / found["muxsh"], ">= 0.9", "")


def bench_tls():
    """512 MiB from openssl s_server over TLS 1.3, and the same amount to it."""
    file = big_file(512)
    key, certificate = FOLDER + "/tls.key", FOLDER + "/tls.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
         "-out", certificate, "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, stderr=subprocess.DEVNULL)

    def serve(*options):
        process = subprocess.Popen(
            ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certificate, "-key", key, *options], cwd=FOLDER,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        line = b""
        while not line.startswith(b"ACCEPT"):
            line = process.stdout.readline()
        return process, int(line.rsplit(b":", 1)[1])

    server, port = serve("-WWW")
    name = os.path.basename(file)
    text = script(
        f'open a tls://localhost:{port} --ca "{certificate}"\na> GET /{name} HTTP/1.0\r\na>\nexpect a eof within 1m\n')
    client = f"printf 'GET /{name} HTTP/1.0\\r\\n\\r\\n' | openssl s_client -quiet -connect 127.0.0.1:{port} 2>/dev/null"
    found = best(
        {
            "openssl s_client": lambda: seconds(["/bin/sh", "-c", client]),
            "muxsh": lambda: seconds([MUXSH, "-q", text]),
        },
        5,
    )
    stop(server)
    detail = ", ".join(f"{name} {value:.3f} s" for name, value in found.items())
    report("512 MiB from TLS, speed: muxsh / s_client", found["openssl s_client"] / found["muxsh"], ">= 0.9", detail)

    # Its output is discarded; it ends with its first client.
    def upload(arguments):
        def measure():
            process, port = serve("-naccept", "1")
            sink = subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
            begin = time.perf_counter()
            subprocess.run(arguments(port), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            process.stdin.close()
            process.wait()
            took = time.perf_counter() - begin
            sink.wait()
            return took
        return measure

    def send(port):
        return [MUXSH, "-q", script(
            f'open a tls://localhost:{port} --ca "{certificate}"\nsend a --file "{file}" --wait\na>|\nexpect a eof within 1m\n')]

    found = best(
        {
            "openssl s_client": upload(lambda port: [
                "/bin/sh", "-c", f"exec openssl s_client -no_ign_eof -nocommands -connect 127.0.0.1:{port} < {file}"]),
            "muxsh": upload(send),
        },
        3,
    )
    os.remove(file)
    detail = ", ".join(f"{name} {value:.3f} s" for name, value in found.items())
    report("512 MiB to TLS, speed: muxsh / s_client", found["openssl s_client"] / found["muxsh"], ">= 0.9", detail)


def bench_bridge():
    """256 MiB from a server through a relay to a client."""
    server, port = start([FOLDER + "/stream", "256"])
    text = script(
        f"listen proxy :0\nprint listening on ${{proxy.address}}\naccept proxy client within 1m\n"
        f"open server 127.0.0.1:{port}\nbridge client server\n")

    def fetch(port):
        # socat does not report when it is ready: until then the connection is refused.
        while True:
            begin = time.perf_counter()
            client = subprocess.run(["/bin/sh", "-c", f"exec nc 127.0.0.1 {port} </dev/null >/dev/null 2>&1"])
            if client.returncode == 0:
                return time.perf_counter() - begin

    def through_muxsh():
        relay, relay_port = start([MUXSH, "-q", text])
        took = fetch(relay_port)
        relay.wait()
        return took

    def through_tunnel():
        relay, relay_port = start([
            MUXSH, "-q", "-c", f"tunnel t :0 to 127.0.0.1:{port}", "-c", "print listening on ${t.address}",
            "-c", "expect t connections 1", "-c", "expect t connections 0 within 1m"])
        took = fetch(relay_port)
        relay.wait()
        return took

    def through_socat(*options):
        def measure():
            with socket.create_server(("127.0.0.1", 0)) as free:
                relay_port = free.getsockname()[1]
            relay = subprocess.Popen(
                ["socat", *options, f"TCP-LISTEN:{relay_port},bind=127.0.0.1,reuseaddr", f"TCP:127.0.0.1:{port}"])
            took = fetch(relay_port)
            relay.wait()
            return took
        return measure

    found = best(
        {
            "socat": through_socat(),
            "socat -b 262144": through_socat("-b", "262144"),
            "muxsh": through_muxsh,
            "tunnel": through_tunnel,
        },
        5,
    )
    stop(server)
    detail = ", ".join(f"{name} {value:.3f} s" for name, value in found.items())
    report("256 MiB through a bridge, speed: muxsh / socat", found["socat"] / found["muxsh"], ">= 0.9", detail)
    report("the same against socat with a buffer of ours", found["socat -b 262144"] / found["muxsh"], "(none)", "")
    report("256 MiB through a tunnel, same buffer", found["socat -b 262144"] / found["tunnel"], ">= 1.0", "")


def bench_driven():
    """Round trips by the Python class of scripts/examples, and over a plain socket in Python."""
    sys.path.insert(0, os.path.join(os.path.dirname(HERE), "examples"))
    from muxsh import Muxsh

    trips = 3000
    server, port = start([ECHOD, "--port", "0"])

    def plain():
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader = client.makefile("rb")
            begin = time.perf_counter()
            for _ in range(trips):
                client.sendall(b"ping\n")
                reader.readline()
            return time.perf_counter() - begin

    def driven():
        with Muxsh(program=MUXSH) as shell:
            shell.run(f"open a 127.0.0.1:{port}")
            begin = time.perf_counter()
            for _ in range(trips):
                shell.run("a> ping", "a< PING")
            return time.perf_counter() - begin

    found = best({"socket": plain, "muxsh.py": driven}, 5)
    stop(server)
    detail = ", ".join(f"{name} {value / trips * 1e6:.0f} us" for name, value in found.items())
    report("a round trip by muxsh.py / plain Python socket", found["muxsh.py"] / found["socket"], "<= 1.3", detail)


def bench_flood():
    """200,000 lines while keys are typed at the prompt."""
    waits = [subprocess.check_output([PYTHON, HERE + "/flood.py", MUXSH, "200000"]).split() for _ in range(3)]
    longest = min(float(wait) for wait, _ in waits)
    keys = ", ".join(f"{wait.decode()} ms of {count.decode()} keys" for wait, count in waits)
    report("a key in a flood of 200,000 lines, in ms", longest, "<= 50", keys)


def main():
    bench_flood()
    bench_send_file()
    bench_tls()
    bench_bridge()
    bench_driven()
    bench_steps()
    bench_strands()
    bench_stream()
    bench_start_up()
    bench_round_trips()
    bench_echo()


if __name__ == "__main__":
    main()
