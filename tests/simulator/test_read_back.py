"""What the simulator writes, the reader of the lake reads: states, nodes, events and the burn."""

from datetime import UTC, date, datetime

import numpy as np
import pytest

from orbitlake.oem import Issue, read_bytes
from orbitlake.simulator import issues
from orbitlake.simulator.nasa_layout import OemFormat, write_issue
from orbitlake.simulator.station import BURN_DELTA_V_M_S, BURN_DURATION_S, station

FRIDAY = date(2026, 11, 20)
NEW_YEAR = date(2026, 12, 25)
IGNITION = datetime(2026, 11, 26, 5, 37, tzinfo=UTC)
STATE_COLUMNS = ("x_km", "y_km", "z_km", "vx_km_s", "vy_km_s", "vz_km_s")
TWELVE_DECIMALS_KM = 1e-12
DRAG_OVER_A_BURN_M_S = 0.002
ONE_METRE_DEG = 1e-5


def read_back(form: OemFormat, day: date = FRIDAY) -> Issue:
    return read_bytes(write_issue(issues.issue_of(station(), day), form), f"simulated.{form}")


def column(issue: Issue, name: str) -> np.ndarray:
    return issue.states.column(name).to_numpy()


def test_text_and_xml_read_to_the_same_issue():
    text, xml = read_back(OemFormat.KVN), read_back(OemFormat.XML)

    assert (text.object_id, text.creation_date) == (xml.object_id, xml.creation_date)
    assert text.events.equals(xml.events)
    assert np.array_equal(column(text, "epoch"), column(xml, "epoch"))
    for name in STATE_COLUMNS:
        np.testing.assert_allclose(column(text, name), column(xml, name), rtol=0, atol=TWELVE_DECIMALS_KM)


@pytest.mark.parametrize("form", list(OemFormat))
@pytest.mark.parametrize("day", [FRIDAY, NEW_YEAR])
def test_an_issue_reads_without_a_warning(form: OemFormat, day: date):
    issue = read_back(form, day)

    assert issue.object_id == "1998-067A"
    assert issue.creation_date.date() == day
    assert issue.warnings == ()
    assert issue.states.num_rows == len(issues.issue_of(station(), day).epochs_utc)
    assert issue.facts.mass_kg == 473_832.0


@pytest.mark.parametrize("form", list(OemFormat))
def test_the_burn_is_found_with_its_ignition_and_delta_v(form: OemFormat):
    episodes = read_back(form).episodes.to_pylist()

    assert len(episodes) == 1
    (burn,) = episodes
    assert burn["ignition_time"] == IGNITION
    assert burn["two_second_rows"] == 561
    assert burn["duration_s"] == BURN_DURATION_S
    assert burn["event_names"] == ["GMT 330 ISS Reboost"]
    assert burn["event_delta_v_m_s"] == BURN_DELTA_V_M_S
    assert burn["delta_v_m_s"] == pytest.approx(BURN_DELTA_V_M_S, abs=DRAG_OVER_A_BURN_M_S)
    assert burn["delta_v_intrack_m_s"] == pytest.approx(BURN_DELTA_V_M_S, abs=DRAG_OVER_A_BURN_M_S)


def test_events_across_new_year_keep_their_years():
    events = read_back(OemFormat.KVN, NEW_YEAR).events.to_pylist()
    planned = issues.issue_of(station(), NEW_YEAR).events

    assert [event["event_name"] for event in events] == [event.name for event in planned]
    ignitions = [np.datetime64(event["ignition_time"].replace(tzinfo=None), "us") for event in events]
    assert ignitions == [event.ignition_utc for event in planned]
    assert {event["ignition_time"].year for event in events} == {2026, 2027}


def test_the_reader_places_the_states_where_the_station_flew():
    issue = read_back(OemFormat.KVN)
    itrs_km, _ = station().itrs_states(issues.issue_of(station(), FRIDAY).epochs_utc)

    longitude_deg = np.rad2deg(np.arctan2(itrs_km[:, 1], itrs_km[:, 0]))
    np.testing.assert_allclose(column(issue, "longitude_deg"), longitude_deg, rtol=0, atol=ONE_METRE_DEG)
