"""Fitted elements: SGP4 follows the ephemeris by them, and what is printed reads back the same to other readers."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import ccsds_ndm
import numpy as np
import pytest
from sgp4 import omm
from sgp4.api import Satrec
from sgp4.io import fix_checksum
from tests.exports.flown import flown, simulated

from orbitlake.exports import Ephemeris, Export, fit, to_omm, to_tle
from orbitlake.exports.elements import UNIX_EPOCH, tle_lines
from orbitlake.oem.reader.errors import OemError
from orbitlake.trajectory.element_fit import in_teme
from orbitlake.trajectory.elements import Elements, sgp4_states
from orbitlake.trajectory.fitted_elements import EPOCH_GRAIN_US, FitError, FittedElements, fit_elements

STATION = (
    "1 25544U 98067A   26189.73419088  .00000000  00000+0  10370-3 0  999",
    "2 25544  51.6304 193.4497 0006669 272.1743  87.8481 15.48947664    0",
)
GEOSTATIONARY = (
    "1 28884U 05041A   26189.50000000  .00000000  00000+0  00000+0 0  999",
    "2 28884   0.0500  90.2000 0002500  45.1000 200.3000  1.00271000    0",
)
MOLNIYA = (
    "1 40296U 14069A   26189.25000000  .00000000  00000+0  00000+0 0  999",
    "2 40296  63.4000 120.0000 7100000 270.0000  10.0000  2.00600000    0",
)
SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
ONE_KILOMETRE_KM = 1.0
ROUNDED_KM = 0.03
"""What the last digits of a TLE's angles, 1e-4 deg, can do to a low orbit."""
BURN = datetime(2026, 11, 26, 5, 37, tzinfo=UTC)


def text_of(export: Export) -> str:
    return bytes(export).decode()


def refitted(lines: tuple[str, str], hours: float) -> FittedElements:
    """Return what is fitted to the states that SGP4 itself makes of a TLE."""
    elements = Elements.of_tle(*lines)
    epoch_us = round(elements.epoch_us / EPOCH_GRAIN_US) * EPOCH_GRAIN_US
    utc_us = epoch_us + np.arange(-hours / 2 * 60, hours / 2 * 60 + 1, dtype=np.int64) * 60 * SECOND_US
    return fit_elements(epoch_us, utc_us, *elements.states(utc_us))


@pytest.mark.parametrize(
    ("lines", "hours"), [(STATION, 24), (GEOSTATIONARY, 48), (MOLNIYA, 48)], ids=["station", "geostationary", "molniya"]
)
def test_elements_that_made_the_states_are_found_again(lines: tuple[str, str], hours: float):
    found, made = refitted(lines, hours), Satrec.twoline2rv(*lines)

    assert found.rms_km < ROUNDED_KM * (42_000 / 6_800 if made.no_kozai < 0.03 else 1)
    assert found.mean_motion_rev_d == pytest.approx(made.no_kozai * 720 / np.pi, abs=2e-6)
    assert found.eccentricity == pytest.approx(made.ecco, abs=2e-7)
    assert found.inclination_deg == pytest.approx(np.degrees(made.inclo), abs=2e-4)
    assert found.bstar == pytest.approx(made.bstar, abs=2e-6)


def test_sgp4_stays_within_a_kilometre_of_the_issue_for_a_day_and_says_how_near():
    elements = fit(flown())
    (arc,) = flown().arcs
    near_us = elements.epoch_us + np.arange(-3 * 60, 3 * 60 + 1) * 60 * SECOND_US
    off_km = np.linalg.norm(sgp4_states(elements.model, near_us)[0] - in_teme(arc, near_us)[0], axis=1)

    assert (elements.stop_us - elements.start_us) == 24 * HOUR_US
    assert np.sqrt(np.mean(off_km**2)) < ONE_KILOMETRE_KM
    assert 0 < elements.rms_km < ONE_KILOMETRE_KM
    assert elements.rms_km < elements.worst_km


@pytest.mark.real
@pytest.mark.parametrize("hours", [6.0, 24.0])
def test_sgp4_stays_within_a_kilometre_of_real_issues(real_data: Path, hours: float):
    files = sorted((real_data / "oem" / "iss").iterdir())[::8]
    rms_km = [fit(Ephemeris.of_file(file), hours=hours).rms_km for file in files]

    assert len(rms_km) >= 10
    assert max(rms_km) < ONE_KILOMETRE_KM


def test_lines_keep_the_rules_of_a_tle():
    name, *lines = text_of(to_tle(flown())).splitlines()

    assert name == "ISS"
    assert [len(line) for line in lines] == [69, 69]
    assert [line[:7] for line in lines] == ["1 25544", "2 25544"]
    assert lines[0][9:17] == "98067A  "
    for line in lines:
        assert int(line[68]) == sum(int(sign) if sign.isdigit() else sign == "-" for sign in line[:68]) % 10


@pytest.mark.parametrize("lines", [STATION, GEOSTATIONARY, MOLNIYA])
def test_elements_of_a_tle_are_printed_as_that_tle(lines: tuple[str, str]):
    made = Satrec.twoline2rv(*lines)
    angles = (made.inclo, made.nodeo, made.argpo, made.mo)
    elements = FittedElements(
        Elements.of_tle(*lines).epoch_us // EPOCH_GRAIN_US * EPOCH_GRAIN_US,
        round(made.no_kozai * 720 / np.pi, 8),
        made.ecco,
        *(round(float(np.degrees(angle)), 4) for angle in angles),
        made.bstar,
        *(0.0, 0.0, 0, 0),
    )

    designator = f"20{made.intldesg[:2]}-{made.intldesg[2:]}".replace("2098", "1998")
    assert tle_lines(elements, designator, made.satnum) == tuple(fix_checksum(line) for line in lines)


@pytest.mark.parametrize(
    ("bstar", "printed"), [(-1.1606e-5, "-11606-4"), (0.0, " 00000+0"), (1.0370e-4, " 10370-3"), (0.25, " 25000+0")]
)
def test_drag_has_its_exponent_behind_it(bstar: float, printed: str):
    first, _ = tle_lines(replace(fit(flown()), bstar=bstar), "1998-067A", 25544)

    assert first[53:61] == printed


def test_omm_and_tle_say_the_same_to_sgp4_and_to_ccsds_ndm():
    ephemeris, elements = flown(), fit(flown())
    at_us = elements.epoch_us + np.arange(0, 24) * HOUR_US
    expected = sgp4_states(elements.model, at_us)[0]
    (fields,) = omm.parse_xml(io.StringIO(text_of(to_omm(ephemeris, elements, "xml"))))
    by_omm = Satrec()
    omm.initialize(by_omm, fields)
    by_tle = Satrec.twoline2rv(*text_of(to_tle(ephemeris, elements)).splitlines()[1:])
    kvn = ccsds_ndm.from_str(text_of(to_omm(ephemeris, elements)))
    xml = ccsds_ndm.from_str(text_of(to_omm(ephemeris, elements, "xml")))

    for model in (by_omm, by_tle):
        np.testing.assert_allclose(sgp4_states(model, at_us)[0], expected, atol=1e-5)
    assert kvn.to_str("kvn") == xml.to_str("kvn")
    assert kvn.validate() is None


@pytest.mark.parametrize("form", ["kvn", "xml"])
def test_omm_tells_how_it_was_made_and_how_good_it_is(form: str):
    elements = fit(flown())
    text = text_of(to_omm(flown(), elements, form, created=datetime(2026, 11, 20, 18, tzinfo=UTC)))

    assert f"SGP4 is off these positions by {elements.rms_km:.3f} km (RMS), {elements.worst_km:.3f} km at most" in text
    assert "Fitted to the ephemeris of 2026-11-20" in text
    assert "2026-11-20T18:00:00.000" in text
    assert "25544" in text


def test_epoch_keeps_away_from_burns():
    half = timedelta(hours=3)
    with pytest.raises(FitError, match="a burn or an end of the states lies within 3 h of that epoch") as caught:
        fit(flown(), BURN + timedelta(hours=1), hours=6)
    nearest = datetime.fromisoformat(str(caught.value).rpartition(" ")[2])
    elements = fit(flown(), nearest + timedelta(seconds=1), hours=6)

    assert abs(nearest - BURN) >= half
    assert UNIX_EPOCH + timedelta(microseconds=elements.start_us) >= BURN


def test_what_cannot_be_fitted_says_why():
    content = simulated()
    for old, new, reason in (
        (b"CENTER_NAME          = Earth", b"CENTER_NAME          = Mars", "without a burn"),
        (b"REF_FRAME            = EME2000", b"REF_FRAME            = MCI", "MCI cannot be turned to TEME"),
    ):
        ephemeris = Ephemeris.of_bytes(content.replace(old, new), "odd")
        with pytest.raises(FitError, match=reason):
            fit(ephemeris)
    with pytest.raises(FitError, match="no 4800 h of states"):
        fit(flown(), hours=4800)


def test_catalogue_number_is_told_or_left_out_and_never_made_up():
    other = Ephemeris.of_bytes(simulated().replace(b"1998-067-A", b"2021-035-A"), "other")
    elements = fit(other)

    assert "NORAD_CAT_ID" not in text_of(to_omm(other, elements))
    assert "NORAD_CAT_ID        = 100123" in text_of(to_omm(other, elements, catalogue_number=100123))
    assert text_of(to_tle(other, elements, catalogue_number=48274)).splitlines()[1].startswith("1 48274U 21035A   26")
    with pytest.raises(ValueError, match="the catalogue number of 2021-035A is not known"):
        to_tle(other, elements)
    with pytest.raises(ValueError, match="catalogue number 100123 does not fit into a TLE"):
        to_tle(other, elements, catalogue_number=100123)
    with pytest.raises(ValueError, match="UNKNOWN is no international designator"):
        tle_lines(elements, "UNKNOWN", 5)


def test_unreadable_file_is_no_ephemeris():
    with pytest.raises(OemError):
        Ephemeris.of_bytes(b"CCSDS_OEM_VERS = 9.0", "bad")
