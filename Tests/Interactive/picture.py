"""--report html: the page as a file without scripts, and in a browser."""

import html.parser
import os
import re
import signal
import subprocess
import tempfile

from support import MUXSH
from terminal import LIMIT

HOSTILE = [
    "<script>alert(1)</script>", "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "]]><x>",
    "</title></svg><h1>taken</h1>", "--><b>", "\" onfocus=\"alert(1)", "' autofocus onfocus='alert(1)", "&lt;b&gt;",
    "javascript:alert(1)", "</pre></details></style><style>*{display:none}</style>", "\\u{202e}desrever", "\\x00\\xff\\xfe",
    "\\e]0;title\\x07", "<!--", "<![CDATA[", "&#x3c;script&#x3e;", "{{constructor.constructor('alert(1)')()}}",
]


class Page(html.parser.HTMLParser):
    """The elements, identifiers, links and texts of a page."""

    VOID = {"meta", "rect", "path", "circle", "img", "br"}

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.texts, self.stack, self.attributes = {}, [], [], [], [], set()
        self.open_parts = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.attributes |= {(tag, name) for name in values}
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values["href"]] if "href" in values else []
        if tag == "details" and "open" in values:
            self.open_parts.append(values.get("id"))
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.attributes |= {(tag, name) for name, _ in attributes}

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.stack.pop() == tag, (tag, self.stack)

    def handle_data(self, data):
        self.texts.append(data)


def run(script, *options, status=None):
    """Runs a script and returns its page as text."""
    with tempfile.TemporaryDirectory() as folder:
        path, page = os.path.join(folder, "a.mux"), os.path.join(folder, "page.html")
        with open(path, "wb") as file:
            file.write(script.encode())
        done = subprocess.run(
            [MUXSH, "-q", "--report", f"html={page}", *options, path], capture_output=True, timeout=5 * LIMIT)
        assert status is None or done.returncode == status, (done.returncode, done.stderr)
        with open(page, encoding="utf-8") as file:
            return file.read()


def in_browser(text):
    """Returns the document after its script has run, and what the console shows."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "page.html")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0",
             f"--user-data-dir={folder}/profile", "--dump-dom", f"file://{path}"],
            capture_output=True, timeout=60)
    return done.stdout.decode(), [line for line in done.stderr.decode().splitlines() if "CONSOLE" in line]


def conversation(texts):
    lines = "".join(f"    A> {text}\n    expect A /.*\\n/ within 5s\n" for text in texts)
    return f"serve E :0 echo\nopen A localhost:${{E.port}}\ntest \"talks\" {{\n{lines}}}\n"


def test_the_page_shows_a_conversation_without_a_script():
    text = run(
        """serve E :0 upper
open A localhost:${E.port}
test "answers" {
    A> ping
    A< PING
    sleep 250ms
    A> later
    A< LATER
}
test "differs" {
    A> one
    A< TWO
}
test "is skipped" {
    skip "no reason"
}
print "printed"
""", status=4)
    page = Page(text)
    assert page.stack == [] and page.tags["script"] == 1 and page.tags["svg"] == 4, page.tags
    texts = "\n".join(page.texts)
    for wanted in ("3 tests: 1 passed, 1 failed, 1 skipped", "A> ping\nline 4", "A< PING\nline 5", "50 49 4e 47 0a", "|PING.|",
                   "without traffic", "expected: A< TWO", "arrived:  A< ONE", "✗ A: the line differs", "no reason",
                   "print: printed"):
        assert wanted in texts, wanted
    assert all(link[0] == "#" and link[1:] in page.ids for link in page.links) and "#failure2" in page.links, page.links
    assert len(page.ids) == len(set(page.ids))
    # The failure is open, and what passed is folded.
    assert page.open_parts == ["part2"], page.open_parts


def test_nothing_from_a_server_becomes_markup():
    name = HOSTILE[0].replace('"', '\\"')
    text = run(
        conversation(HOSTILE) + f'test "{name}" {{\n    A> </svg><script>alert(2)</script>\n    A< <b>\n}}\n'
        + 'print "</pre><script>alert(3)</script>"\n', status=4)
    page = Page(text)
    assert page.tags["script"] == page.tags["style"] == page.tags["h1"] == 1 and page.stack == [], page.tags
    assert set(page.tags) <= {
        "html", "head", "meta", "title", "style", "body", "header", "h1", "p", "nav", "ul", "li", "a", "main", "table",
        "thead", "tr", "th", "tbody", "td", "details", "summary", "b", "span", "small", "pre", "figure", "svg", "path",
        "text", "g", "rect", "circle", "script",
    }, page.tags
    assert not [each for each in page.attributes if each[1].startswith("on")], page.attributes
    texts = "\n".join(page.texts)
    for wanted in HOSTILE:
        assert wanted in texts, wanted
    assert not re.search("[\0-\\x08\\x0e-\\x1f\\u202e]", text)
    document, console = in_browser(text)
    assert console == [], console
    # The buttons that the script adds are the proof that it ran; nothing else is new.
    assert document.count("<button>") == 3 and document.count("<script") == 1, document[-500:]


def test_a_page_of_10000_exchanges():
    text = run(
        "serve E :0 upper\nopen A localhost:${E.port}\nrepeat 10000 as i {\n  A> number ${i}\n  A< NUMBER ${i}\n}\n"
        "A> last\nA< no\n", status=4)
    page = Page(text)
    assert page.tags["g"] > 20000 and page.tags["svg"] > 100
    # All but the diagram with the failure is folded.
    assert page.open_parts == ["part0", None], page.open_parts
    document, console = in_browser(text)
    assert console == [] and "number 10000" in document and document.count("<button>") == 3


def test_the_page_is_written_when_the_run_is_ended():
    for ending in (signal.SIGTERM, signal.SIGINT):
        with tempfile.TemporaryDirectory() as folder:
            page = os.path.join(folder, "page.html")
            process = subprocess.Popen(
                [MUXSH, "--report", f"html={page}", "-c", "serve E :0 echo", "-c", "open A localhost:${E.port}",
                 "-c", "A> hello", "-c", "A< hello", "-c", "print ready", "-c", "sleep 60s"],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            while b"ready" not in process.stdout.readline():
                pass
            # Until the end the file is not there.
            assert not os.path.exists(page)
            process.send_signal(ending)
            process.communicate(timeout=LIMIT)
            assert process.returncode == 128 + ending
            with open(page, encoding="utf-8") as file:
                page_text = file.read()
            assert "A&lt; hello" in page_text and page_text.endswith("</html>\n")
            assert os.listdir(folder) == ["page.html"] and os.stat(page).st_mode & 0o777 == 0o600


def test_an_old_report_stays_until_the_new_one_is_complete():
    with tempfile.TemporaryDirectory() as folder:
        page, link = os.path.join(folder, "page.html"), os.path.join(folder, "link")
        with open(page, "w") as file:
            file.write("old")
        os.chmod(page, 0o644)
        os.symlink("page.html", link)
        subprocess.run([MUXSH, "-q", "--report", f"junit={link}", "--report", "tap=/proc/none", "-c", "print 1"],
                       capture_output=True, timeout=LIMIT)
        with open(page) as file:
            assert file.read() == "old"
        assert sorted(os.listdir(folder)) == ["link", "page.html"]
        subprocess.run([MUXSH, "-q", "--report", f"junit={link}", "-c", "print 1"], check=True, capture_output=True)
        with open(page) as file:
            assert file.read().endswith("</testsuites>\n")
        assert os.path.islink(link) and os.stat(page).st_mode & 0o777 == 0o644
        assert sorted(os.listdir(folder)) == ["link", "page.html"]
