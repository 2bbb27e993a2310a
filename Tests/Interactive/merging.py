"""--report hdr=FILE: logs of several processes, read and merged by a decoder of HdrHistogram's own format."""

import base64
import os
import struct
import subprocess
import tempfile
import zlib

from support import MUXSH
from terminal import LIMIT

SCRIPT = """for i in 1..50 {
    time "a, name" {
        sleep 1ms
    }
}
time once {
    sleep 20ms
}
print ${once.max}
"""


def counts(text):
    """Returns the counts of an encoded histogram by index (HdrHistogram, V2 encoding)."""
    packed = base64.b64decode(text, validate=True)
    cookie, length = struct.unpack(">ii", packed[:8])
    assert cookie & ~0xF0 == 0x1C849304 and length == len(packed) - 8, (hex(cookie), length)
    data = zlib.decompress(packed[8:])
    cookie, length, offset, digits, lowest, highest, ratio = struct.unpack(">iiiiqqd", data[:40])
    assert cookie & ~0xF0 == 0x1C849303 and length == len(data) - 40, (hex(cookie), length)
    assert (offset, digits, lowest, ratio) == (0, 3, 1, 1.0) and highest > 10**12
    found, index, position = {}, 0, 40
    while position < len(data):
        value = shift = 0
        while True:
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        value = (value >> 1) ^ -(value & 1)
        if value < 0:
            index -= value
        else:
            if value:
                found[index] = value
            index += 1
    return found


def lowest_value(index):
    """Returns the least value counted at an index, with three digits and a unit of 1."""
    if index < 2048:
        return index
    bucket = (index >> 10) - 1
    return ((index & 1023) + 1024) << bucket


def read(path):
    """Returns the merged counts of a log by tag."""
    merged = {}
    with open(path) as file:
        lines = file.read().splitlines()
    assert lines[0] == "#[Histogram log format version 1.3]" and lines[1].startswith("#[StartTime: ")
    assert lines[2] == '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'
    for line in lines[3:]:
        tag, start, length, maximum, text = line.split(",")
        assert tag.startswith("Tag=") and float(start) > 1e9 and float(length) > 0 and float(maximum) > 0
        for index, count in counts(text).items():
            merged.setdefault(tag[4:], {}).setdefault(index, 0)
            merged[tag[4:]][index] += count
    return merged


def test_logs_of_four_processes_merge():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "load.mux")
        with open(path, "w") as file:
            file.write(SCRIPT)
        subprocess.run(
            ["parallel", "--will-cite", "-j4", MUXSH, "-q", "--report", f"hdr={folder}/{{}}.log", path, ":::", *"1234"],
            check=True, stdout=subprocess.DEVNULL, timeout=LIMIT, env={**os.environ, "HOME": folder},
        )
        merged = {}
        for number in "1234":
            for tag, found in read(f"{folder}/{number}.log").items():
                for index, count in found.items():
                    merged.setdefault(tag, {}).setdefault(index, 0)
                    merged[tag][index] += count
    assert set(merged) == {"a__name", "once"}, merged.keys()
    assert sum(merged["a__name"].values()) == 200 and sum(merged["once"].values()) == 4
    for index in merged["once"]:
        assert 19_900_000 <= lowest_value(index) < 10**10, lowest_value(index)


def test_the_log_holds_the_figures_of_the_script():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "one.mux")
        with open(path, "w") as file:
            file.write(SCRIPT)
        run = subprocess.run(
            [MUXSH, "-q", "--report", f"hdr={folder}/one.log", path], capture_output=True, timeout=LIMIT, check=True,
        )
        (index,) = read(f"{folder}/one.log")["once"]
        shown = float(run.stdout.splitlines()[0].decode().removesuffix("ms"))
        # Three significant digits in the histogram, two decimals in the text.
        assert abs(lowest_value(index) / 1e6 - shown) / shown < 0.002, (lowest_value(index), shown)
