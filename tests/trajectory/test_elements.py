"""Mean elements from TLE and OMM, SGP4's states in the axes of the ephemeris, and their errors against flown states."""

from pathlib import Path

import numpy as np
import pytest
from tests.trajectory.audited import audited
from tests.trajectory.circles import circling

from orbitlake.tables import PREDICTION_ERROR
from orbitlake.trajectory.elements import Elements, from_teme, read_elements
from orbitlake.trajectory.sgp4_errors import comparison, sgp4_errors

VANGUARD = (
    "1 00005U 58002B   00179.78495062  .00000023  00000-0  28098-4 0  4753",
    "2 00005  34.2682 348.7242 1859667 331.7664  19.3264 10.82419157413667",
)
"""The example of AIAA 2006-6753 (Vallado et al., Revisiting Spacetrack Report 3), appendix C."""
TEME_AFTER_3_D = np.array([[-9060.47373569, 4658.70952502, 813.68673153, -2.232832783, -4.110453490, -3.157345433]])
J2000_AFTER_3_D = np.array([[-9059.9415225, 4659.6971226, 813.9577295, -2.233347694, -4.110136285, -3.157394196]])
"""By the paper's own code with all 106 terms of nutation, as Orekit's test of TEME has it."""
STATION = (
    "1 25544U 98067A   26189.73419088  .00005258  00000+0  10370-3 0  9999",
    "2 25544  51.6304 193.4497 0006669 272.1743  87.8481 15.48947664575097",
)
FIELDS = """
OBJECT_NAME = ISS (ZARYA)
OBJECT_ID = 1998-067A
MEAN_ELEMENT_THEORY = SGP4
EPOCH = 2026-07-08T17:37:14.092032
MEAN_MOTION = 15.48947664
ECCENTRICITY = .0006669
INCLINATION = 51.6304
RA_OF_ASC_NODE = 193.4497
ARG_OF_PERICENTER = 272.1743
MEAN_ANOMALY = 87.8481
EPHEMERIS_TYPE = 0
CLASSIFICATION_TYPE = U
NORAD_CAT_ID = 25544
ELEMENT_SET_NO = 999
REV_AT_EPOCH = 57509
BSTAR = .1037E-3
MEAN_MOTION_DOT = .5258E-4
MEAN_MOTION_DDOT = 0
"""
OMM = dict(line.split(" = ") for line in FIELDS.split("\n") if line)
"""The same as the TLE of the station."""
TWO_METRES_KM = 2e-3


def xml(fields: dict[str, str]) -> str:
    leaves = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    return f'<?xml version="1.0"?>\n<ndm><omm id="CCSDS_OMM_VERS"><body>{leaves}</body></omm></ndm>'


def kvn(fields: dict[str, str]) -> str:
    return "CCSDS_OMM_VERS = 2.0\n" + "".join(f"{name} = {value}\n" for name, value in fields.items())


def test_states_are_those_of_the_paper_in_teme_and_in_the_axes_of_j2000():
    elements = Elements.of_tle(*VANGUARD)
    at_us = np.array([elements.epoch_us + 3 * 86_400_000_000])
    states = elements.states(at_us)
    turned = [from_teme("EME2000", at_us, vectors) for vectors in states]

    assert elements.object_id == "1958-002B"
    np.testing.assert_allclose(np.hstack(states), TEME_AFTER_3_D, atol=1e-5)
    np.testing.assert_allclose(turned[0], J2000_AFTER_3_D[:, :3], atol=TWO_METRES_KM)
    np.testing.assert_allclose(turned[1], J2000_AFTER_3_D[:, 3:], atol=TWO_METRES_KM / 1000)


@pytest.mark.parametrize(
    "content", ["\r\n".join(("ISS (ZARYA)", *STATION)), xml(OMM), kvn(OMM)], ids=["tle", "xml", "kvn"]
)
def test_the_same_elements_are_read_from_each_format(tmp_path: Path, content):
    (tmp_path / "elements").write_text(content)
    (found,) = read_elements(tmp_path, "1998-067A")
    expected = Elements.of_tle(*STATION)

    assert abs(found.epoch_us - expected.epoch_us) <= 1
    np.testing.assert_allclose(
        found.states(np.array([found.epoch_us]))[0], expected.states(np.array([expected.epoch_us]))[0], atol=0.05
    )


def test_elements_of_others_fits_to_a_plan_and_other_files_are_left_out(tmp_path: Path):
    (tmp_path / "others.txt").write_text("\n".join(VANGUARD))
    (tmp_path / "fit.xml").write_text(xml(OMM | {"OBJECT_NAME": "ISS [Segment 01]"}))
    (tmp_path / "letter.txt").write_text("1 of these lines is no TLE")

    assert read_elements(tmp_path, "1998-067A") == []


def test_an_omm_without_a_field_is_named(tmp_path: Path):
    (tmp_path / "half.xml").write_text(xml({name: OMM[name] for name in ("OBJECT_ID", "EPOCH", "MEAN_ELEMENT_THEORY")}))

    with pytest.raises(ValueError, match=r"half\.xml"):
        read_elements(tmp_path, "1998-067A")


def test_elements_are_judged_at_whole_hours_that_were_flown_after_their_epoch():
    """The circles of the tests lie elsewhere: far off, but at these hours."""
    issues = audited(circling(0, -6, 12))
    epoch_us = issues.all[0].creation_us - 150 * 60_000_000
    model = Elements.of_tle(*STATION)
    found = sgp4_errors(issues, [Elements("1998-067A", epoch_us, model.model)])

    assert found.schema.equals(PREDICTION_ERROR.schema)
    assert found.column("lead_s").to_pylist() == [1800.0, 5400.0]
    assert comparison(found, PREDICTION_ERROR.schema.empty_table()).splitlines()[-1].startswith("| 0 to 1 | ")
