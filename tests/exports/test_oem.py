"""An exported OEM prints what the issue's own file prints, digit by digit, and other readers read the same from it."""

import gzip
import re
from contextlib import suppress
from pathlib import Path

import ccsds_ndm
import numpy as np
import pytest
from tests.exports.flown import simulated
from tests.oem.sample_oem import COVARIANCE, METADATA, STATES, kvn, segment, xml

from orbitlake.exports import Ephemeris, to_oem
from orbitlake.exports.oem import FORMS
from orbitlake.oem import OemError
from orbitlake.oem.reader import unpacking
from orbitlake.oem.reader.message import Message
from orbitlake.oem.reader.read import parse
from orbitlake.simulator.nasa_layout import OemFormat

STATE_TAGS = "EPOCH|[XYZ](?:_D?DOT)?"
XML_WORD = re.compile(rf"<(?:{STATE_TAGS}|C[XYZ]_\w+)(?: units=\"[^\"]*\")?>\s*([^<]*?)\s*<")
KVN_EPOCH = re.compile(r"EPOCH\s*=\s*(\S+)")
KVN_METADATA = re.compile(r"META_START.*?META_STOP", re.DOTALL)
HEADER = ("COMMENT of the header", "CREATION_DATE = 2023-03-24T22:55:31.604", "ORIGINATOR = A & B <JSC>")
ACCELERATED = [f"{state} 0.10 -0.0020 3.0e-3" for state in STATES]
COMMENTED = (
    *("COVARIANCE_START", "COMMENT of the first"),
    *(*COVARIANCE[1:-1], "COMMENT of the second", "EPOCH = 2023-03-24T18:45:29.004", "COV_REF_FRAME = RTN"),
    *(*COVARIANCE[2:-1], "COMMENT at the end", "COVARIANCE_STOP", "COMMENT after all"),
)
RICH = kvn(
    header=HEADER,
    comments=["", "  of the <data>, indented & odd", "MASS=1"],
    states=ACCELERATED,
    after=[
        *COMMENTED,
        *segment({"REF_FRAME": "GCRF", "INTERPOLATION": "HERMITE", "INTERPOLATION_DEGREE": "7"}, ["of segment 2"]),
    ],
)
"""Everything that a message can hold, epochs and numbers in odd digits."""


def printed(content: bytes) -> list[str]:
    """Return every epoch and number of states and covariances, as a file prints them, found by pattern alone."""
    text = content.decode()
    if text.lstrip().startswith("<"):
        return XML_WORD.findall(text)
    words: list[str] = []
    for line in KVN_METADATA.sub("", text).splitlines():
        if found := KVN_EPOCH.match(line):
            words.append(found[1])
        elif re.match(r"\s*[-+.\d]", line):
            words += re.sub(r"\[\S+\]", "", line).split()
    return words


def exported(content: bytes, form: str) -> bytes:
    return bytes(to_oem(Ephemeris.of_bytes(content, "file"), form))


def said(message: Message) -> list[object]:
    """Return what a message says, to the bit, but for where it stands."""
    header = message.header
    segments = [
        [
            [segment.metadata.section.optional(keyword) for keyword in ("OBJECT_NAME", "CENTER_NAME", "STOP_TIME")],
            [segment.metadata.interpolation, segment.metadata.interpolation_degree, segment.metadata.ref_frame],
            segment.epoch_tai_us.tolist(),
            segment.states.position_velocity_km_s.tolist(),
            # As text: a state may lack what others have, and no NaN equals another.
            str(None if segment.states.acceleration_km_s2 is None else segment.states.acceleration_km_s2.tolist()),
            [(each.epoch_tai_us, each.ref_frame, each.lower_triangle) for each in segment.covariances],
        ]
        for segment in message.segments
    ]
    return [header.version, header.created_us, header.originator, header.message_id, message.comments, segments]


def differences(content: bytes, name: str) -> list[str]:
    """Say where exports of a file differ from it: word by word, read by us, and read by ccsds-ndm-py."""
    text = unpacking.unpack(content, name)
    original, ephemeris = parse(text, name), Ephemeris.of_bytes(content, name)
    found = []
    for form in FORMS:
        export = bytes(to_oem(ephemeris, form))
        if printed(export) != printed(text):
            found.append(f"{name} as {form} prints other words")
        if said(parse(export, name)) != said(original):
            found.append(f"{name} as {form} reads otherwise")
        read = [once(segment.data.state_vector_numpy) for segment in ccsds_ndm.from_str(export.decode()).segments]
        if not all(map(np.array_equal, read, position_velocity(original))) or len(read) != len(original.segments):
            found.append(f"{name} as {form} reads otherwise to ccsds-ndm-py")
    return found


def once(states: np.ndarray) -> np.ndarray:
    """Return positions and velocities without those that repeat the one before: a state may stand twice in a file."""
    rows = states[:, :6]
    return rows[np.append(True, (rows[1:] != rows[:-1]).any(axis=1))]


def position_velocity(message: Message) -> list[np.ndarray]:
    return [segment.states.position_velocity_km_s for segment in message.segments]


def read_by_oem(export: bytes, folder: Path) -> list[np.ndarray]:
    """Return the states that the package oem reads, a segment each."""
    # It brings astropy along, which every worker would load to collect this file.
    import oem

    (folder / "export").write_bytes(export)
    read = oem.OrbitEphemerisMessage.open(folder / "export")
    return [np.array([(*state.position, *state.velocity) for state in segment.states]) for segment in read.segments]


@pytest.mark.parametrize("form", OemFormat)
def test_exports_print_and_say_what_a_simulated_issue_does(form: OemFormat):
    assert differences(simulated(form), "file") == []


@pytest.mark.parametrize("content", [RICH, xml(comments=["a &lt; b", " c"])])
def test_exports_print_and_say_what_the_file_does(content: bytes):
    assert differences(content, "file") == []


def test_rich_file_has_all_that_the_tests_look_at():
    message = parse(RICH, "rich")

    assert len(printed(RICH)) == 3 * 10 + 2 * 22 + 3 * 7
    assert [len(segment.covariances) for segment in message.segments] == [2, 0]
    assert len(message.comments) == 9
    assert message.segments[0].states.acceleration_km_s2 is not None


def test_export_of_an_export_is_the_same_in_either_notation():
    first = {form: exported(RICH, form) for form in FORMS}

    for source in FORMS:
        for form in FORMS:
            assert exported(first[source], form) == first[form]


def test_text_in_nasas_layout_comes_out_byte_for_byte():
    assert exported(simulated(), "kvn") == simulated().replace(b"\r\n", b"\n")


@pytest.mark.parametrize("form", FORMS)
def test_package_oem_reads_the_same_states(form: str, tmp_path: Path):
    for content in (simulated(), simulated(OemFormat.XML)):
        theirs = read_by_oem(exported(content, form), tmp_path)

        assert all(map(np.array_equal, theirs, position_velocity(parse(content, "simulated"))))


def test_what_stands_at_an_odd_place_is_moved_to_its_own():
    metadata = [
        "REF_FRAME = EME2000",
        "COMMENT amid",
        *(f"{key} = {METADATA[key]}" for key in METADATA if key != "REF_FRAME"),
    ]
    lines = [
        "CCSDS_OEM_VERS = 2.0",
        *HEADER[1:],
        "META_START",
        *metadata,
        "META_STOP",
        STATES[0],
        "comment late",
        *STATES[1:],
    ]
    export = exported("\n".join(lines).encode(), "kvn").decode().splitlines()

    start = export.index("META_START")
    assert export[start + 1] == "COMMENT amid"
    assert [line.split()[0] for line in export[start + 2 : start + 9]] == list(METADATA)
    assert export[export.index("META_STOP") + 2] == "COMMENT late"


def test_lines_of_an_xml_comment_become_comments():
    assert b"\nCOMMENT one\nCOMMENT two\n" in exported(xml(comments=["one\ntwo"]), "kvn")


def test_value_beyond_ascii_fits_into_xml_alone():
    content = xml(metadata={"OBJECT_NAME": "Звезда"})

    assert "<OBJECT_NAME>Звезда</OBJECT_NAME>" in exported(content, "xml").decode()
    with pytest.raises(ValueError, match="OBJECT_NAME 'Звезда' holds more than printable ASCII"):
        exported(content, "kvn")


def test_one_of_several_messages_is_exported_by_its_number():
    both = xml().replace(b"</ndm>", xml(metadata={"OBJECT_NAME": "SECOND"}).partition(b"<ndm>")[2])
    export = to_oem(Ephemeris.of_bytes(both, "both", message=1))

    assert b"OBJECT_NAME          = SECOND" in bytes(export)
    assert export.file_name == "SECOND_1998-067A_20230324T225531Z.oem.kvn"
    with pytest.raises(OemError, match="holds 2 OEM"):
        Ephemeris.of_bytes(both, "both")


@pytest.mark.real
@pytest.mark.parametrize("each", [9, pytest.param(1, marks=pytest.mark.long)])
def test_real_files_of_the_station_are_exported_word_for_word(real_data: Path, each: int):
    files = sorted((real_data / "oem" / "iss").iterdir())
    found = [difference for file in files[::each] for difference in differences(file.read_bytes(), file.name)]

    assert len(files) >= 80
    assert found == []


@pytest.mark.real
def test_real_texts_come_out_byte_for_byte(real_data: Path):
    for file in sorted((real_data / "oem" / "iss").glob("*.txt.gz"))[::6]:
        text = gzip.decompress(file.read_bytes()).replace(b"\r\n", b"\n")

        assert exported(text, "kvn") == text.rstrip(b"\n") + b"\n", file.name


@pytest.mark.real
@pytest.mark.parametrize("form", FORMS)
def test_package_oem_reads_the_same_states_of_real_files(real_data: Path, form: str, tmp_path: Path):
    for file in sorted((real_data / "oem" / "iss").iterdir())[::27]:
        theirs = read_by_oem(exported(file.read_bytes(), form), tmp_path)

        assert all(map(np.array_equal, theirs, position_velocity(parse(gzip.decompress(file.read_bytes()), file.name))))


@pytest.mark.real
def test_other_real_files_are_exported_word_for_word(real_data: Path):
    found, count = [], 0
    for file in sorted((real_data / "oem" / "other").iterdir()):
        # Some break rules; those cannot be read at all.
        with suppress(OemError):
            found += differences(file.read_bytes(), file.name)
            count += 1

    assert count >= 40
    assert found == []
