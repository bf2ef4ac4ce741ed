"""Two files of one issue: the same where they say the same, a conflict where anything differs that the tables hold."""

import csv
from collections import defaultdict

import pyarrow as pa
import pytest
from tests.oem.reader.test_comment_block import FACTS, REBOOST, summary
from tests.oem.sample_oem import COVARIANCE, HEADER, STATES, kvn, xml

from orbitlake.oem import Issue, read, read_bytes
from orbitlake.oem.ingest.sameness import HALF_OF_LAST_DIGIT, difference
from orbitlake.oem.ingest.staged_issue import row_of, tables_of
from orbitlake.tables import OEM_ISSUES, STATE_VECTORS, Table

EVENTS = (*FACTS, *summary(*REBOOST))
V3 = {"version": "3.0"}
ACCELERATED = [f"{state} 0.001 0.002 0.003" for state in STATES]
CHANGES = {
    "ref_frame": (kvn(), kvn(metadata={"REF_FRAME": "ITRF2000"})),
    "center_name": (kvn(), kvn(metadata={"CENTER_NAME": "MOON"})),
    "object_name": (kvn(), kvn(metadata={"OBJECT_NAME": "ZARYA"})),
    "epoch": (kvn(), kvn(metadata={"TIME_SYSTEM": "TAI"})),
    "ref_frame_epoch": (
        kvn(metadata={"REF_FRAME_EPOCH": "2000-01-01T12:00:00"}),
        kvn(metadata={"REF_FRAME_EPOCH": "2000-01-01T12:00:01"}),
    ),
    "interpolation": (kvn(), kvn(metadata={"INTERPOLATION": "LAGRANGE", "INTERPOLATION_DEGREE": "7"})),
    "interpolation_degree": (
        kvn(metadata={"INTERPOLATION": "LAGRANGE", "INTERPOLATION_DEGREE": "7"}),
        kvn(metadata={"INTERPOLATION": "LAGRANGE", "INTERPOLATION_DEGREE": "8"}),
    ),
    "useable_start_time": (kvn(), kvn(metadata={"USEABLE_START_TIME": "2023-03-24T18:41:29.004"})),
    "useable_stop_time": (
        kvn(metadata={"USEABLE_STOP_TIME": "2023-03-24T18:49:29.003"}),
        kvn(metadata={"USEABLE_STOP_TIME": "2023-03-24T18:49:29.004"}),
    ),
    "start_time": (kvn(), kvn(metadata={"START_TIME": "2023-03-24T18:41:29.003"})),
    "message_id": (kvn(**V3), kvn(**V3, header=(*HEADER, "MESSAGE_ID = 7"))),
    "classification": (kvn(**V3), kvn(**V3, header=("CLASSIFICATION = SBU", *HEADER))),
    "oem_version": (kvn(), kvn(**V3)),
    "originator": (kvn(), kvn().replace(b"NASA/JSC/FOD/TOPO", b"NASA")),
    "comments": (kvn(comments=["one"]), kvn(comments=["two"])),
    "mass_kg": (kvn(comments=EVENTS), xml(comments=[line.replace("473832", "473833") for line in EVENTS])),
    "delta_v_m_s": (kvn(comments=EVENTS), xml(comments=[line.replace(" 1.1 ", " 1.2 ") for line in EVENTS])),
    "rows of trajectory_events": (kvn(comments=EVENTS), xml(comments=FACTS)),
    "rows of oem_covariances": (kvn(), kvn(after=COVARIANCE)),
    "c": (kvn(after=COVARIANCE), kvn(after=[line.replace("21", "21.000000001") for line in COVARIANCE])),
    "ax_km_s2": (
        kvn(states=ACCELERATED),
        kvn(states=[line.replace("0.001", "0.001000000000001") for line in ACCELERATED]),
    ),
    "vz_km_s": (kvn(), kvn(states=[STATES[0].replace("2.771174646982", "2.771174646983"), *STATES[1:]])),
    "x_km": (kvn(), xml(states=[STATES[0].replace("4482.28542 ", "4482.285420000001 "), *STATES[1:]])),
}


def rows(issue: Issue) -> dict[Table, pa.Table]:
    return tables_of(issue) | {OEM_ISSUES: row_of(issue)}


def compare(first: bytes, second: bytes) -> str | None:
    held, arrived = (rows(read_bytes(content, name)) for content, name in ((first, "first"), (second, "second")))
    return difference(held, arrived)


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_else_a_file_says_is_named(change):
    first, second = CHANGES[change]
    there, back = compare(first, second), compare(second, first)

    assert compare(first, first) is compare(second, second) is None
    assert there is not None
    assert back is not None
    assert change in there


@pytest.mark.parametrize("order", [1, -1])
def test_notations_of_one_issue_may_differ_as_those_of_nasa_do(order):
    text = kvn(
        metadata={"USEABLE_START_TIME": "2023-03-24T18:41:29.004", "USEABLE_STOP_TIME": "2023-03-24T18:49:29.004"},
        comments=EVENTS,
    )
    both = (text, xml(metadata={"CENTER_NAME": "EARTH"}, comments=["", *EVENTS]))[::order]

    assert compare(*both) is None


def test_a_shorter_useable_span_is_a_difference_across_notations_too():
    assert "useable_start_time" in compare(kvn(metadata={"USEABLE_START_TIME": "2023-03-24T18:41:30"}), xml())


def test_a_number_counts_from_the_digit_on_that_text_prints():
    below = STATES[1].replace("-693.041910434021", "-693.0419104340215")
    above = STATES[1].replace("-693.041910434021", "-693.041910434022")

    assert compare(kvn(), xml(states=[STATES[0], below, STATES[2]])) is None
    assert compare(kvn(), xml(states=[STATES[0], above, STATES[2]])).startswith(
        "another y_km at 2023-03-24T18:45:29.004"
    )


def test_derived_columns_and_those_of_the_delivery_never_count():
    spherical_and_geodetic = ("r_km", "theta_rad", "phi_rad", "latitude_deg", "longitude_deg", "altitude_km")
    of_the_cadence = ("step_s", "on_thrust", "thrust_episode", "useable")
    of_the_delivery = ("content_sha256", "source_url", "retrieved_at", "raw_path")
    issue = read_bytes(kvn(comments=EVENTS, after=COVARIANCE), "first")
    other, others = rows(issue), {"int32": 7, "double": -1.5, "bool": False, "string": "else"}
    for table, names in ((STATE_VECTORS, (*spherical_and_geodetic, *of_the_cadence)), (OEM_ISSUES, of_the_delivery)):
        for name in names:
            field, count = table.schema.field(name), other[table].num_rows
            value = None if field.nullable else others[str(field.type)]
            place = table.column_names.index(name)
            other[table] = other[table].set_column(place, field, pa.array([value] * count, field.type))

    assert difference(rows(issue), other) is None


@pytest.mark.real
def test_every_real_issue_that_came_twice_is_the_same_both_times(real_data):
    with (real_data / "PROVENANCE.csv").open(newline="") as source:
        listed = [line for line in csv.DictReader(source) if line["path"].startswith("oem/iss/")]
    by_issue = defaultdict(list)
    for line in listed:
        issue = read(real_data / line["path"])
        by_issue[issue.object_id, issue.creation_date].append((line["path"], issue))
    pairs = [found for found in by_issue.values() if len(found) > 1]
    apart_km = [
        max(
            abs(first.states.column(name).to_numpy() - second.states.column(name).to_numpy()).max()
            for name in ("x_km", "y_km", "z_km")
        )
        for (_, first), (_, second) in pairs
    ]

    assert len(pairs) == 4
    assert {tuple(sorted(issue.header.file_format for _, issue in found)) for found in pairs} == {
        ("KVN", "XML"),
        ("XML", "XML"),
    }
    for (_, first), (_, second) in pairs:
        assert difference(rows(first), rows(second)) is None
        assert difference(rows(second), rows(first)) is None
    assert 0.98 * HALF_OF_LAST_DIGIT < max(apart_km) < HALF_OF_LAST_DIGIT
