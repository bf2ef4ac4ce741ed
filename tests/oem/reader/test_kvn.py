"""The text notation: what the standard allows is read, what it forbids is an error that names the line."""

import numpy as np
import pytest
from tests.oem.sample_oem import COVARIANCE, HEADER, STATES, kvn, segment

from orbitlake.oem import OemError, read_bytes
from orbitlake.oem.reader.kvn import parse
from orbitlake.oem.reader.rules import SHORTENED_STATES


def rejection(content: bytes) -> tuple[int | None, str]:
    with pytest.raises(OemError) as caught:
        read_bytes(content, "a.oem")
    assert caught.value.path == "a.oem"
    return caught.value.line, caught.value.reason


def long_states(count: int) -> list[str]:
    """Return states 2 s apart from the start of the sample's span."""
    return [f"2023-03-24T18:41:{29 + 2 * n:02}.004 {7000 + n} 0 0 0 7.5 0" for n in range(count)]


def values(content: bytes) -> list[list[float]]:
    message = parse(content, "a.oem")
    return [segment.states.position_velocity_km_s.tolist() for segment in message.segments]


PLAIN = values(kvn())
WITH_ACCELERATION = [f"{state} 0.001 -0.002 0.003" for state in STATES]


def test_the_sample_reads_as_it_is_written():
    assert [[[float(field) for field in state.split()[1:]] for state in STATES]] == PLAIN


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b"\n", b"\r"),
        lambda text: text + b"\n",
        lambda text: text + b"\n\n \t\n",
        lambda text: b"\n\n" + text,
        lambda text: text.replace(b"\n", b"\n\n"),
        lambda text: text.replace(b"\n", b" \t \n"),
        lambda text: text.replace(b"\n", b"\n  "),
        lambda text: text.replace(b" ", b"   "),
        lambda text: text.replace(b" ", b"\t"),
        lambda text: text.replace(b" = ", b"="),
        lambda text: text.replace(b" 4482", b" +4482"),
        lambda text: text.replace(b" -693.041910434021", b" -0693.0419104340210"),
        lambda text: text.replace(b"4482.28542", b"4.48228542E+03"),
        lambda text: text.replace(b"2023-03-24T18:4", b"2023-083T18:4"),
        lambda text: text.replace(b".004 ", b".004Z "),
        lambda text: b"\xef\xbb\xbf" + text,
    ],
)
def test_spelling_that_the_standard_leaves_free_changes_nothing(change):
    changed = change(kvn())

    issue, plain = read_bytes(changed, "a.oem"), read_bytes(kvn(), "a.oem")

    assert changed != kvn()
    assert issue.states.equals(plain.states)


@pytest.mark.parametrize(
    ("version", "header"),
    [
        ("1.0", HEADER),
        ("3.0", ["CLASSIFICATION = none", *HEADER, "MESSAGE_ID = OEM 201113719185"]),
        ("2.0", ["COMMENT one", "COMMENT two", *HEADER]),
    ],
)
def test_every_version_reads_with_its_own_header(version, header):
    assert values(kvn(version=version, header=header)) == PLAIN


def insert(at: bytes, line: bytes) -> bytes:
    """Return the sample with a line in front of the one that begins with `at`."""
    content = b"\n".join([kvn(), *(text.encode() for text in COVARIANCE)])
    assert content.count(b"\n" + at) == 1
    return content.replace(b"\n" + at, b"\n" + line + b"\n" + at)


@pytest.mark.parametrize(
    ("content", "warning"),
    [
        (insert(b"ORIGINATOR", b"COMMENT odd_place"), "line 3: comment among keywords"),
        (insert(b"TIME_SYSTEM", b"COMMENT odd_place"), "line 10: comment among keywords"),
        (insert(b"2023-03-24T18:45", b"COMMENT odd_place"), "line 16: comment after a state"),
        (insert(b"2023-03-24T18:45", b"  COMMENT odd_place \t"), "line 16: comment after a state"),
        (insert(b"COVARIANCE_START", b"COMMENT odd_place"), "line 18: comment after a state"),
        (insert(b"COVARIANCE_START", b"\nCOMMENT odd_place\n"), "line 19: comment after a state"),
        (
            insert(b"COVARIANCE_STOP", b"COVARIANCE_STOP\nCOMMENT odd_place").removesuffix(b"COVARIANCE_STOP"),
            "line 27: comment after the covariances",
        ),
        (insert(b"2023-03-24T18:45", b"comment odd_place"), "line 16: comment after a state"),
    ],
)
def test_a_comment_out_of_its_place_is_kept_with_a_warning(content, warning):
    plain = read_bytes(kvn(after=COVARIANCE), "a.oem")

    for changed in (content, content.replace(b"\n", b"\r\n")):
        issue = read_bytes(changed, "a.oem")

        assert issue.comments == ("odd_place",)
        assert issue.warnings[0].startswith(warning)
        assert len(issue.warnings) == 1 + (b"comment" in content)
        assert issue.states.equals(plain.states)
        assert issue.covariances.equals(plain.covariances)


def test_comments_after_states_keep_their_order_and_the_lines_of_what_follows():
    between = [STATES[0], "COMMENT one", "", "COMMENT two", STATES[1], "COMMENT three", STATES[2].replace(" ", " x", 1)]

    assert rejection(kvn(states=between)) == (21, "'x6172.791602633' is not a number")

    whole = [*between[:-1], STATES[2], "COMMENT \N{DEGREE SIGN}_"]
    later = segment(states=[*STATES[:2], STATES[2].replace("5.119573569", "nan")])

    assert rejection(kvn(states=whole, after=later)) == (35, "'nan' is not a number")
    message = parse(kvn(states=whole, after=segment()), "a.oem")
    assert message.comments == ("one", "two", "three", "\N{DEGREE SIGN}_")
    assert [warning.partition(":")[0] for warning in message.warnings] == ["line 16", "line 22"]


def test_a_state_again_to_the_last_digit_is_kept_once_with_a_warning():
    again = [STATES[0], STATES[0], STATES[1], STATES[1].replace(" ", "   "), STATES[1], STATES[2]]

    issue = read_bytes(kvn(states=again), "a.oem")

    assert issue.states.equals(read_bytes(kvn(), "a.oem").states)
    assert issue.warnings == ("line 16: 3 states repeat the one before to the last digit: each kept once",)
    assert rejection(kvn(states=[*again[:5], STATES[1].replace("5527", "5528"), STATES[2]])) == (
        20,
        "epoch is not after that of the state before",
    )
    assert rejection(kvn(states=[STATES[0], STATES[1], STATES[0], STATES[2]]))[0] == 17
    with_acceleration = [WITH_ACCELERATION[0], STATES[0], *STATES[1:]]
    assert rejection(kvn(states=with_acceleration))[0] == 16


def test_a_covariance_again_to_the_last_digit_is_kept_once_with_a_warning():
    issue = read_bytes(kvn(after=[*COVARIANCE[:-1], *COVARIANCE[1:]]), "a.oem")

    assert issue.covariances.equals(read_bytes(kvn(after=COVARIANCE), "a.oem").covariances)
    assert issue.segment_table["covariance_count"].to_pylist() == [1]
    assert issue.warnings == ("line 26: covariance repeats the one before to the last digit: kept once",)


def test_interpolation_without_its_degree_is_a_warning():
    issue = read_bytes(kvn().replace(b"META_STOP", b"INTERPOLATION = HERMITE\nMETA_STOP"), "a.oem")

    assert (issue.header.interpolation, issue.header.interpolation_degree) == ("HERMITE", None)
    assert issue.warnings == ("line 13: INTERPOLATION without INTERPOLATION_DEGREE",)


def test_keywords_in_small_letters_and_units_in_brackets_are_read_with_a_warning():
    small = b"\n".join(
        line.lower() if b"_" in line and b"=" not in line else line
        for line in insert(b"META_STOP", b"COMMENT no").splitlines()
    )
    small = small.replace(b"COMMENT no\n", b"").replace(b"OBJECT_ID", b"object_id")
    with_units = [
        " ".join(
            f"{field} {unit}" for field, unit in zip(state.split(), ["", *["[km]"] * 3, *["[km/s]"] * 3], strict=True)
        )
        for state in STATES
    ]

    plain = read_bytes(kvn(after=COVARIANCE), "a.oem")
    issue, in_units = read_bytes(small, "a.oem"), read_bytes(kvn(states=with_units, after=COVARIANCE), "a.oem")

    assert issue.states.equals(plain.states)
    assert issue.covariances.equals(plain.covariances)
    assert [warning.partition(": ")[2] for warning in issue.warnings] == [
        "meta_start in small letters: keywords are in capitals"
    ]
    assert in_units.states.equals(plain.states)
    assert in_units.warnings == ("line 15: units in brackets: states have none in an OEM",)


def test_an_empty_useable_time_is_none():
    assert read_bytes(kvn(metadata={"USEABLE_STOP_TIME": ""}), "a.oem").header.useable_stop_time is None


def test_comments_keep_their_order_and_their_blanks():
    content = kvn(
        header=["COMMENT  first", *HEADER], comments=[" 68S Undocking   087", "", "last"], after=["", *COVARIANCE]
    )
    content = content.replace(b"META_START\n", b"META_START\nCOMMENT second\n")
    content = content.replace(b"COVARIANCE_START\n", b"COVARIANCE_START\nCOMMENT of the covariance\n")

    comments = parse(content, "a.oem").comments

    assert comments == (" first", "second", " 68S Undocking   087", "", "last", "of the covariance")


def test_a_comment_of_other_letters_is_kept_with_a_warning():
    content = kvn(comments=["drag \N{DEGREE SIGN}"]).replace(b"COMMENT", b"COMMENT \x00", 1)

    message = parse(content, "a.oem")

    assert message.comments == ("\ufffd drag \N{DEGREE SIGN}",)
    assert message.warnings == ("line 15: comment holds more than printable ASCII",)


def test_accelerations_are_read_and_null_where_a_state_has_none():
    mixed = [WITH_ACCELERATION[0], STATES[1], WITH_ACCELERATION[2]]

    whole = read_bytes(kvn(states=WITH_ACCELERATION), "a.oem").states
    partly = read_bytes(kvn(states=mixed), "a.oem")

    assert whole["ay_km_s2"].to_pylist() == [-0.002] * 3
    assert partly.states["ay_km_s2"].to_pylist() == [-0.002, None, -0.002]
    assert partly.warnings == ("line 15: some states of the segment have accelerations, others have none",)


def test_a_covariance_outside_the_span_is_a_warning():
    late = [line.replace("18:41:29", "19:41:29") for line in COVARIANCE]

    assert read_bytes(kvn(after=COVARIANCE), "a.oem").warnings == ()
    assert read_bytes(kvn(after=late), "a.oem").warnings == ("line 19: covariance outside START_TIME and STOP_TIME",)


def test_several_segments_keep_their_numbers_and_their_own_steps():
    later = {"START_TIME": "2023-03-24T18:49:29.004", "STOP_TIME": "2023-03-24T18:51:29.004"}
    states = ["2023-03-24T18:49:29.004 1 2 3 4 5 6", "2023-03-24T18:51:29.004 1 2 3 4 5 6"]

    read = read_bytes(kvn(after=["", *segment(later, ["after the burn"], states)]), "a.oem").states

    assert read["segment"].to_pylist() == [0, 0, 0, 1, 1]
    assert read["step_s"].to_pylist() == [None, 240.0, 240.0, None, 120.0]


def test_covariances_are_kept_with_their_frame():
    framed = [*COVARIANCE[1:2], "COV_REF_FRAME = RTN", *COVARIANCE[2:]]
    issue = read_bytes(kvn(after=[*COVARIANCE[:-1], "", *framed]), "a.oem")

    table = issue.covariances

    assert table["cov_ref_frame"].to_pylist() == ["EME2000", "RTN"]
    assert table["cz_x_km2"].to_pylist() == [4.0, 4.0]
    assert table["cz_dot_z_dot_km2_s2"].to_pylist() == [21.0, 21.0]


@pytest.mark.parametrize(
    "keyword", ["OBJECT_NAME", "OBJECT_ID", "CENTER_NAME", "REF_FRAME", "TIME_SYSTEM", "START_TIME"]
)
def test_a_missing_keyword_is_named_with_its_section(keyword):
    assert rejection(kvn(metadata={keyword: None})) == (5, f"metadata has no {keyword}")
    assert rejection(kvn(metadata={keyword: ""}))[1] == f"metadata has no {keyword}"


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        (b"OBJECT_ID", b"OBJECT_NAME", 7, "OBJECT_NAME again, first on line 6"),
        (b"CENTER_NAME", b"CENTRE_NAME", 8, "CENTRE_NAME is no keyword of OEM metadata"),
        (b"CENTER_NAME = ", b"CENTER_NAME ", 8, "as KEYWORD = value, not 'CENTER_NAME Earth'"),
        (b"ORIGINATOR     = ", b"MESSAGE_ID = ", 3, "MESSAGE_ID came with version 3.0, this file is 2.0"),
        (b"VERS = 2.0", b"VERS = 2.1", 1, "version '2.1' is unknown"),
        (b"CCSDS_OEM_VERS", b"CCSDS_OPM_VERS", 1, "file begins with CCSDS_OPM_VERS"),
        (b"CREATION_DATE  = 2023", b"CREATION_DATE = 0000", 2, "no calendar has"),
        (b"TIME_SYSTEM = UTC", b"TIME_SYSTEM = MRT", 10, "TIME_SYSTEM MRT cannot be converted to UTC"),
        (b"STOP_TIME = 2023", b"STOP_TIME = 2022", 12, "STOP_TIME is before START_TIME"),
        (b"META_STOP", b"INTERPOLATION = HERMITE\nINTERPOLATION_DEGREE = 0\nMETA_STOP", 14, "whole number above zero"),
        (b"META_STOP\n", b"", 14, "as KEYWORD = value"),
        (b"META_STOP\n", b"META_STOP\nCOMMENTS none\n", 14, "expected a state, not 'COMMENTS none'"),
        (b"META_START\n", b"", 5, "OBJECT_NAME is no keyword of OEM header"),
        (b"Earth", b"E\xc3\xa4rth", 8, "more than printable ASCII"),
        (b"OBJECT_ID = 1998-067-A", b"OBJECT_ID = A\tB", 7, "OBJECT_ID 'A\\tB' holds control characters"),
        (b"OBJECT_ID = 1998-067-A", b"OBJECT_ID = " + b"/" * 67, 7, "takes more than 200 bytes percent-encoded"),
        (b"4482.28542", b"", 15, "state has 6 fields, expected 7 or 10"),
        (b"4482.28542", b"4482.28542 1.0", 15, "state has 8 fields"),
        (b"4482.28542", b"4482.28.542", 15, "'4482.28.542' is not a number"),
        (b"4482.28542", b"4482,28542", 15, "is not a number"),
        (b"4482.28542", b"nan", 15, "'nan' is not a number"),
        (b"4482.28542", b"-inf", 15, "'-inf' is not a number"),
        (b"4482.28542", b"1_000", 15, "'1_000' is not a number"),
        (b"4482.28542", b"0x1p4", 15, "'0x1p4' is not a number"),
        (b"4482.28542", b"1e999", 15, "'1e999' is too large"),
        (b"4482.28542", b"-1e100", 15, "'-1e100' is too large"),
        (b"4482.28542", b"4.5D3", 15, "'4.5D3' is not a number"),
        (b"18:45:29.004 ", b"18:41:29.004 ", 16, "epoch is not after that of the state before"),
        (b"18:45:29.004 ", b"18:40:29.004 ", 16, "epoch is not after that of the state before"),
        (b"18:49:29.004 ", b"18:49:29.005 ", 17, "state after STOP_TIME"),
        (b"2023-03-24T18:49:29.004 ", b"9999-12-31T23:59:59.9999999 ", 17, "rounds to the year 10000"),
        (b"TIME_SYSTEM = UTC", b"REF_FRAME_EPOCH = soon\nTIME_SYSTEM = UTC", 10, "'soon' is not an epoch"),
        (b"18:41:29.004 ", b"18:41:29.003 ", 15, "state before START_TIME"),
        (b"18:45:29.004 ", b"18:75:29.004 ", 16, "no calendar has"),
        (b"18:45:29.004 ", b"18:41:29.0040004 ", 16, "epoch is less than a microsecond after that of the state before"),
        (b"18:45:29.004 ", b"18:41:29.0039996 ", 16, "epoch is not after that of the state before"),
        (b"4482.28542", b"4482.28542 [m]", 15, "'[m]' is not the unit of what stands before it"),
        (b"4482.28542", b"4482.28542 [km/s]", 15, "'[km/s]' is not the unit of what stands before it"),
        (b"4482.28542", b"[km] 4482.28542", 15, "'[km]' is not the unit of what stands before it"),
        (b"4482.28542", b"4482.28542[km]", 15, "'4482.28542[km]' is not a number"),
        (b"2023-03-24T18:45:29.004 ", b"COMMENTARY\n2023-03-24T18:45:29.004 ", 16, "'COMMENTARY' is no state"),
        (b"CCSDS_OEM_VERS", b"COMMENT first\nCCSDS_OEM_VERS", 1, "comments stand at the beginning of a section"),
        (b"2023-03-24T18:45:29.004 ", b"USER_KEY = 5\n2023-03-24T18:45:29.004 ", 16, "'USER_KEY = 5' is no state"),
    ],
)
def test_a_violation_is_an_error_that_names_its_line(old, new, line, reason):
    content = kvn()
    assert old in content

    assert rejection(content.replace(old, new, 1))[0] == line
    assert reason in rejection(content.replace(old, new, 1))[1]
    assert rejection(content.replace(old, new, 1).replace(b"\n", b"\r\n"))[0] == line


@pytest.mark.parametrize(
    ("change", "line", "reason"),
    [
        ({"states": []}, 13, "file ends where a state should follow"),
        ({"states": [], "after": segment()}, 15, "expected a state, not 'META_START'"),
        ({"after": segment({"OBJECT_NAME": "MIR"})}, 19, "OBJECT_NAME MIR differs from ISS of the first segment"),
        ({"after": segment({"TIME_SYSTEM": "TAI"})}, 23, "TIME_SYSTEM TAI differs from UTC"),
        ({"version": "1.0", "states": WITH_ACCELERATION}, 15, "accelerations came with version 2.0"),
        ({"version": "1.0", "after": COVARIANCE}, 19, "covariances came with version 2.0"),
        ({"after": COVARIANCE[:-1]}, 25, "file ends where COVARIANCE_STOP should follow"),
        ({"after": COVARIANCE[:5]}, 22, "file ends where row 4 of a covariance should follow"),
        ({"after": [*COVARIANCE[:3], "2 3 4", *COVARIANCE[4:]]}, 21, "row 2 of the covariance has 3 values"),
        ({"after": [*COVARIANCE[:-1], "1 2 3 4 5 6 7", COVARIANCE[-1]]}, 26, "expected EPOCH"),
        (
            {"after": [*COVARIANCE[:-1], *COVARIANCE[1:-2], "1 1 1 1 1 1", COVARIANCE[-1]]},
            26,
            "covariance is not after the one before",
        ),
        (
            {"after": [COVARIANCE[0], "COV_REF_FRAME = RTN", *COVARIANCE[1:]]},
            19,
            "covariance begins with COV_REF_FRAME",
        ),
        ({"after": [*COVARIANCE, "left over"]}, 27, "expected META_START"),
        ({"after": ["COVARIANCE_START extra"]}, 18, "is no state"),
    ],
)
def test_sections_out_of_place_are_named(change, line, reason):
    line_found, reason_found = rejection(kvn(**change))

    assert reason in reason_found
    assert line_found == line


@pytest.mark.parametrize("keep", [slice(None, -2), slice(2, None)])
def test_a_file_cut_between_two_lines_is_refused(keep):
    states = long_states(SHORTENED_STATES + 2)
    whole = {"STOP_TIME": states[-1].split()[0]}
    read_bytes(kvn(metadata=whole, states=states), "a.oem")

    assert "the file is cut" in rejection(kvn(metadata=whole, states=states[keep]))[1]


def test_a_few_states_of_a_long_span_are_an_example_and_only_warned_of():
    states = long_states(SHORTENED_STATES - 1)

    assert "before the useable stop" in read_bytes(kvn(states=states), "a.oem").warnings[0]


def test_a_leap_second_is_read_with_its_true_steps():
    states = [
        "2016-12-31T23:59:58 1 2 3 4 5 6",
        "2016-12-31T23:59:60 1 2 3 4 5 6",
        "2017-01-01T00:00:01 1 2 3 4 5 6",
    ]
    span = {"START_TIME": "2016-12-31T23:59:58", "STOP_TIME": "2017-01-01T00:00:01"}

    issue = read_bytes(kvn(metadata=span, states=states), "a.oem")

    assert issue.states["step_s"].to_pylist() == [None, 2.0, 2.0]
    assert issue.states["on_thrust"].to_pylist() == [False, True, True]
    assert "leap second" in issue.warnings[0]


@pytest.mark.parametrize(
    ("time_system", "times"),
    [
        ("UTC", ("2016-12-31T23:59:59.5", "2016-12-31T23:59:60", "2016-12-31T23:59:60.5", "2017-01-01T00:00:00")),
        ("TAI", ("2017-01-01T00:00:35.5", "2017-01-01T00:00:36", "2017-01-01T00:00:36.5", "2017-01-01T00:00:37")),
        ("GPS", ("2017-01-01T00:00:16.5", "2017-01-01T00:00:17", "2017-01-01T00:00:17.5", "2017-01-01T00:00:18")),
    ],
)
def test_states_within_a_leap_second_stay_apart_in_any_time_system(time_system, times):
    span = {"TIME_SYSTEM": time_system, "START_TIME": times[0], "STOP_TIME": times[-1], "USEABLE_STOP_TIME": times[2]}

    states = read_bytes(kvn(metadata=span, states=[f"{time} 1 2 3 4 5 6" for time in times]), "a.oem").states

    assert [f"{moment:%Y-%m-%dT%H:%M:%S.%f}" for moment in states["epoch_tai"].to_pylist()] == [
        "2017-01-01T00:00:35.500000",
        "2017-01-01T00:00:36.000000",
        "2017-01-01T00:00:36.500000",
        "2017-01-01T00:00:37.000000",
    ]
    assert [f"{moment:%H:%M:%S.%f}" for moment in states["epoch"].to_pylist()] == [
        "23:59:59.500000",
        "23:59:59.999999",
        "23:59:59.999999",
        "00:00:00.000000",
    ]
    assert states["step_s"].to_pylist() == [None, 0.5, 0.5, 0.5]
    assert states["useable"].to_pylist() == [True, True, True, False]


@pytest.mark.parametrize(
    ("first", "last", "thrust"), [(0, 2_000_499, True), (0, 1_991_000, False), (499, 2_000_000, True)]
)
def test_powered_flight_is_two_seconds_to_the_millisecond(first, last, thrust):
    states = [f"2023-03-24T18:41:{29 + us / 1e6:09.6f} 1 2 3 4 5 6" for us in (first, last)]
    span = {"START_TIME": "2023-03-24T18:41:29"}

    assert read_bytes(kvn(metadata=span, states=states), "a.oem").states["on_thrust"].to_pylist() == [False, thrust]


def test_the_block_at_once_and_row_by_row_give_the_same_bits():
    rows = [f"{state} " for state in STATES]
    rows[1] = rows[1].replace(" -", "\t -")

    assert np.array_equal(values(kvn(states=rows)), PLAIN)
    assert np.array_equal(values(kvn(states=[rows[0], rows[1].replace("5527", "+5527"), rows[2]])), PLAIN)
