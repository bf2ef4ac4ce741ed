"""Any recording: each gap longer than three intervals is found with its very edges, and none is made up.

ORBITLAKE_GAP_PATTERNS sets how many are tried, 10,000 is the full run; each is made from its own number, which a
failure names, from ORBITLAKE_GAP_FIRST_SEED on.
"""

import os
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.audit.gaps import files_written, gaps_of
from tests.audit.patterns import ISS, Pattern, published, put

from orbitlake.audit import update
from orbitlake.lake import Lake

PATTERNS = int(os.environ.get("ORBITLAKE_GAP_PATTERNS", "200"))
FIRST = int(os.environ.get("ORBITLAKE_GAP_FIRST_SEED", "0"))
AT_ONCE = 50


@pytest.mark.parametrize("first", range(FIRST, FIRST + PATTERNS, AT_ONCE))
def test_every_gap_is_found_with_its_edges_and_none_is_made_up(first):
    for seed in range(first, min(first + AT_ONCE, FIRST + PATTERNS)):
        pattern = Pattern(seed)
        with TemporaryDirectory() as root:
            lake = Lake(Path(root))
            put(lake, pattern.files())
            update(lake, ISS, pattern.now)
            found = gaps_of(lake)

            expected = pattern.expected()
            assert [(gap["start_time"], gap["end_time"]) for gap in found] == [gap[:2] for gap in expected], seed
            causes = [
                (gap["cause"], cause) for gap, (_, _, cause) in zip(found, expected, strict=True) if cause is not None
            ]
            assert [found for found, _ in causes] == [cause for _, cause in causes], seed


@pytest.mark.parametrize("seed", range(FIRST, FIRST + PATTERNS // 5))
def test_whatever_comes_when_the_files_are_those_of_one_update_over_all(seed, tmp_path):
    pattern, chance = Pattern(seed), random.Random(seed)
    files = pattern.files()
    lake, once = Lake(tmp_path / "lake"), Lake(tmp_path / "once")
    names = sorted(files, key=lambda _: chance.random())
    for number, name in enumerate(names):
        if not name.endswith(".gz") and chance.random() < 0.7:
            put(lake, {name: files[name][: chance.randrange(len(files[name]))]})
            update(lake, ISS, pattern.now)
        put(lake, {name: files[name]})
        if number == len(names) - 1 or chance.random() < 0.7:
            update(lake, ISS, pattern.now)
    put(once, files)
    update(once, ISS, pattern.now)

    assert published(lake.root) == published(once.root)
    assert files_written(update(lake, ISS, pattern.now)) == {"coverage": 0, "gaps": 0}
