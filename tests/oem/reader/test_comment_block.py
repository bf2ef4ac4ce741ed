"""NASA's comment block: every fact and event printed becomes data, nothing else does, and nothing stops the states."""

from datetime import UTC, datetime

import pytest
from tests.oem.sample_oem import kvn

from orbitlake.oem import read_bytes
from orbitlake.oem.reader.comment_block import Facts, parse

FACTS = [
    "Source: This file was produced by the TOPO office within FOD at JSC.",
    "Units are in kg and m^2",
    "MASS=473832.00",
    "DRAG_AREA=1618.40",
    "DRAG_COEFF=2.50",
    "SOLAR_RAD_AREA=0.00",
    "SOLAR_RAD_COEFF=0.00",
    "Orbits start at the ascending node epoch",
    "ISS first asc. node: EPOCH = 2023-03-24T18:57:36.042 $ ORBIT = 2869 $ LAN(DEG) = -79.71025",
    "ISS last asc. node : EPOCH = 2023-04-08T18:04:09.079 $ ORBIT = 3101 $ LAN(DEG) = -155.16623",
]
HEADINGS = [
    "Begin sequence of events",
    "TRAJECTORY EVENT SUMMARY:",
    "",
    "|       EVENT        |       TIG        | ORB |   DV    |   HA    |   HP    |",
    "|                    |       GMT        |     |   M/S   |   KM    |   KM    |",
    "|                    |                  |     |  (F/S)  |  (NM)   |  (NM)   |",
    "=============================================================================",
]
REBOOST = [
    " GMT 089 Cygnus Reb    089:16:48:00.000             1.1     425.4     408.5",
    "                                                   (3.6)   (229.7)   (220.6)",
    "",
]
CLOSING = ["=============================================================================", "End sequence of events"]


def microseconds(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 1_000_000


SPAN = (microseconds(2023, 3, 24, 18, 41, 29), microseconds(2023, 4, 8, 18, 41, 29))


def summary(*events: str) -> list[str]:
    return [*HEADINGS, *events, *CLOSING]


def test_the_facts_are_read_with_their_nodes():
    block = parse([*FACTS, *summary()], *SPAN)

    assert block.warnings == []
    assert block.facts == Facts(
        mass_kg=473832.0,
        drag_area_m2=1618.4,
        drag_coefficient=2.5,
        solar_rad_area_m2=0.0,
        solar_rad_coefficient=0.0,
        first_node_time=datetime(2023, 3, 24, 18, 57, 36, 42_000, UTC),
        first_node_orbit=2869,
        first_node_longitude_deg=-79.71025,
        last_node_time=datetime(2023, 4, 8, 18, 4, 9, 79_000, UTC),
        last_node_orbit=3101,
        last_node_longitude_deg=-155.16623,
    )


def test_an_event_is_read_from_its_two_lines():
    (event,) = parse(summary(*REBOOST), *SPAN).events

    assert event.event_name == "GMT 089 Cygnus Reb"
    assert event.ignition_time == datetime(2023, 3, 30, 16, 48, tzinfo=UTC)
    assert (event.delta_v_m_s, event.apogee_height_km, event.perigee_height_km) == (1.1, 425.4, 408.5)
    assert (event.delta_v_ft_s, event.apogee_height_nmi, event.perigee_height_nmi) == (3.6, 229.7, 220.6)
    assert event.orbit is None
    assert event.is_burn


@pytest.mark.parametrize(
    "name",
    [
        "68S",
        "Crew-6 Port Rel U/D",
        "NRCSD-25 Deploy #123",
        "GMT126 Reboost (Opti",
        "CFT_Launch",
        "087:00:00:00.000",
        "7 8 9",
    ],
)
def test_names_hold_whatever_twenty_characters_may(name):
    (event,) = parse(summary(REBOOST[0].replace("GMT 089 Cygnus Reb  ", f"{name:20}"), *REBOOST[1:]), *SPAN).events

    assert event.event_name == name
    assert event.ignition_time.day == 30


def test_an_orbit_number_is_read_where_one_is_printed():
    printed = REBOOST[0].replace("089:16:48:00.000    ", "089:16:48:00.000 2961")

    assert parse(summary(printed, *REBOOST[1:]), *SPAN).events[0].orbit == 2961


def test_an_event_without_delta_v_is_no_burn():
    assert not parse(summary(REBOOST[0].replace("1.1", "0.0"), *REBOOST[1:]), *SPAN).events[0].is_burn


@pytest.mark.parametrize(
    ("tig", "span", "expected"),
    [
        ("364:23:59:59.500", ((2023, 12, 28), (2024, 1, 12)), datetime(2023, 12, 30, 23, 59, 59, 500_000, UTC)),
        ("002:00:00:00.000", ((2023, 12, 28), (2024, 1, 12)), datetime(2024, 1, 2, tzinfo=UTC)),
        ("362:00:00:00.000", ((2024, 1, 2), (2024, 1, 17)), datetime(2023, 12, 28, tzinfo=UTC)),
        ("003:00:00:00.000", ((2023, 12, 14), (2023, 12, 29)), datetime(2024, 1, 3, tzinfo=UTC)),
        ("366:12:00:00.000", ((2024, 12, 20), (2025, 1, 4)), datetime(2024, 12, 31, 12, tzinfo=UTC)),
        ("366:12:00:00.000", ((2024, 12, 31, 18), (2025, 1, 15)), datetime(2024, 12, 31, 12, tzinfo=UTC)),
    ],
)
def test_the_year_of_an_event_is_that_nearest_to_the_issue(tig, span, expected):
    printed = REBOOST[0].replace("089:16:48:00.000", tig)
    start, stop = (microseconds(*day) for day in span)

    assert parse(summary(printed, *REBOOST[1:]), start, stop).events[0].ignition_time == expected


@pytest.mark.parametrize(
    ("comments", "warning"),
    [
        (["MASS=heavy"], "MASS is not a number"),
        (["MASS=1", "MASS=2"], "MASS again"),
        (["Units are in lb and ft^2", "MASS=1"], "vehicle facts left out"),
        (["ISS first asc. node: EPOCH = yesterday $ ORBIT = 1 $ LAN(DEG) = 2"], "first ascending node"),
        (["ISS first asc. node: EPOCH 2023-03-24T18:57:36.042"], "first ascending node is unreadable"),
        (FACTS[-1:] * 2, "last ascending node is unreadable or stated again"),
        (HEADINGS, "no beginning or no end"),
        (CLOSING, "no beginning or no end"),
        ([*HEADINGS[:1], *HEADINGS[4:], *REBOOST, *CLOSING], "other headings"),
        ([text.replace("M/S", "F/S") for text in summary(*REBOOST)], "other headings"),
        (summary("a line of another kind"), "unreadable event: 'a line of another kind'"),
        (summary(REBOOST[0].replace("1.1", "1.1.1")), "unreadable event"),
        (summary(REBOOST[0].replace("089:16", "389:16"), REBOOST[1]), "is no time of any year"),
        (summary(REBOOST[0].replace("089:16", "366:16"), REBOOST[1]), "is no time of any year"),
        (summary(REBOOST[1]), "unreadable event"),
    ],
)
def test_what_departs_from_the_layout_is_a_warning_and_no_data(comments, warning):
    block = parse(comments, *SPAN)

    assert warning in block.warnings[0]
    assert block.events == []


def test_facts_in_other_units_are_left_out_and_nodes_kept():
    facts = parse([text.replace("kg and m^2", "lb and ft^2") for text in FACTS], *SPAN).facts

    assert facts.mass_kg is None
    assert facts.drag_area_m2 is None
    assert facts.last_node_orbit == 3101


def test_an_event_that_lost_its_second_line_keeps_what_it_has():
    block = parse(summary(REBOOST[0], *REBOOST), *SPAN)

    assert [event.delta_v_ft_s for event in block.events] == [None, 3.6]
    assert "no feet and nautical miles" in block.warnings[0]


def test_a_block_that_nobody_knows_never_stops_the_states():
    issue = read_bytes(kvn(comments=["MASS=?", *summary("?"), "anything"]), "a.oem")

    assert issue.states.num_rows == 3
    assert issue.facts == Facts()
    assert len(issue.warnings) == 2
    assert issue.comments[-1] == "anything"


@pytest.mark.parametrize(
    "comments",
    [
        ["MASS=1e999"],
        ["MASS=" + "9" * 400],
        [FACTS[-1].replace("3101", "9" * 19)],
        [FACTS[-1].replace("-155.16623", "1e999")],
        summary(REBOOST[0].replace("            1.1", f" {'9' * 19}  1.1"), REBOOST[1]),
        summary(REBOOST[0].replace("1.1", "1e999"), REBOOST[1]),
    ],
)
def test_numbers_that_no_column_can_hold_are_warnings(comments):
    issue = read_bytes(kvn(comments=comments), "a.oem")

    assert "comment block: " in issue.warnings[0]
    assert issue.events.num_rows == 0
    assert issue.facts == Facts()


def test_an_event_printed_twice_is_one_row_the_first():
    again = [REBOOST[0].replace("1.1", "1.2"), *REBOOST[1:]]
    issue = read_bytes(kvn(comments=summary(*REBOOST, *again)), "a.oem")

    assert issue.events["delta_v_m_s"].to_pylist() == [1.1]
    assert "kept once" in issue.warnings[0]
