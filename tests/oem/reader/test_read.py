"""Reading whole files: containers and their limits, derived columns, and every real file there is."""

import bz2
import csv
import gzip
import lzma
import math
import pickle
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from tests.oem.real_issues import read_once
from tests.oem.sample_oem import HEADER, METADATA, STATES, kvn, segment, xml

from orbitlake import oem, tables
from orbitlake.oem import OemError
from orbitlake.oem.reader import epochs

CHECKOUT = Path(__file__).resolve().parents[3]
ONE_MICROMETRE_KM = 1e-9
MEMORY_LIMIT_BYTES = 2**30

BREAKS_THE_STANDARD = {
    "anise__LEO_10s.oem": (368, "epoch is not after"),
    "bradsease__v3_0_valid_sample01.oem": (19, "MESSAGE_ID is no keyword of OEM metadata"),
    "orekit__OEMExample2.txt": (13, "TIME_SYSTEM MRT cannot be converted"),
    "orekit__OEMExample9.txt": (13, "TIME_SYSTEM MRT cannot be converted"),
}
"""Files that pass for valid and are not, or that nobody could place in UTC.

Time tags may repeat in consecutive blocks only, not within one (502.0-B-3, 5.2.4.4; in LEO_10s three states that
differ share a tag); MESSAGE_ID belongs to the header (tables 5-2 and 5-3); MRT counts from an event that only the
parties know (3.2.3.2).
"""
REPEATED_STATES = {"orekit__OEM-Issue839.txt": 1, "orekit__OEMExampleWithHeaderComment.txt": 1}
"""PROVENANCE.csv counts lines; of a state again, to the last digit, one is kept."""
VALID_AFTER_ALL = {
    "bradsease__v2_0_invalid_sample03.skip": "line 21: comment after a state",
    "bradsease__v2_0_invalid_sample09.oem": "line 21: states end 897960 s before the useable stop",
    "bradsease__v2_0_invalid_sample10.oem": "line 16: INTERPOLATION without INTERPOLATION_DEGREE",
}
"""Departures that change no number: a comment among states, and INTERPOLATION without its degree, are warnings.

In the third, USEABLE_START_TIME stands without USEABLE_STOP_TIME: table 5-3 makes each optional by itself.
"""


def provenance(real_data: Path) -> dict[str, dict[str, str]]:
    with (real_data / "PROVENANCE.csv").open(newline="") as source:
        return {row["path"]: row for row in csv.DictReader(source) if row["path"].startswith("oem/")}


def files(real_data: Path, folder: str) -> list[Path]:
    found = sorted((real_data / "oem" / folder).iterdir())
    assert found
    return found


def as_datetime(text: str) -> datetime:
    form = "%Y-%jT%H:%M:%S.%f" if re.match(r"\d{4}-\d{3}T", text) else "%Y-%m-%dT%H:%M:%S.%f"
    return datetime.strptime(text.rstrip("Z"), form).replace(tzinfo=UTC)


def test_an_error_says_where_and_survives_a_pickle():
    error = pickle.loads(pickle.dumps(OemError("a.oem", 7, "state has 5 fields")))

    assert str(error) == "a.oem:7: state has 5 fields"
    assert str(OemError("a.oem", None, "empty")) == "a.oem: empty"


@pytest.mark.parametrize("pack", [gzip.compress, lambda text: gzip.compress(text[:100]) + gzip.compress(text[100:])])
def test_gzip_is_known_by_content_and_changes_nothing(tmp_path, pack):
    (tmp_path / "plain.gz").write_bytes(kvn())
    (tmp_path / "packed.txt").write_bytes(pack(kvn()) + b"\0" * 512)

    plain, packed = oem.read(tmp_path / "plain.gz"), oem.read(str(tmp_path / "packed.txt"))

    assert packed.states.equals(plain.states)
    assert packed.content_sha256 == plain.content_sha256


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(kvn())[:-20], "gzip stream ends early"),
        (gzip.compress(kvn())[:5], "gzip stream ends early"),
        (gzip.compress(kvn()) + b"more", "gzip stream is damaged"),
        (b"\x1f\x8b" + b"\xff" * 40, "gzip stream is damaged"),
        (b"", "file ends where CCSDS_OEM_VERS should follow"),
        (b"\n \n", "file ends where"),
        (b"\x00\x01\x02", "more than printable ASCII"),
        (b"PK\x03\x04" + kvn(), "is a ZIP archive: unpack it first"),
        (bz2.compress(kvn()), "is packed by bzip2"),
        (lzma.compress(kvn()), "is packed by xz"),
        (kvn().decode().encode("utf-16"), "is text in UTF-16"),
        (kvn().replace(b"2023-03-24T22:55:31.604", b"9999-12-31T23:59:59.9999999"), "rounds to the year 10000"),
    ],
)
def test_a_damaged_file_is_refused(content, reason):
    with pytest.raises(OemError, match=reason):
        oem.read_bytes(content, "a.oem")


def test_limits_hold_packed_and_unpacked_and_name_the_setting_that_lifts_them(tmp_path, monkeypatch):
    monkeypatch.setenv("ORBITLAKE_MAX_DOWNLOAD_BYTES", "2000")
    (tmp_path / "large").write_bytes(b"x" * 2001)
    lifts = "2000 bytes; ORBITLAKE_MAX_DOWNLOAD_BYTES lifts the limit"

    with pytest.raises(OemError, match=f"larger than {lifts}"):
        oem.read(tmp_path / "large")
    with pytest.raises(OemError, match=f"larger than {lifts}"):
        oem.read_bytes(b"x" * 2001, "a")
    with pytest.raises(OemError, match=f"unpacks to more than {lifts}"):
        oem.read_bytes(gzip.compress(b"x" * 1500) + gzip.compress(b"x" * 501), "a")
    with pytest.raises(OemError, match=r"more than 62 elements and attributes; ORBITLAKE_MAX_DOWNLOAD_BYTES lifts"):
        oem.read_bytes(b"<a" + b" b=''" * 63 + b"/>", "a")

    monkeypatch.setenv("ORBITLAKE_MAX_DOWNLOAD_BYTES", "3000")
    (tmp_path / "large").write_bytes(kvn() + b"\n" * (2001 - len(kvn())))
    assert oem.read(tmp_path / "large").states.num_rows == len(STATES)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1998-067-A", "1998-067A"),
        ("1998-067A", "1998-067A"),
        ("1998-067abc", "1998-067ABC"),
        ("25544", "25544"),
        ("-85", "-85"),
        ("2010-LRO", "2010-LRO"),
        ("MARS  PATHFINDER", "MARS  PATHFINDER"),
        ("N/A", "N/A"),
        ("SL-16 R/B", "SL-16 R/B"),
        ("SAT.1(B)#2", "SAT.1(B)#2"),
        ("_PRIV", "_PRIV"),
        ("..", ".."),
        ("Uppercase%2F", "Uppercase%2F"),
        ("98067A", "98067A"),
        ("1998-067-", "1998-067-"),
        ("x" * 200, "x" * 200),
    ],
)
def test_an_object_id_keeps_its_spelling_and_a_designator_loses_a_hyphen(written, expected):
    issue = oem.read_bytes(kvn(metadata={"OBJECT_ID": written}), "a")

    assert issue.object_id == expected
    assert set(issue.states["object_id"].to_pylist()) == {expected}
    assert oem.read_bytes(xml(metadata={"OBJECT_ID": written}), "a").object_id == expected


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("A\nB", "OBJECT_ID 'A\\nB' holds control characters"),
        ("A\x7fB", "holds control characters"),
        ("x" * 201, "takes more than 200 bytes percent-encoded"),
        ("\N{SNOWMAN}" * 23, "takes more than 200 bytes percent-encoded"),
    ],
)
def test_an_object_id_that_can_name_no_folder_is_refused(written, reason):
    with pytest.raises(OemError, match=re.escape(reason)) as caught:
        oem.read_bytes(xml(metadata={"OBJECT_ID": written}), "a")

    assert caught.value.line == 12
    assert oem.read_bytes(xml(metadata={"OBJECT_ID": "\N{SNOWMAN}" * 22}), "a").object_id == "\N{SNOWMAN}" * 22


def test_steps_are_exact_in_any_year():
    times = ["9999-12-31T23:00:00.000001", "9999-12-31T23:00:00.000002", "9999-12-31T23:00:00.000005"]
    span = {"START_TIME": times[0], "STOP_TIME": times[-1]}

    states = oem.read_bytes(kvn(metadata=span, states=[f"{time} 1 2 3 4 5 6" for time in times]), "a").states

    assert states["step_s"].to_pylist() == [None, 1e-6, 3e-6]


def test_spherical_coordinates_are_those_of_the_position():
    states = ["2023-03-24T18:41:29.004 3 -4 12 0 0 0", "2023-03-24T18:49:29.004 0 0 0 0 0 0"]
    read = oem.read_bytes(kvn(states=states), "a").states

    assert read["r_km"].to_pylist() == [13.0, 0.0]
    assert read["theta_rad"].to_pylist() == [round(math.acos(12 / 13), 10), None]
    assert read["phi_rad"].to_pylist() == [round(math.atan2(-4, 3), 10), None]


@pytest.mark.parametrize(
    ("change", "known"),
    [({}, True), ({"REF_FRAME": "ITRF2014"}, True), ({"CENTER_NAME": "MARS"}, False), ({"REF_FRAME": "TOD"}, False)],
)
def test_geodetic_columns_are_null_where_the_frame_cannot_be_turned(change, known):
    read = oem.read_bytes(kvn(metadata=change), "a").states

    for column in ("latitude_deg", "longitude_deg", "altitude_km"):
        assert read[column].null_count == (0 if known else len(STATES))


AT_2020 = {"START_TIME": "2020-05-01T00:00:00", "STOP_TIME": "2020-05-01T00:00:00"}
ON_X_AXIS = ("2020-05-01T00:00:00 6778 0 0 0 4.763 6.010",)
TEME_OF_DATE = (9.370145481667301e-05, 140.6158603083632)
UNCLEAR = "line 9: REF_FRAME_EPOCH {} leaves {} unclear: no latitude, longitude and altitude"


@pytest.mark.parametrize(
    ("frame", "epoch", "time_system", "place", "warnings"),
    [
        ("TEME", None, "UTC", TEME_OF_DATE, []),
        # Axes of J2000 differ from those of 2020 by precession: 20.3 years of 46.1 and 20.0 arc seconds.
        ("TEME", "2000-01-01T12:00:00", "UTC", (0.11351, 140.87635), []),
        ("TEME", "2000-01-01T12:00:32", "TAI", (0.11351, 140.87635), []),
        ("TEME", "2020-05-01T00:00:00", "UTC", TEME_OF_DATE, []),
        ("TEME", "1950-01-01T00:00:00", "UTC", None, [UNCLEAR.format("1950-01-01T00:00:00", "TEME")]),
        ("TEME", "1950-01-01T00:00:00", "TDB", None, [UNCLEAR.format("1950-01-01T00:00:00", "TEME")]),
        ("EME2000", "2010-01-01T00:00:00", "UTC", (0.11196, 140.87635), []),
        ("ICRF", "2010-01-01T00:00:00", "UTC", (0.11196, 140.87635), []),
        ("ITRF2014", None, "UTC", (0.0, 0.0), []),
        ("ITRF2014", "2010-01-01T00:00:00", "UTC", None, [UNCLEAR.format("2010-01-01T00:00:00", "ITRF2014")]),
        ("TOD", "2010-01-01T00:00:00", "UTC", None, []),
    ],
)
def test_a_frame_is_taken_at_its_own_epoch(frame, epoch, time_system, place, warnings):
    moment = {"TAI": "2020-05-01T00:00:37", "TDB": "2020-05-01T00:01:09.184"}.get(time_system, "2020-05-01T00:00:00")
    change = {"REF_FRAME": frame, "REF_FRAME_EPOCH": epoch, "TIME_SYSTEM": time_system}
    change |= {"START_TIME": moment, "STOP_TIME": moment}
    order = ("OBJECT_NAME", "OBJECT_ID", "CENTER_NAME", "REF_FRAME", "REF_FRAME_EPOCH", "TIME_SYSTEM")
    metadata = {key: change.get(key, METADATA.get(key)) for key in order} | change

    issue = oem.read_bytes(kvn_of_metadata(metadata, [ON_X_AXIS[0].replace("2020-05-01T00:00:00", moment)]), "a.oem")

    found = tuple(issue.states[column][0].as_py() for column in ("latitude_deg", "longitude_deg"))
    assert found == ((None, None) if place is None else pytest.approx(place, abs=1e-5))
    assert list(issue.warnings) == warnings
    assert issue.segment_table["ref_frame"].to_pylist() == [frame]


def kvn_of_metadata(metadata: dict[str, str | None], states: list[str]) -> bytes:
    """Return a text file whose metadata are these, in this order."""
    assignments = [f"{keyword} = {value}" for keyword, value in metadata.items() if value is not None]
    return "\n".join(["CCSDS_OEM_VERS = 2.0", *HEADER, "META_START", *assignments, "META_STOP", *states]).encode()


def test_each_segment_is_turned_and_described_by_its_own_centre_frame_and_epoch():
    frozen = AT_2020 | {"REF_FRAME": "TEME", "REF_FRAME_EPOCH": "2000-01-01T12:00:00"}
    of_date = AT_2020 | {"REF_FRAME": "TEME"}
    moon = AT_2020 | {"CENTER_NAME": "Moon", "REF_FRAME": "ICRF"}
    after = [*segment(of_date, (), ON_X_AXIS), *segment(moon, (), ON_X_AXIS)]

    issue = oem.read_bytes(kvn(metadata=frozen, states=ON_X_AXIS, after=after), "a.oem")

    assert issue.states["segment"].to_pylist() == [0, 1, 2]
    assert issue.states["longitude_deg"].to_pylist() == [
        pytest.approx(140.87635, abs=1e-5),
        pytest.approx(TEME_OF_DATE[1], abs=1e-8),
        None,
    ]
    described = issue.segment_table.to_pylist()
    assert [row["center_name"] for row in described] == ["EARTH", "EARTH", "MOON"]
    assert [row["ref_frame"] for row in described] == ["TEME", "TEME", "ICRF"]
    assert [row["ref_frame_epoch"] for row in described] == [datetime(2000, 1, 1, 12, tzinfo=UTC), None, None]
    row = issue.row(source_url=None, retrieved_at=None, raw_path=None).to_pylist()[0]
    assert (row["center_name"], row["ref_frame"], row["segment_count"]) == ("EARTH", "TEME", 3)


@pytest.mark.parametrize(
    ("change", "useable"),
    [
        ({}, [True, True, True]),
        ({"USEABLE_START_TIME": "2023-03-24T18:45:29.004"}, [False, True, True]),
        ({"USEABLE_STOP_TIME": "2023-03-24T18:45:29.003"}, [True, False, False]),
        (
            {"USEABLE_START_TIME": "2023-03-24T18:42:00", "USEABLE_STOP_TIME": "2023-03-24T18:45:29.004"},
            [False, True, False],
        ),
    ],
)
def test_a_state_is_useable_within_the_span_of_its_segment(change, useable):
    whole = segment(change, (), STATES)

    issue = oem.read_bytes(kvn(after=whole), "a.oem")

    assert issue.states["useable"].to_pylist() == [True, True, True, *useable]
    assert [row is not None for row in issue.segment_table["useable_start_time"].to_pylist()] == [
        False,
        "USEABLE_START_TIME" in change,
    ]


@pytest.mark.real
def test_inputs_that_failed_once_are_read_right(real_data):
    folder = real_data / "reported" / "oem"
    assert folder.is_dir()

    def columns(name: str, *columns: str) -> list[list[object]]:
        return [read_once(folder / name).states[column].to_pylist() for column in columns]

    assert columns("m6_teme.oem", "latitude_deg", "longitude_deg") == [
        [pytest.approx(0.11351, abs=1e-5)],
        [pytest.approx(140.87635, abs=1e-5)],
    ]
    assert columns("m7_leap.oem", "step_s") == [[None, 0.5, 0.5, 0.5]]
    # The authority of this one takes EME2000 for GCRF, 15 milliarcseconds apart.
    assert columns("m9_lon.oem", "longitude_deg") == [[pytest.approx(-100.620498, abs=5e-6)]]
    assert set(columns("d09_leapburn.oem", "step_s")[0][1:]) == {240.0, 210.0, 2.0}
    assert [row["center_name"] for row in read_once(folder / "m3_moonseg.oem").segment_table.to_pylist()] == [
        "EARTH",
        "MOON",
    ]


def test_an_issue_s_tables_are_in_their_schemas():
    issue = oem.read_bytes(kvn(), "a")

    row = issue.row(source_url="inbox/a.oem", retrieved_at=datetime(2023, 3, 25, tzinfo=UTC), raw_path=None)

    assert row.schema.equals(tables.OEM_ISSUES.schema, check_metadata=True)
    assert row["state_count"].to_pylist() == [3]
    assert row["center_name"].to_pylist() == ["EARTH"]
    assert row["message_id"].to_pylist() == row["classification"].to_pylist() == [None]
    assert issue.segment_table.schema.equals(tables.OEM_SEGMENTS.schema, check_metadata=True)
    assert issue.states.schema.equals(tables.STATE_VECTORS.schema, check_metadata=True)
    assert issue.events.schema.equals(tables.TRAJECTORY_EVENTS.schema, check_metadata=True)
    assert issue.episodes.schema.equals(tables.THRUST_EPISODES.schema, check_metadata=True)
    assert issue.covariances.schema.equals(tables.OEM_COVARIANCES.schema, check_metadata=True)


def test_the_package_needs_neither_spark_nor_airflow():
    code = "import sys, orbitlake.oem; sys.exit(any(name in sys.modules for name in ('pyspark', 'airflow', 'pandas')))"

    assert (
        subprocess.run(
            [sys.executable, "-c", code], check=False, env={"PYTHONPATH": "plugins"}, cwd=CHECKOUT
        ).returncode
        == 0
    )


HOSTILE = """
import gzip, io, resource, sys
from orbitlake.oem import OemError, read_bytes
from orbitlake.settings import max_file_bytes
from tests.oem.sample_oem import STATES, kvn, state_vector, xml

MAX_BYTES = max_file_bytes()

def flood(content, at, unit, share=1):
    head, tail = content.split(at, 1)
    return head + at + unit * (int(MAX_BYTES * share - len(content)) // len(unit)) + tail

def zeros():
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as sink:
        for _ in range(1024):
            sink.write(bytes(2**20))
    return packed.getvalue()

row = STATES[0].encode() + b"\\n"
vector = state_vector(STATES[0]).encode()
cases = {
    "gzip bomb": zeros,
    "one line": lambda: b"x" * MAX_BYTES,
    "blank lines": lambda: flood(kvn(), b"META_STOP", b"\\n"),
    "comments": lambda: flood(kvn(), b"META_STOP\\n", b"COMMENT\\n"),
    "assignments": lambda: flood(kvn(), b"META_START\\n", b"A=1\\n"),
    "underscores": lambda: flood(kvn(), b"29.004 ", b"_\\n"),
    "states": lambda: flood(kvn(), b"META_STOP\\n", row),
    "spaced states": lambda: flood(kvn(), b"META_STOP\\n", row.replace(b" ", b"  ")),
    "odd states": lambda: flood(kvn(), b"META_STOP\\n", row + row.replace(b"29.004", b"29.0040")),
    "elements": lambda: flood(xml(), b"<data>", b"<a/>"),
    "some elements": lambda: flood(xml(), b"<data>", b"<a/>", 0.11),
    "attributes": lambda: flood(xml(), b"<X ", b"a='' "),
    "nesting": lambda: flood(xml(), b"<data>", b"<a>", 0.1),
    "vectors": lambda: flood(xml(), b"<data>", vector),
    "odd vectors": lambda: flood(xml(), b"<data>", vector.replace(b" units", b"  units"), 0.25),
    "text": lambda: flood(xml(), b"<data>", b"&amp;"),
    "entities": lambda: xml().replace(b"<ndm>", b'<!DOCTYPE x [<!ENTITY a "a"><!ENTITY b "&a;&a;">]><ndm>'),
}
try:
    read_bytes(cases[sys.argv[1]](), sys.argv[1])
except OemError as error:
    print(str(error)[:100], file=sys.stderr)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""
HOSTILE_CASES = re.findall(r'^    "([a-z ]+)": ', HOSTILE, re.MULTILINE)


@pytest.mark.parametrize("case", HOSTILE_CASES)
def test_no_file_takes_a_gibibyte_of_memory(case):
    run = subprocess.run(
        [sys.executable, "-c", HOSTILE, case],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": "plugins:."},
        cwd=CHECKOUT,
    )

    assert int(run.stdout) < MEMORY_LIMIT_BYTES


def runs_of(on_thrust: np.ndarray) -> int:
    return int((np.diff(on_thrust.astype(int), prepend=0) == 1).sum())


@pytest.mark.real
def test_every_iss_file_has_the_rows_runs_and_times_counted_for_it(real_data):
    counted = provenance(real_data)
    for path in files(real_data, "iss"):
        expected = counted[path.relative_to(real_data).as_posix()]
        issue = read_once(path)
        on_thrust = issue.states["on_thrust"].to_numpy()

        assert issue.warnings == (), path.name
        assert issue.object_id == "1998-067A"
        assert issue.content_sha256 == expected["content_sha256"], path.name
        assert issue.states.num_rows == int(expected["state_rows"]), path.name
        assert on_thrust.sum() == int(expected["two_second_rows"]), path.name
        assert runs_of(on_thrust) == int(expected["reboost_runs"]), path.name
        assert issue.creation_date == as_datetime(expected["creation_date"]), path.name
        assert issue.states["epoch"][0].as_py() == as_datetime(expected["first_epoch"]), path.name
        assert issue.states["epoch"][-1].as_py() == as_datetime(expected["last_epoch"]), path.name


@pytest.mark.real
def test_every_fact_and_every_event_line_of_the_iss_files_is_read(real_data):
    printed_in_all = 0
    for path in files(real_data, "iss"):
        text = gzip.decompress(path.read_bytes()).decode("ascii")
        printed = re.findall(r"(?:COMMENT |<COMMENT>) (.{20}) +(\d{3}:\S+) +(\S+) +(\S+) +([\d.]+)", text)
        issue = read_once(path)
        events = issue.events.to_pylist()
        printed_in_all += len(printed)

        assert None not in vars_of(issue.facts), path.name
        assert [
            (
                event["event_name"],
                f"{event['ignition_time']:%j:%H:%M:%S}.{event['ignition_time'].microsecond // 1000:03}",
                event["delta_v_m_s"],
                event["apogee_height_km"],
                event["perigee_height_km"],
            )
            for event in events
        ] == [(name.strip(), tig, *map(float, numbers)) for name, tig, *numbers in printed], path.name
        assert all(event["delta_v_ft_s"] is not None and event["orbit"] is None for event in events), path.name
        assert all(abs(event["ignition_time"] - issue.creation_date).days < 60 for event in events), path.name

    assert printed_in_all > 150


@pytest.mark.real
def test_text_and_xml_of_one_issue_have_equal_states(real_data):
    issues: dict[datetime, list[oem.Issue]] = {}
    for path in files(real_data, "iss"):
        issues.setdefault(read_once(path).creation_date, []).append(read_once(path))
    pairs = [twins for twins in issues.values() if {twin.header.file_format for twin in twins} == {"KVN", "XML"}]

    assert len(pairs) >= 3
    for text, twin, *_ in pairs:
        assert twin.states["epoch"].equals(text.states["epoch"])
        for name in ("x_km", "y_km", "z_km", "vx_km_s", "vy_km_s", "vz_km_s"):
            difference = twin.states[name].to_numpy() - text.states[name].to_numpy()
            assert np.abs(difference).max() <= ONE_MICROMETRE_KM
        assert twin.events.equals(text.events)
        assert twin.facts == text.facts


@pytest.mark.real
def test_every_other_file_is_read_unless_it_breaks_a_rule(real_data):
    counted = provenance(real_data)
    rejected = {}
    for path in files(real_data, "other"):
        try:
            issue = read_once(path)
        except OemError as error:
            rejected[path.name] = error
        else:
            expected = counted[f"oem/other/{path.name}"]
            repeated = REPEATED_STATES.get(path.name, 0)
            epoch_tai_us = issue.states["epoch_tai"].to_numpy().astype(np.int64)
            span = [
                epochs.tai_us_of(expected[name], issue.header.time_system) for name in ("first_epoch", "last_epoch")
            ]
            assert issue.states.num_rows + repeated == int(expected["state_rows"]), path.name
            assert sum(issue.states["on_thrust"].to_pylist()) == int(expected["two_second_rows"]), path.name
            assert [epoch_tai_us.min(), epoch_tai_us.max()] == span, path.name
            assert any("kept once" in warning for warning in issue.warnings) == bool(repeated), path.name

    assert rejected.keys() == BREAKS_THE_STANDARD.keys()
    for name, (line, reason) in BREAKS_THE_STANDARD.items():
        assert rejected[name].line == line
        assert reason in rejected[name].reason


@pytest.mark.real
def test_every_invalid_file_is_rejected_with_file_line_and_reason(real_data):
    for path in files(real_data, "invalid"):
        if path.name in VALID_AFTER_ALL:
            assert read_once(path).states.num_rows == 3
            assert read_once(path).warnings[0].startswith(VALID_AFTER_ALL[path.name])
            continue
        with pytest.raises(OemError) as caught:
            oem.read(path)

        assert re.fullmatch(rf"{re.escape(str(path))}:\d+: \S.*", str(caught.value))


def vars_of(facts: object) -> list[object]:
    return [getattr(facts, name) for name in facts.__dataclass_fields__]
