"""The files are NASA's to the column: compared with real ones, with each other, and with the orbit."""

import gzip
import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from orbitlake.simulator.issues import issue_of
from orbitlake.simulator.nasa_layout import OemFormat, file_name, write_issue
from orbitlake.simulator.station import Station, station

FRIDAY = date(2026, 11, 20)
NEW_YEAR = date(2026, 12, 23)
REAL_KVN = "oem/iss/ISS.OEM_J2K_EPH.2023-02-16.txt.gz"
REAL_XML = "oem/iss/ISS.OEM_J2K_EPH.2023-02-16.xml.gz"
TWELVE_DECIMALS_KM = 1e-12
"""Half of the text's last decimal, and the rounding of a double of 6800 km."""


def kvn(day: date = FRIDAY) -> str:
    return write_issue(issue_of(station(), day), OemFormat.KVN).decode("ascii")


def xml(day: date = FRIDAY) -> str:
    return write_issue(issue_of(station(), day), OemFormat.XML).decode("ascii")


def shape(line: str) -> str:
    """A line with its digits as 9, signs dropped with a run of digits, and free names as NAME."""
    line = re.sub(r"(ORIGINATOR *[=>] ?)[A-Z/]+", r"\1NAME", line)
    line = re.sub(r"(Source: ).*", r"\1NAME", line)
    line = re.sub(r"^((?:COMMENT |<COMMENT>) )\S.{20}(?= \d{3}:)", r"\1" + "N" * 21, line.lstrip(" "))
    line = re.sub(r"(MASS=|AREA=|COEFF=|ORBIT = |LAN\(DEG\) = )-?[\d.]+", r"\g<1>9", line)
    line = re.sub(r" -?(\d+)\.(\d+)(?= |\r|$)", lambda hit: f" 9.{len(hit[2])}", line) if line[:2] == "20" else line
    line = re.sub(r">-?[\d.]+(e-\d+)?<", ">9<", line)
    return re.sub(r"\d", "9", line)


def shapes(text: str) -> list[str]:
    """The shapes of a file's lines in order, repeated ones once."""
    return list(dict.fromkeys(shape(line) for line in text.split("\n")))


def head_shapes(text: str) -> list[str]:
    """The shapes of all lines up to the first event."""
    return [shape(line) for line in text.partition("=====")[0].split("\n")]


def real(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode("ascii")


@pytest.mark.real
@pytest.mark.parametrize(("recorded", "simulated"), [(REAL_KVN, kvn), (REAL_XML, xml)])
def test_every_line_has_the_shape_of_a_real_one_in_the_same_order(real_data: Path, recorded: str, simulated):
    theirs, ours = real(real_data / recorded), simulated()

    assert shapes(ours) == shapes(theirs)
    assert head_shapes(ours) == head_shapes(theirs)


@pytest.mark.real
def test_the_event_table_stands_in_the_real_columns(real_data: Path):
    def columns(text: str) -> set[tuple[int, ...]]:
        lines = re.findall(r"^COMMENT .*(?: \d{3}:\d\d:\d\d:\d\d\.\d{3} .*|\(\d.*)\r$", text, re.MULTILINE)
        return {tuple(found.end() for found in re.finditer(r"[\d.]+\)?(?=\s|$)", line[47:])) for line in lines}

    ours = columns(kvn())

    assert len(ours) == 2
    assert ours == columns(real(real_data / REAL_KVN))


def test_lines_end_as_windows_does_and_the_last_one_ends():
    for text in (kvn(), xml()):
        assert text.endswith("\r\n")
        assert text.count("\n") == text.count("\r\n")


def test_equal_issues_give_equal_bytes():
    again = issue_of(Station(), FRIDAY)

    for form in OemFormat:
        assert write_issue(again, form) == write_issue(issue_of(station(), FRIDAY), form)


def test_text_and_xml_hold_the_same_states():
    rows = [line.split() for line in kvn().split("\r\n") if line.startswith("20")]
    of_text = np.array([row[1:] for row in rows], dtype=float)
    of_xml = np.array(re.findall(r'units="km(?:/s)?">(.+?)<', xml()), dtype=float).reshape(-1, 6)

    assert of_text.shape == of_xml.shape
    assert np.abs(of_text - of_xml).max() <= TWELVE_DECIMALS_KM


def test_text_and_xml_hold_the_same_epochs():
    of_text = [np.datetime64(line.split()[0]) for line in kvn(NEW_YEAR).split("\r\n") if line.startswith("20")]
    of_xml = re.findall(r"<EPOCH>(\d{4})-(\d{3})T(.+?)Z<", xml(NEW_YEAR))

    days = [np.datetime64(year) + np.timedelta64(int(day) - 1, "D") for year, day, _ in of_xml]
    assert [f"{day}T{clock}" for day, (_, _, clock) in zip(days, of_xml, strict=True)] == [str(t) for t in of_text]


def test_states_of_the_file_are_those_of_the_orbit():
    issue = issue_of(station(), FRIDAY)
    rows = [line.split() for line in kvn().split("\r\n") if line.startswith("20")]

    position_km, velocity_km_s = station().states(issue.epochs_utc)
    values = np.array([row[1:] for row in rows], dtype=float)
    np.testing.assert_allclose(values, np.hstack([position_km, velocity_km_s]), rtol=0, atol=TWELVE_DECIMALS_KM)


def test_the_event_table_names_the_burn_with_its_first_state():
    line = next(line for line in kvn().split("\r\n") if "Reboost" in line)

    assert line == "COMMENT  GMT 330 ISS Reboost   330:05:37:00.000             1.1     425.5     408.7"


def test_a_file_is_named_by_the_day_of_its_creation():
    assert file_name(issue_of(station(), FRIDAY), OemFormat.XML) == "ISS.OEM_J2K_EPH.2026-11-20.xml"
