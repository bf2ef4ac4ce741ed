"""Thousands of damaged copies of real files: each is refused with a reason or read to exactly the rows it holds.

ORBITLAKE_MUTATIONS sets how many; 200 take twenty seconds, 3000 are the full run.
"""

import gzip
import os
import random
import re
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import pytest
from tests.oem.reader import reference_reader

from orbitlake.oem import Issue, OemError, read_bytes

MUTATIONS = int(os.environ.get("ORBITLAKE_MUTATIONS", "200"))
BATCHES = 10
ORIGINALS = (
    "iss/ISS.OEM_J2K_EPH.2023-03-24.txt.gz",
    "iss/ISS.OEM_J2K_EPH.2025-12-15.txt.gz",
    "iss/ISS.OEM_J2K_EPH.2024-02-16.xml.gz",
    "iss/ISS.OEM_J2K_EPH.2022-02-11.xml.gz",
    "other/anise__LRO_Nyx.oem",
    "other/beyond__oem_cov.kvn",
    "other/beyond__oem_cov.xml",
    "other/beyond__oem_double.xml",
    "other/bradsease__real_MEO_20s.oem",
    "other/ccsdsndm-rs__oem_g12.kvn",
    "other/orekit__OEMExample3.txt",
    "other/osc__oem_g14.xml",
)
ODD_NUMBERS = (b"nan", b"NaN", b"inf", b"-INF", b"1e999", b"0x10", b"1_0", b"1,5", b"", b"--1", b"1.2.3", b"1e", b"+7")
ODD_SPACES = (b"", b"  ", b"\t", b"\n", b"\r", b"\r\n", b" \n ", b"\x0b")
ODD_UNITS = (b' units="m"', b" units='km'", b">", b"")


def cut(text: bytes, choose: random.Random) -> bytes:
    return text[: choose.randrange(len(text))]


def cut_lines(text: bytes, choose: random.Random) -> bytes:
    lines = text.splitlines(keepends=True)
    first = choose.randrange(len(lines))
    del lines[first : first + choose.choice([1, 1, 2, 5, 100])]
    return b"".join(lines)


def cut_tail_lines(text: bytes, choose: random.Random) -> bytes:
    lines = text.splitlines(keepends=True)
    return b"".join(lines[: choose.randrange(len(lines))])


def swap_lines(text: bytes, choose: random.Random) -> bytes:
    lines = text.splitlines(keepends=True)
    one = choose.randrange(len(lines))
    other = choose.choice([choose.randrange(len(lines)), min(one + 1, len(lines) - 1)])
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def double_line(text: bytes, choose: random.Random) -> bytes:
    lines = text.splitlines(keepends=True)
    one = choose.randrange(len(lines))
    return b"".join([*lines[: one + 1], *lines[one:]])


def among(text: bytes, choose: random.Random, pattern: bytes, replace: Callable[[bytes], bytes]) -> bytes:
    """Return the text with one match of a pattern replaced, in the head of the file as likely as anywhere."""
    matches = list(re.finditer(pattern, text[: choose.choice([1500, len(text)])]))
    if not matches:
        return text
    match = choose.choice(matches)
    return text[: match.start()] + replace(match[0]) + text[match.end() :]


def change_digit(text: bytes, choose: random.Random) -> bytes:
    return among(text, choose, rb"[0-9]", lambda _: choose.choice(b"0123456789").to_bytes())


def change_letter(text: bytes, choose: random.Random) -> bytes:
    return among(text, choose, rb"[A-Za-z_=<>/]", lambda _: choose.choice(b"ABCXYZ_=0 -<>/").to_bytes())


def change_number(text: bytes, choose: random.Random) -> bytes:
    return among(text, choose, rb"-?[0-9]+\.[0-9]+(?=[ <\r\n])", lambda _: choose.choice(ODD_NUMBERS))


def change_space(text: bytes, choose: random.Random) -> bytes:
    return among(text, choose, rb"[ \n]", lambda _: choose.choice(ODD_SPACES))


def change_unit(text: bytes, choose: random.Random) -> bytes:
    return among(text, choose, rb' units="[^"]*"|>', lambda _: choose.choice(ODD_UNITS))


def drop_tag(text: bytes, choose: random.Random) -> bytes:
    return among(text, choose, rb"<[^>]*>", lambda _: b"")


def noise(text: bytes, choose: random.Random) -> bytes:
    damaged = bytearray(text)
    for _ in range(choose.choice([1, 1, 3, 50])):
        damaged[choose.randrange(min(len(text), choose.choice([1500, len(text)])))] = choose.randrange(256)
    return bytes(damaged)


def insert_noise(text: bytes, choose: random.Random) -> bytes:
    at = choose.randrange(len(text))
    return text[:at] + choose.randbytes(choose.choice([1, 2, 40])) + text[at:]


def break_gzip(text: bytes, choose: random.Random) -> bytes:
    return noise(gzip.compress(text, 1), choose)


def bomb(text: bytes, choose: random.Random) -> bytes:
    if choose.random() < 0.2:
        return gzip.compress(text + bytes(2**27), 1)
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    document_type = f'<!DOCTYPE ndm [<!ENTITY e0 "1">{levels}]>'.encode()
    return text.replace(b"<oem", document_type + b"<oem", 1).replace(b"ISS<", b"&e11;<", 1)


KINDS = [
    cut,
    cut_lines,
    cut_tail_lines,
    swap_lines,
    double_line,
    change_digit,
    change_letter,
    change_number,
    change_space,
    change_unit,
    drop_tag,
    noise,
    insert_noise,
    break_gzip,
    bomb,
]


def rows_of(issue: Issue) -> list[reference_reader.Row]:
    """Return the rows of an issue as the reference gives them."""
    names = ["x_km", "y_km", "z_km", "vx_km_s", "vy_km_s", "vz_km_s", "ax_km_s2", "ay_km_s2", "az_km_s2"]
    columns = [issue.states[name].to_pylist() for name in ("segment", "epoch", *names)]
    return [
        (segment, epoch.astimezone(UTC).replace(tzinfo=None), tuple(value for value in values if value is not None))
        for segment, epoch, *values in zip(*columns, strict=True)
    ]


@pytest.fixture(scope="module")
def originals(real_data: Path) -> dict[str, bytes]:
    texts = {name: (real_data / "oem" / name).read_bytes() for name in ORIGINALS}
    return {name: gzip.decompress(text) if name.endswith(".gz") else text for name, text in texts.items()}


@pytest.mark.real
@pytest.mark.parametrize("name", ORIGINALS)
def test_the_reference_reads_the_originals_as_the_reader_does(originals, name):
    assert rows_of(read_bytes(originals[name], name)) == reference_reader.rows(originals[name])


@pytest.mark.real
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("batch", range(BATCHES))
def test_a_damaged_file_is_refused_with_a_reason_or_read_to_its_rows(originals, batch):
    reasons: dict[int, str] = {}
    read = 0
    for seed in range(batch, MUTATIONS, BATCHES):
        choose = random.Random(seed)
        name = choose.choice(ORIGINALS)
        mutate = KINDS[seed // BATCHES % len(KINDS)]
        damaged = mutate(originals[name], choose)
        try:
            issue = read_bytes(damaged, "damaged")
        except OemError as refusal:
            reasons[seed] = str(refusal)
            continue
        text = gzip.decompress(damaged) if damaged.startswith(b"\x1f\x8b") else damaged

        assert rows_of(issue) == reference_reader.rows(text), f"seed {seed}, {mutate.__name__} of {name}"
        read += 1

    unexplained = {seed: reason for seed, reason in reasons.items() if not re.match(r"damaged(:\d+)?: \S", reason)}
    assert unexplained == {}
    assert min(read, len(reasons)) * 20 >= read + len(reasons)
