"""The tables of the ephemeris, prediction_bands and the file of places -> passes and approaches.

Each row follows from all issues that cover it, one after the other by creation. So the file of a place goes on from
where it was when the issues so far are those it was made of; else, as when an older issue arrives, it is made anew.
Both give the same bytes: what is kept between two issues are the rounded rows. A place that leaves the file of places
takes its own file with it.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orbitlake.lake import Lake
from orbitlake.lake.derived import Partition, Published, load_note, note_of, publish_partitions, source_digest
from orbitlake.lake.parquet import open_checked
from orbitlake.lake.paths import PART, folder_name
from orbitlake.passes.burn_plans import burns_differ_from_us
from orbitlake.passes.ground_approaches import approaches_of_issue
from orbitlake.passes.kinds import (
    OF_APPROACHES,
    OF_PASSES,
    Columns,
    Kind,
    columns_from,
    nothing_told,
    own_columns,
    rows_of,
)
from orbitlake.passes.places import Places, Point, Site
from orbitlake.passes.revisions import Teller, in_order, revise
from orbitlake.passes.site_passes import passes_of_issue
from orbitlake.passes.track import stretches_of
from orbitlake.tables import Table
from orbitlake.trajectory.arcs import SECOND_US
from orbitlake.trajectory.bands import Band, Bands
from orbitlake.trajectory.issues import Issues, utc_us_of
from orbitlake.trajectory.lake_arcs import bands_of
from orbitlake.trajectory.lake_issues import objects_of
from orbitlake.trajectory.states import Trajectory

RULES: Final = (
    *("passes/*.py", "trajectory/arcs.py", "trajectory/states.py", "trajectory/ground.py", "trajectory/bands.py"),
    *("trajectory/told_burns.py", "trajectory/issues.py", "physics/*.py", "tables.py", "digits.py"),
)
"""The sources that the tables follow from: with new ones all is made anew, and what stays equal is left as it is."""
STANDARD_MAGNITUDES: Final = {"1998-067A": -1.8}
"""At 1000 km, half lit: that of the ISS as Heavens-Above has it (its intrinsic magnitude)."""

Tell = Callable[[Sequence[Any], Trajectory, np.datetime64, np.datetime64], pa.Table]
"""Sites or points, the trajectory of one issue, and a span in UTC -> what that issue tells."""


def update_passes(lake: Lake, places: Places, *, refraction: bool = False, everything: bool = False) -> Published:
    """Bring passes up to date with issues, bounds of errors, and sites."""

    def tell_of(object_id: str) -> Tell:
        magnitude = STANDARD_MAGNITUDES.get(object_id)
        return partial(passes_of_issue, standard_magnitude=magnitude, refraction=refraction)

    return _update(lake, OF_PASSES, places.sites, tell_of, f"refraction={refraction}", everything)


def update_approaches(lake: Lake, places: Places, *, everything: bool = False) -> Published:
    """Bring approaches up to date with issues, bounds of errors, and points."""
    return _update(lake, OF_APPROACHES, places.points, lambda _: approaches_of_issue, "", everything)


def _update(
    lake: Lake,
    kind: Kind,
    places: Sequence[Site | Point],
    tell_of: Callable[[str], Tell],
    rule: str,
    everything: bool,
) -> Published:
    note = note_of_table(lake, kind.table)
    partitions = _partitions(lake, kind, places, tell_of, rule, None if everything else note)
    return publish_partitions(lake, kind.table, partitions, note, everything=everything)


def note_of_table(lake: Lake, table: Table) -> Path:
    """Return the file that remembers what a table was made from; each new issue changes it."""
    return lake.checkpoints / "predict_passes" / f"{table.name}.json"


def _partitions(
    lake: Lake,
    kind: Kind,
    places: Sequence[Site | Point],
    tell_of: Callable[[str], Tell],
    rule: str,
    note: Path | None,
) -> Iterator[Partition]:
    # Read when the first one is asked for: by then nobody else is at work on the table.
    noted = load_note(note) if note else {}
    for issues in objects_of(lake):
        history = History(issues, bands_of(lake, issues.object_id), tell_of(issues.object_id), kind)
        for place in places:
            file = lake.object_folder(kind.table, issues.object_id) / f"{kind.place}={folder_name(place.name)}" / PART
            history.take(place, file, f"{rule} {place!r}", note_of(noted, lake, file))
        for place, file, inputs in history.files:
            yield Partition(file, inputs, partial(history.rows, place))


class History:
    """What the issues of an object tell of places, one after the other: all places that need an issue at once."""

    def __init__(self, issues: Issues, bands: Bands, tell: Tell, kind: Kind) -> None:
        self._issues, self._bands, self._tell, self._kind = issues, bands, tell, kind
        self.files: list[tuple[Site | Point, Path, str]] = []
        self._from: dict[Site | Point, tuple[int, Path]] = {}
        self._made: dict[Site | Point, pa.Table] = {}
        self._signs = [_digest(issue.sign, *_texts(bands.before(issue.creation_us))) for issue in issues.all]

    def take(self, place: Site | Point, file: Path, rule: str, known: str | None) -> None:
        """Take a place into account, with its file, the rule it is made by, and what the file was made from."""
        chain = self._chain(rule)
        self.files.append((place, file, chain[-1]))
        resumed = chain.index(known) if known in chain else 0
        self._from[place] = resumed, file

    def rows(self, place: Site | Point) -> pa.Table:
        """Return the rows of a place."""
        if place not in self._made:
            self._make(place)
        return self._made[place]

    def _chain(self, rule: str) -> list[str]:
        """Return what the rows after 0, 1 ... n issues follow from."""
        chain = [_digest(source_digest(RULES), self._kind.table.name, rule)]
        for sign in self._signs:
            chain.append(_digest(chain[-1], sign))
        return chain

    def _make(self, asked: Site | Point) -> None:
        """Make the rows of one place, and of all others that an issue is news for."""
        count = len(self._issues.all)
        waiting = {place: start for place, (start, _) in self._from.items() if start < count or place == asked}
        columns = {place: self._standing(place) for place in waiting}
        for number in range(min(waiting.values(), default=count), count):
            due = [place for place, start in waiting.items() if start <= number]
            told = self._told(number, due)
            teller = self._teller(number)
            for place in due:
                columns[place] = revise(self._kind, columns[place], told[place], teller)
        for place, of_place in columns.items():
            self._made[place] = rows_of(self._kind, of_place, self._issues.object_id, place.name)

    def _standing(self, place: Site | Point) -> Columns:
        start, file = self._from[place]
        # A place where nothing passes has no file.
        if not start or not file.is_file():
            return nothing_told(self._kind)
        with open_checked(file, self._kind.table) as opened:
            return in_order(self._kind, columns_from(opened.read(own_columns(self._kind))))

    def _told(self, number: int, places: Sequence[Site | Point]) -> dict[Site | Point, Columns]:
        issue = self._issues.all[number]
        since, until = utc_us_of(np.array([issue.start_tai_us, issue.stop_tai_us + SECOND_US])).astype("datetime64[us]")
        rows = self._tell(places, Trajectory(issue.arcs, self._bands), since, until)
        names = rows.column(self._kind.place).cast(pa.string())
        return {
            place: columns_from(rows.filter(pc.equal(names, place.name)).select(self._kind.told)) for place in places
        }

    def _teller(self, number: int) -> Teller:
        issue = self._issues.all[number]
        by_creation = {each.creation_us: each for each in self._issues.all}

        def burns_differ_us(created_us: int) -> int:
            return burns_differ_from_us(by_creation[created_us], issue)

        covered_tai_us = np.array(stretches_of(issue.arcs), dtype=np.int64)
        return Teller(issue.creation_us, utc_us_of(covered_tai_us), burns_differ_us)


def _texts(bands: tuple[Band, Band]) -> list[str]:
    """Return bounds as texts that differ where they do."""
    return [getattr(band, name).tobytes().hex() for band in bands for name in band.__slots__]


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
