"""How far SGP4 is off what was flown, beside what was planned: published elements and issues against later issues.

PYTHONPATH=plugins python -m orbitlake.trajectory.sgp4_errors FOLDER [--object-id 1998-067A] [--data ROOT]

FOLDER holds elements, TLE or OMM, as they were downloaded over time. The lake's prediction_error must be up to date.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orbitlake.lake import Lake
from orbitlake.lake.paths import PART
from orbitlake.physics.separation import separation
from orbitlake.settings import of_command_line
from orbitlake.tables import PREDICTION_ERROR
from orbitlake.trajectory.arcs import NO_ARC, SECOND_US, Micros
from orbitlake.trajectory.elements import Elements, from_teme, read_elements
from orbitlake.trajectory.error_pairs import errors_in
from orbitlake.trajectory.error_summary import DAY_S, summarise
from orbitlake.trajectory.issues import DAY_US, Issues
from orbitlake.trajectory.lake_issues import objects_of

OLDEST_US: Final = 15 * DAY_US
"""As far as NASA's issues predict."""
STEP_US: Final = 3600 * SECOND_US
FRAME: Final = "EME2000"


def sgp4_errors(issues: Issues, elements: Sequence[Elements]) -> pa.Table:
    """Return rows of prediction_error, where elements stand for the issue that predicted, at each hour that was flown.

    creation_date is the epoch of the elements, each of which were the newest then. burn_between is False throughout:
    elements tell of no burn. Only issues in EME2000 about Earth count.
    """
    parts = [PREDICTION_ERROR.schema.empty_table()]
    for number in range(len(issues.all)):
        parts += _against(issues, number, elements)
    return pa.concat_tables(parts)


def _against(issues: Issues, number: int, elements: Sequence[Elements]) -> Iterator[pa.Table]:
    issue = issues.all[number]
    first_us = -(-issue.start_tai_us // STEP_US) * STEP_US
    utc_us = np.arange(first_us, issue.creation_us, STEP_US, dtype=np.int64)
    flown = issues.path(number).state_at(utc_us.astype("datetime64[us]"))
    rows = np.flatnonzero((flown.arc != NO_ARC) & (flown.ref_frame == FRAME) & (flown.center_name == "EARTH"))
    utc_us, position_km, velocity_km_s = utc_us[rows], flown.position_km[rows], flown.velocity_km_s[rows]
    for each in elements if rows.size else []:
        at = np.flatnonzero((utc_us >= each.epoch_us) & (utc_us - each.epoch_us <= OLDEST_US))
        if at.size:
            shown_km = from_teme(FRAME, utc_us[at], each.states(utc_us[at])[0])
            apart = separation(shown_km, position_km[at], velocity_km_s[at])
            is_known = np.isfinite(apart.total_km)
            columns = ("radial_km", "in_track_km", "cross_track_km", "total_km", "in_track_s")
            told = {name: getattr(apart, name)[is_known] for name in columns}
            yield _rows(issues.object_id, each.epoch_us, issue.creation_us, utc_us[at][is_known], told)


def _rows(object_id: str, epoch_us: int, later_us: int, utc_us: Micros, told: dict[str, np.ndarray]) -> pa.Table:
    count = utc_us.size
    times = {"creation_date": np.full(count, epoch_us), "later_creation_date": np.full(count, later_us)}
    time_type = PREDICTION_ERROR.schema.field("epoch").type
    columns = {
        "object_id": pa.array([object_id] * count, pa.string()).dictionary_encode(),
        **{name: pa.array(us).cast(time_type) for name, us in (times | {"epoch": utc_us}).items()},
        "lead_s": (utc_us - epoch_us) / SECOND_US,
        **told,
        "burn_between": np.zeros(count, dtype=np.bool_),
        "drag_refitted": pa.nulls(count, pa.bool_()),
    }
    return pa.table([columns[name] for name in PREDICTION_ERROR.column_names], schema=PREDICTION_ERROR.schema)


def whatever_burns(errors: pa.Table) -> pa.Table:
    """Return rows of prediction_error as if there were no burns, to sum them all up together."""
    place = errors.column_names.index("burn_between")
    return errors.set_column(place, errors.field(place), pa.array(np.zeros(errors.num_rows, dtype=np.bool_)))


def comparison(shown: pa.Table, planned: pa.Table) -> str:
    """Return a table in Markdown of two sets of rows of prediction_error: medians by lead, with bounds and pairs.

    Both are judged by the same later issues: those that judge what was shown.
    """
    judges = pc.unique(shown.column("later_creation_date"))
    planned = planned.filter(pc.is_in(planned.column("later_creation_date"), judges))
    lines = ["| lead, days | SGP4, km | bounds | pairs | NASA, km | bounds | pairs |", "|---|---|---|---|---|---|---|"]
    found = [
        {(row["lead_from_s"], row["lead_to_s"]): row for row in summarise(whatever_burns(errors)).to_pylist()}
        for errors in (shown, planned)
    ]
    for span in sorted({*found[0], *found[1]}):
        cells = [cell for each in found for cell in _cells(each.get(span))]
        lines.append(f"| {span[0] / DAY_S:.0f} to {span[1] / DAY_S:.0f} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cells(row: dict[str, float] | None) -> tuple[str, str, str]:
    if row is None:
        return "", "", "0"
    return f"{row['p50_km']:.1f}", f"{row['p50_low_km']:.1f} to {row['p50_high_km']:.1f}", f"{row['n']}"


def main(lake: Lake, object_id: str, folder: Path) -> int:
    """Print the comparison; return 1 where the lake has no issue of the object."""
    issues = next((each for each in objects_of(lake) if each.object_id == object_id), None)
    if issues is None:
        print(f"no issue of {object_id} in {lake.root}", file=sys.stderr)
        return 1
    files = sorted(lake.object_folder(PREDICTION_ERROR, object_id).glob(f"*/{PART}"))
    print(comparison(sgp4_errors(issues, read_elements(folder, object_id)), errors_in(files)), end="")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of TLE or OMM files")
    parser.add_argument("--object-id", help="international designator (default: that of the settings)")
    parser.add_argument("--data", help="the data root (default: ORBITLAKE_DATA, else data/ in the checkout)")
    arguments = parser.parse_args()
    settings = of_command_line(arguments.data)
    sys.exit(main(Lake(settings.data), arguments.object_id or settings.object_id, arguments.folder))
