"""The screens of programs: six full-screen programs, each in about ten lines, and what keys send."""

import os
import tempfile

from proxies import run


def in_folder(*statements, count=200):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "lines"), "w") as file:
            file.write("".join(f"{number}\n" for number in range(1, count + 1)))
        status, out, err = run("set timeout 20s", *(each.replace("FOLDER", folder) for each in statements))
        assert status == 0, err
        return out


def test_vim():
    out = in_folder(
        "spawn v --pty 24x80 --cd FOLDER vim -u NONE -N lines", 'expect v screen 24 "lines"', 'send v --key "G o"',
        'expect v screen 24 "-- INSERT --"', "send v --raw hello", "send v --key Escape", "expect v screen /^hello$/", "expect v screen 24 /^$/",
        "print cursor ${v.cursor.row} ${v.cursor.column}", "v> :wq", "wait v status 0",
        "run sh -c 'tail -n 1 FOLDER/lines'", 'print last ${0:trim}')
    assert "\ncursor 23 5\n" in out and "\nlast hello\n" in out, out


def test_top():
    in_folder(
        "spawn t --pty 30x100 top", 'expect t screen 1 "load average"', "expect t screen /PID +USER/",
        "expect t screen 1 1 /top - (?<time>..:..)/", "print ${time}", "send t --key q", "wait t status 0")


def test_less():
    out = in_folder(
        "spawn l --pty 10x40 less FOLDER/lines", 'expect l screen 1 1 "1"', "send l --key PageDown",
        'expect l screen 1 "10"', 'send l --raw "/150\\n"', "expect l screen 1 /^150$/", "send l --key End",
        'expect l screen 9 "200"', "show l --screen", "send l --key q", "wait l status 0")
    assert "the screen is 10x40, with the cursor at row 10" in out and "\n 9 | 200\n" in out, out


def test_htop():
    in_folder(
        "spawn h --pty 30x100 htop", 'expect h screen 30 "F10Quit"', "send h --key F1",
        'expect h screen 1 "(C) 2004"', "send h --key Space", 'expect h screen 30 "F10Quit"',
        "send h --key F10", "wait h status 0")


def test_nano():
    out = in_folder(
        "spawn n --pty 24x80 --cd FOLDER nano new.txt", 'expect n screen "GNU nano"', 'send n --raw "some text"',
        'expect n screen 2 1 "some text"', "send n --key C-x", 'expect n screen "Save modified buffer"',
        "send n --key y", 'expect n screen "File Name to Write: new.txt"', "send n --key Enter", "wait n status 0",
        "run cat FOLDER/new.txt", "print got ${0:trim}")
    assert "\ngot some text\n" in out, out


def test_a_shell_with_a_prompt():
    out = in_folder(
        'spawn s --pty 24x80 --env "PS1=ready> " sh -i', 'expect s screen 1 "ready> "', "s> echo $((6*7))",
        'expect s screen 2 1 "42"', 'expect s screen 3 "ready> "', "print cursor ${s.cursor.row} ${s.cursor.column}",
        'print "${s.screen:lines}"', 'expect s "42"', "send s --key C-d", "wait s status 0")
    assert "\ncursor 3 8\n" in out, out


def test_keys_send_what_a_terminal_sends():
    keys = {
        "Up Down Right Left": "\\033[A\\033[B\\033[C\\033[D", "F1 F5 F12": "\\033OP\\033[15~\\033[24~",
        "Home End": "\\033[H\\033[F", "Insert Delete PageUp PageDown": "\\033[2~\\033[3~\\033[5~\\033[6~",
        "C-a C-Space M-x": "\\001\\000\\033x", "S-Tab C-Left": "\\033[Z\\033[1;5D", "a Space Z": "a Z",
        "Backspace Escape": "\\177\\033", "é": "\\303\\251",
    }
    for names, sent in keys.items():
        count = len(sent.replace("\\", "").encode()) and len(bytes(sent, "latin-1").decode("unicode_escape"))
        in_folder(
            "spawn p --pty --no-echo sh -c \"stty raw; printf 'ready.'; head -c " + str(count) + " | od -An -v -to1\"",
            'expect p "ready."', f'send p --key "{names}"',
            "expect p /" + " +".join(f"{ord(letter):03o}" for letter in bytes(sent, "latin-1").decode("unicode_escape")) + "/")


def test_application_keys_and_questions():
    # The program asks where the cursor is, and switches the cursor keys to application mode.
    in_folder(
        r"""spawn p --pty --no-echo sh -c "stty raw; printf '\\033[3;5Hx\\033[6n\\033[?1h'; head -c 9 | od -An -v -c" """,
        'expect p screen 3 5 "x"', "send p --key Up", r"expect p /033 +\[ +3 +; +6 +R +033 +O +A/")


def test_a_flood_does_not_stop_at_the_inbox():
    in_folder(
        "set inbox 4KiB", "spawn p --pty sh -c 'i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done; echo over'",
        'expect p screen "over"', "expect p /line 49..\\r\\nline/")
