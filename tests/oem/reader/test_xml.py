"""The XML notation: NASA's and the standard's both read as their text twins do; what is hostile or wrong is named."""

import pytest
from tests.oem.sample_oem import COVARIANCE, STATES, kvn, state_vector, xml

from orbitlake.oem import OemError, read, read_all, read_all_bytes, read_bytes
from orbitlake.oem.reader import xml as reader

WITH_ACCELERATION = [f"{state} 0.001 -0.002 0.003" for state in STATES]
TRIANGLE = [value for row in COVARIANCE[2:-1] for value in row.split()]
COVARIANCE_MATRIX = "\n".join(
    [
        "<covarianceMatrix>",
        "<COMMENT>of the covariance</COMMENT>",
        "<EPOCH>2023-03-24T18:41:29.004</EPOCH>",
        *(f"<{name}>{value}</{name}>" for name, value in zip(reader.COVARIANCE_UNITS, TRIANGLE, strict=True)),
        "</covarianceMatrix>",
    ]
)


def rejection(content: bytes) -> tuple[int | None, str]:
    with pytest.raises(OemError) as caught:
        read_bytes(content, "a.xml")
    assert caught.value.path == "a.xml"
    return caught.value.line, caught.value.reason


def test_another_message_beside_the_oem_is_passed_over_with_a_warning():
    beside = read_bytes(xml().replace(b"</ndm>", b"<opm/></ndm>"), "a.xml")

    assert beside.states.equals(read_bytes(kvn(), "a").states)
    assert [warning.partition(": ")[2] for warning in beside.warnings] == ["<opm> beside the OEM is passed over"]


def test_xml_reads_as_its_text_twin():
    comments = ["MASS=473832.00", "", " 68S Undocking   087"]

    text, twin = read_bytes(kvn(comments=comments), "a"), read_bytes(xml(comments=comments), "a")

    assert twin.states.equals(text.states)
    assert (twin.object_id, twin.creation_date, twin.comments) == (text.object_id, text.creation_date, text.comments)
    assert (twin.header.file_format, text.header.file_format) == ("XML", "KVN")


@pytest.mark.parametrize("states", [STATES, WITH_ACCELERATION, [*STATES[:1], *WITH_ACCELERATION[1:]]])
@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b"\n", b""),
        lambda text: text.replace(b"\n", b"\n      "),
        lambda text: text.replace(b"<X ", b"<!-- an axis --><X "),
        lambda text: text.replace(b'"km"', b"'km'"),
        lambda text: text.replace(b' units="km"', b""),
        lambda text: text.replace(b">4482", b"> 4482"),
        lambda text: text.replace(b">4482", b">&#52;482"),
        lambda text: text.replace(b"<ndm>", b"").replace(b"</ndm>", b""),
        lambda text: text.replace(b"<ndm>", b'<ndm xmlns="urn:ccsds:schema:ndmxml">'),
        lambda text: text.replace(b"<ndm>", b'<ndm xmlns="urn:ccsds:recommendation:navigation:schema:ndmxml">'),
        lambda text: text.replace(b"ndm>", b"n:ndm>").replace(b"<n:ndm>", b'<n:ndm xmlns:n="urn:ccsds:schema:ndmxml">'),
        lambda text: text.replace(b"<ndm>", b"<ndm><MESSAGE_ID>7</MESSAGE_ID>"),
        lambda text: text.replace(b"2023-03-24T18:4", b"2023-083T18:4"),
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.replace(b'<?xml version="1.0" encoding="UTF-8"?>\n', b""),
    ],
)
def test_spelling_that_xml_leaves_free_changes_nothing(change, states):
    changed = change(xml(states=states))

    issue, plain = read_bytes(changed, "a.xml"), read_bytes(xml(states=states), "a.xml")

    assert changed != xml(states=states)
    assert issue.states.equals(plain.states)


@pytest.mark.parametrize(
    ("before", "warning"),
    [
        (b"<ORIGINATOR>", "line 6: comment among keywords"),
        (b"<TIME_SYSTEM>", "line 15: comment among keywords"),
        (b"</metadata>", "line 18: comment among keywords"),
        (b"<stateVector>\n<EPOCH>2023-03-24T18:45", "line 30: comment after the data"),
        (b"<covarianceMatrix>", "line 48: comment after the data"),
        (b"</data>", "line 73: comment after the data"),
        (b"<CX_X>", "line 51: comment in a covariance"),
    ],
)
def test_a_comment_out_of_its_place_is_kept_with_a_warning(before, warning):
    whole = xml(after=COVARIANCE_MATRIX)
    assert whole.count(before) == 1

    issue, plain = (
        read_bytes(whole.replace(before, b"<COMMENT>odd</COMMENT>" + before), "a.xml"),
        read_bytes(whole, "a"),
    )

    assert "odd" in issue.comments
    assert issue.warnings == (f"{warning}: the beginning of a section is its place",)
    assert issue.states.equals(plain.states)
    assert issue.covariances.equals(plain.covariances)


def test_a_state_again_to_the_last_digit_is_kept_once_with_a_warning():
    issue = read_bytes(xml(states=[STATES[0], *STATES]), "a.xml")

    assert issue.states.equals(read_bytes(kvn(), "a").states)
    assert issue.warnings == ("line 30: 1 states repeat the one before to the last digit: each kept once",)


def test_several_oem_in_one_file_are_as_many_issues():
    head, tail = xml().split(b"<oem", 1)
    one = b"<oem" + tail.split(b"</ndm>")[0]
    other = one.replace(b"1998-067-A", b"2000-001-A").replace(b"EME2000", b"GCRF")
    content = head + b"<COMMENT>of both</COMMENT>" + one + b"<opm/>" + other + b"</ndm>"

    issues = read_all_bytes(content, "a.xml")

    assert [issue.object_id for issue in issues] == ["1998-067A", "2000-001A"]
    assert [issue.segment_table["ref_frame"].to_pylist() for issue in issues] == [["EME2000"], ["GCRF"]]
    assert all(issue.comments == ("of both", "") for issue in issues) or all(
        issue.comments == ("of both",) for issue in issues
    )
    assert all(len(issue.warnings) == 1 and "<opm>" in issue.warnings[0] for issue in issues)
    assert len({issue.content_sha256 for issue in issues}) == 1
    assert rejection(content)[1] == "holds 2 OEM, each an issue of its own: read_all gives them all"
    with pytest.raises(OemError, match="not a number"):
        read_all_bytes(content.replace(b"4482.28542", b"x"), "a.xml")


def test_read_all_gives_the_one_issue_of_a_text_file(tmp_path):
    (tmp_path / "a.oem").write_bytes(kvn())

    (issue,) = read_all(tmp_path / "a.oem")

    assert issue.states.equals(read(tmp_path / "a.oem").states)
    assert issue.content_sha256 == read(tmp_path / "a.oem").content_sha256


def test_covariances_and_their_comments_are_kept():
    issue = read_bytes(xml(after=COVARIANCE_MATRIX), "a.xml")

    assert issue.covariances.equals(read_bytes(kvn(after=COVARIANCE), "a").covariances)
    assert issue.covariances["cz_dot_z_dot_km2_s2"].to_pylist() == [21.0]
    assert "of the covariance" in issue.comments


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        (b"<ndm>", b'<!DOCTYPE ndm [<!ENTITY a "aaaa">]><ndm>', 2, "declares DOCTYPE"),
        (b"<ndm>", b'<!-- <!ENTITY a "a"> --><ndm>', 2, "declares ENTITY"),
        (b"<ndm>", b"<ndm>\0", 2, "NUL"),
        (b"</data>", b"", 50, "not well-formed"),
        (b"</ndm>", b"", 54, "not well-formed"),
        (b"</ndm>", b"</ndm><ndm/>", 53, "not well-formed"),
        (b"ISS<", b"&nothing;<", 11, "not well-formed"),
        (b"<ndm>", b"<ndm><oem/>", 4, "holds 2 OEM"),
        (b"oem", b"opm", 2, "<ndm> holds no OEM"),
        (b'version="2.0"', b'version="9.0"', 3, "version '9.0' is unknown"),
        (b' version="2.0"', b"", 3, "version '' is unknown"),
        (b"CCSDS_OEM_VERS", b"CCSDS_OPM_VERS", 3, "id 'CCSDS_OPM_VERS'"),
        (b"<body>", b"<body>stray", 8, "text 'stray' between the elements of <body>"),
        (b"<segment>", b"<user/><segment>", 9, "<user> where <segment> is expected"),
        (b"OBJECT_NAME", b"OBJECT_NOM", 11, "OBJECT_NOM is no keyword of OEM metadata"),
        (b"ISS<", b"ISS<b/><", 11, "element inside <OBJECT_NAME>"),
        (b"<stateVector>", b'<stateVector xmlns="urn:x">', 21, "element of namespace 'urn:x'"),
        (b'<X units="km">', b'<X units="m">', 23, "X is in 'm', expected 'km'"),
        (b'<X units="km">', b'<X unit="m">', 23, "<X> has a foreign attribute 'unit'"),
        (b"<Y units", b"<Y><b/></Y><Y units", 21, "state vector holds EPOCH, X, Y, Y"),
        (b"4482.28542", b"", 21, "'' is not a number"),
        (b"4482.28542", b"1 2", 21, "'1 2' is not a number"),
        (b"4482.28542", b"INF", 21, "'INF' is not a number"),
        (b"4482.28542", b"\xef\xbb\xbf1", 21, "is not a number"),
        (b"18:45:29.004<", b"18:40:29.004<", 30, "epoch is not after that of the state before"),
        (b"18:49:29.004</EPOCH>", b"18:59:29.004</EPOCH>", 39, "state after STOP_TIME"),
        (
            b"</stateVector>\n<",
            b"</stateVector>\n<stateVector><COMMENT>in</COMMENT></stateVector><",
            30,
            "holds COMMENT",
        ),
        (b"</stateVector>\n<", b"</stateVector>\n<user/><", 30, "<user> is no element of data"),
    ],
)
def test_a_violation_is_an_error_that_names_its_line(old, new, line, reason):
    content = xml()
    assert old in content

    line_found, reason_found = rejection(
        content.replace(old, new) if old in (b"oem", b"OBJECT_NAME") else content.replace(old, new, 1)
    )

    assert reason in reason_found
    assert line_found == line


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"states": []}, "segment has no states"),
        ({"states": [STATES[0] + " 0.1 0.2"]}, "state vector holds"),
        ({"version": "1.0", "states": WITH_ACCELERATION}, "accelerations came with version 2.0"),
        ({"version": "1.0", "after": COVARIANCE_MATRIX}, "covariances came with version 2.0"),
        (
            {"after": COVARIANCE_MATRIX + COVARIANCE_MATRIX.replace(">3<", ">4<")},
            "covariance is not after the one before",
        ),
        ({"after": COVARIANCE_MATRIX.replace("CY_X", "CX_Y")}, "at CX_Y"),
        ({"after": COVARIANCE_MATRIX.replace("<CZ_DOT_Z_DOT>21</CZ_DOT_Z_DOT>", "")}, "at its end"),
        ({"after": COVARIANCE_MATRIX.replace(">3<", ">three<")}, "'three' is not a number"),
        ({"after": COVARIANCE_MATRIX.replace("<CX_X>", '<CX_X units="m**2">')}, "CX_X is in 'm**2', expected 'km**2'"),
        ({"after": COVARIANCE_MATRIX + state_vector(STATES[0])}, "<stateVector> after <covarianceMatrix>"),
    ],
)
def test_data_out_of_place_is_named(change, reason):
    assert reason in rejection(xml(**change))[1]


@pytest.mark.parametrize(("opening", "closing"), [("<!--", "-->"), ("<COMMENT><![CDATA[", "]]></COMMENT>")])
def test_states_in_a_comment_are_not_states(opening, closing):
    hidden = f"{opening}{state_vector(STATES[0])}{closing}"
    content = xml(states=STATES[1:]).replace(b"<data>", b"<data>" + hidden.encode())

    issue = read_bytes(content, "a.xml")

    assert issue.states.num_rows == len(STATES) - 1
    assert [text for text in issue.comments if "stateVector" in text] == (
        [state_vector(STATES[0])] if "COMMENT" in opening else []
    )


def test_an_element_of_the_place_holder_s_name_is_no_way_in():
    hidden = f"<!-- {state_vector(STATES[0])} -->".encode()
    content = xml(states=[]).replace(b"<data>", hidden + b'<data><stateVector orbitlake-run="0"/>', 1)

    assert "state vector holds" in rejection(content)[1]
