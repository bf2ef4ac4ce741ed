"""Whose numbers a data root holds, and that no other upstream takes it."""

import dataclasses
from pathlib import Path

import pytest

from orbitlake.settings import SettingError, from_environment
from orbitlake.upstream import MARKER, claim, held_by

SIMULATED = from_environment({"ORBITLAKE_UPSTREAM": "simulator"})


def test_a_root_of_real_tables_is_not_taken_by_a_simulation(tmp_path: Path):
    (tmp_path / "lake").mkdir()

    with pytest.raises(SettingError, match="holds tables of upstream 'live'"):
        claim(dataclasses.replace(SIMULATED, data=tmp_path))


def test_a_claimed_root_is_its_upstreams_once_it_holds_something_and_stays_so(tmp_path: Path):
    settings = dataclasses.replace(SIMULATED, data=tmp_path / "data")
    claim(settings, "replay of 2023")
    empty = held_by(settings.data)
    (settings.data / "raw").mkdir()
    claim(settings, "replay of 2023")

    assert empty is None
    assert held_by(settings.data) == "replay of 2023"
    with pytest.raises(SettingError, match="not 'simulator'"):
        claim(settings)


def test_mark_that_cannot_be_read_is_named(tmp_path: Path):
    (tmp_path / "lake").mkdir()
    (tmp_path / MARKER).write_text("")

    with pytest.raises(SettingError, match=MARKER):
        held_by(tmp_path)
