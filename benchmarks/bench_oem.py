"""How fast an OEM is read, beside the readers people know: every bar is a ratio of best times of one run.

PYTHONPATH=plugins python benchmarks/bench_oem.py [--data FOLDER] [--files 1000]
"""

import argparse
import contextlib
import gzip
import io
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import ccsds_ndm
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from bars import SMALL, Bar, print_machine, scaled, verdict

import oem as oem_package
from orbitlake.oem import read
from orbitlake.oem.reader.read import parse

CHECKOUT = Path(__file__).resolve().parents[1]
TEXT = "oem/iss/ISS.OEM_J2K_EPH.2023-03-24.txt.gz"
XML = "oem/iss/ISS.OEM_J2K_EPH.2024-02-16.xml.gz"
ROUNDS = scaled(15, 1)
FLATNESS = 1.10
LARGE_STATES = scaled(1_000_000, 20_000)
LARGE_WITHIN_S = 10
LARGE_WITHIN_MIB = 700
"""Of a file of LARGE_STATES states, in either notation, on two quiet cores; peak memory of the whole process."""
MEASURED = """
import resource, sys, time
from orbitlake.oem import read
begin = time.perf_counter()
count = read(sys.argv[1]).states.num_rows
print(count, time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def best_times_s(contenders: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """Return the best time of each, taken in turns so that a busy machine slows all alike."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            begin = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - begin)
    return {name: min(measured) for name, measured in times.items()}


def compare(data: Path, folder: Path) -> tuple[dict[str, float], list[Bar]]:
    """Time one text and one XML file in every reader."""
    text, xml = (gzip.decompress((data / name).read_bytes()) for name in (TEXT, XML))
    (folder / "text.oem").write_bytes(text)
    (folder / "xml.oem").write_bytes(xml)
    rows = text[text.index(b"\n", text.index(b"COMMENT End sequence")) + 1 :]
    xml_text = xml.decode()
    times = best_times_s(
        {
            "parse text": lambda: parse(text, "text.oem"),
            "pyarrow.csv.read_csv of its rows": lambda: bare_csv(rows),
            "parse XML": lambda: parse(xml, "xml.oem"),
            "ccsds-ndm-py, XML": lambda: ccsds_ndm.from_str(xml_text),
            "read text, all columns": lambda: read(folder / "text.oem"),
            "read XML, all columns": lambda: read(folder / "xml.oem"),
        }
    )
    times |= best_times_s(
        {"oem package, text": lambda: oem_package.OrbitEphemerisMessage.open(folder / "text.oem")}, rounds=5
    )
    bars = [
        Bar(
            "parse text, times faster than the oem package",
            times["oem package, text"] / times["parse text"],
            30,
            at_least=True,
        ),
        Bar(
            "parse text over bare read_csv",
            times["parse text"] / times["pyarrow.csv.read_csv of its rows"],
            2,
            at_least=False,
        ),
        Bar(
            "read text with all columns, times as fast as the oem package",
            times["oem package, text"] / times["read text, all columns"],
            5,
            at_least=True,
        ),
        Bar("parse XML over ccsds-ndm-py", times["parse XML"] / times["ccsds-ndm-py, XML"], 2, at_least=False),
    ]
    return times, bars


def bare_csv(rows: bytes) -> pa.Table:
    return pa_csv.read_csv(
        io.BytesIO(rows),
        read_options=pa_csv.ReadOptions(autogenerate_column_names=True),
        parse_options=pa_csv.ParseOptions(delimiter=" "),
    )


def flatness(data: Path, folder: Path, count: int) -> tuple[dict[str, float], list[Bar]]:
    """Read many files in one process: time a file over the last tenth against the first ten, and peak memory."""
    originals = sorted((data / "oem/iss").glob("*.txt.gz"))[:10]
    paths = [folder / f"{n:04}.oem.gz" for n in range(count)]
    for n, path in enumerate(paths):
        shutil.copyfile(originals[n % len(originals)], path)
    for path in paths[:10]:
        read(path)
    begin = time.perf_counter()
    for path in paths[:10]:
        read(path)
    few_s = (time.perf_counter() - begin) / 10
    few_peak = peak_bytes()
    begin = time.perf_counter()
    for path in paths:
        read(path)
    many_s = (time.perf_counter() - begin) / count
    figures = {"time a file, of 10": few_s, f"time a file, of {count}": many_s}
    bars = [
        Bar(f"time a file of {count} over that of 10", many_s / few_s, FLATNESS, at_least=False),
        Bar(f"peak memory after {count} files over that after 10", peak_bytes() / few_peak, FLATNESS, at_least=False),
    ]
    return figures, bars


def large(folder: Path) -> tuple[dict[str, float], list[Bar]]:
    """Read files of LARGE_STATES states, each in a process of its own: time and peak memory."""
    environment = os.environ | {"ORBITLAKE_MAX_DOWNLOAD_BYTES": str(2**30)}
    figures, bars = {}, []
    for name, write in (("text", write_large_text), ("XML", write_large_xml)):
        path = folder / f"large-{name}.oem"
        write(path)
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, str(path)],
            env=environment,
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            check=True,
        )
        path.unlink()
        count, seconds, mebibytes = map(float, done.stdout.split())
        if count != LARGE_STATES:
            raise RuntimeError(f"{count} of {LARGE_STATES} states read")
        figures[f"read {LARGE_STATES:,} states, {name}"] = seconds
        bars.append(Bar(f"seconds to read {LARGE_STATES:,} states, {name}", seconds, LARGE_WITHIN_S, at_least=False))
        bars.append(Bar(f"MiB to read {LARGE_STATES:,} states, {name}", mebibytes, LARGE_WITHIN_MIB, at_least=False))
    return figures, bars


def large_states() -> Iterator[tuple[str, list[str]]]:
    """Yield epoch and numbers of states on a circle, one a minute, with as many digits as NASA prints."""
    rate, radius = 2 * math.pi / 5560, 6795.0
    first = np.datetime64("2022-01-01T00:00:00.000")
    for nth in range(LARGE_STATES):
        angle = rate * 60 * nth
        x, y = radius * math.cos(angle), radius * math.sin(angle)
        state = (x, 0.62 * y, 0.78 * y, -rate * y, 0.62 * rate * x, 0.78 * rate * x)
        yield str(first + np.timedelta64(nth, "m")), [f"{value:.12f}" for value in state]


def large_span() -> dict[str, str]:
    first = np.datetime64("2022-01-01T00:00:00.000")
    return {"START_TIME": str(first), "STOP_TIME": str(first + np.timedelta64(LARGE_STATES - 1, "m"))}


LARGE_METADATA = {
    "OBJECT_NAME": "LARGE",
    "OBJECT_ID": "1998-067-A",
    "CENTER_NAME": "EARTH",
    "REF_FRAME": "EME2000",
    "TIME_SYSTEM": "UTC",
}


def write_large_text(path: Path) -> None:
    with path.open("w") as sink:
        sink.write("CCSDS_OEM_VERS = 2.0\nCREATION_DATE = 2022-01-01T00:00:00\nORIGINATOR = BENCHMARK\nMETA_START\n")
        sink.writelines(f"{keyword} = {value}\n" for keyword, value in (LARGE_METADATA | large_span()).items())
        sink.write("META_STOP\n")
        sink.writelines(f"{epoch} {' '.join(numbers)}\n" for epoch, numbers in large_states())


def write_large_xml(path: Path) -> None:
    names = ["X", "Y", "Z", "X_DOT", "Y_DOT", "Z_DOT"]
    units = ["km"] * 3 + ["km/s"] * 3
    with path.open("w") as sink:
        sink.write(
            '<ndm><oem id="CCSDS_OEM_VERS" version="2.0"><header><CREATION_DATE>2022-01-01T00:00:00</CREATION_DATE>'
        )
        sink.write("<ORIGINATOR>BENCHMARK</ORIGINATOR></header><body><segment><metadata>\n")
        sink.writelines(f"<{name}>{value}</{name}>\n" for name, value in (LARGE_METADATA | large_span()).items())
        sink.write("</metadata><data>\n")
        for epoch, numbers in large_states():
            fields = zip(names, units, numbers, strict=True)
            inside = "".join(f'<{name} units="{unit}">{value}</{name}>' for name, unit, value in fields)
            sink.write(f"<stateVector><EPOCH>{epoch}</EPOCH>{inside}</stateVector>\n")
        sink.write("</data></segment></body></oem></ndm>\n")


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("ORBITLAKE_REAL_DATA") or str(CHECKOUT.parent / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default), help="folder of the real files")
    parser.add_argument("--files", type=int, default=scaled(1000, 20), help="how many files to read in a row")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    if SMALL and not (arguments.data / TEXT).exists():
        print(f"     no real files at {arguments.data}: nothing was read")
        return 0
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        times, bars = compare(arguments.data.resolve(), Path(name))
        more_times, more_bars = flatness(arguments.data.resolve(), Path(name), arguments.files)
        large_times, large_bars = large(Path(name))
    times, bars = times | more_times | large_times, bars + more_bars + large_bars
    print_machine()
    for label, seconds in times.items():
        print(f"     {label}: {seconds * 1e3:.2f} ms")
    return verdict(bars, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
