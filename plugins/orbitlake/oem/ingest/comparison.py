"""Two files of one issue side by side, as Markdown for a person who says which of them holds.

Whatever comes from a file is shown inert, as code: no link, no HTML, no picture, no line of a table.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypedDict

import numpy as np
import pyarrow as pa

from orbitlake.lake import Lake
from orbitlake.lake.parquet import in_order
from orbitlake.lake.paths import folder_name
from orbitlake.oem.ingest.conflicts import Conflict, QuarantinedFile, SettleError, entry_named, shown_of
from orbitlake.oem.ingest.decisions import Decision
from orbitlake.oem.ingest.outcome import iso_utc
from orbitlake.oem.ingest.sameness import DERIVED, OF_THE_DELIVERY, OF_THE_NOTATION
from orbitlake.oem.ingest.staged_issue import row_of, tables_of
from orbitlake.tables import OEM_ISSUES, OEM_SEGMENTS, STATE_VECTORS, TRAJECTORY_EVENTS, Table

KEEP: Final = "Keep the one in the lake"
TAKE: Final = "Take the new one"
LONGEST_VALUE: Final = 120
LONGEST_REASON: Final = 400
MOST_ROWS: Final = 20
"""Of a list of differences; what is more is counted."""
MOST_CONFLICTS: Final = 5
METRES_PER_KM: Final = 1000.0
HEADING: Final = ("| | in the lake | new |", "|---|---|---|")
EVENT_COLUMNS: Final = ("event_name", "ignition_time", "delta_v_m_s", "apogee_height_km", "perigee_height_km")


class Question(TypedDict):
    """What a person is asked about a file of `quarantine/`, and the digests of the files that are shown."""

    file: str
    subject: str
    body: str
    shown: list[str]


def question_about(lake: Lake, name: str) -> Question:
    """Return what a person is asked about a file of `quarantine/`. Raises SettleError where there is nothing to ask."""
    entry = entry_named(name, lake)
    file = QuarantinedFile.read(entry)
    conflicts = file.conflicts(lake)
    if not conflicts:
        raise SettleError(f"{entry.name} contradicts nothing in the lake: there is nothing to decide")
    return Question(
        file=entry.name,
        subject=subject_of(conflicts),
        body=body_of(lake, file, conflicts),
        shown=shown_of(file, conflicts),
    )


def subject_of(conflicts: Sequence[Conflict]) -> str:
    """Return the question in one line, of characters that mean nothing to Markdown but themselves."""
    first = conflicts[0].issue
    more = f" (and {len(conflicts) - 1} more)" if conflicts[1:] else ""
    # The id as its folder is named: percent-encoded, in ASCII.
    return f"Which file holds: {folder_name(first.object_id)}, issue of {first.creation_date:%Y-%m-%d %H:%M:%S}{more}?"


def body_of(lake: Lake, file: QuarantinedFile, conflicts: Sequence[Conflict]) -> str:
    """Return both files of each issue side by side, and what either answer does."""
    lines = ["Two files of one issue say different things. **Nothing changes until somebody answers.**", ""]
    if before := Decision.beside(file.entry):
        lines += [f"Decided before: {inert(before.choice)} by {inert(before.decided_by)} at {before.decided_at}.", ""]
    for conflict in conflicts[:MOST_CONFLICTS]:
        lines += [*_of_issue(lake, file, conflict), ""]
    if more := len(conflicts) - MOST_CONFLICTS:
        lines += [f"And {more} issues more of the same file.", ""] if more > 0 else []
    return "\n".join(
        [
            *lines,
            f"* **{KEEP}**: no table changes. The new file stays in `quarantine/` with this decision beside it; its "
            "bytes are `unchanged` whenever they come again, and nobody is asked.",
            f"* **{TAKE}**: its bytes go to `raw/oem/`, all tables of the issue are made of them, and what follows "
            "from these. The old file goes to `quarantine/`, from where it can be taken back.",
        ]
    )


def _of_issue(lake: Lake, file: QuarantinedFile, conflict: Conflict) -> Iterator[str]:
    stored, issue = conflict.stored, conflict.issue
    row, tables = stored.row(), tables_of(issue)
    new = row_of(issue, conflict.receipt).to_pylist()[0]
    new["raw_path"] = str(file.entry.relative_to(lake.root))
    yield f"#### {folder_name(issue.object_id)}, issue of {iso_utc(issue.creation_date)}"
    yield ""
    yield from HEADING
    facts = {
        "came from": "source_url",
        "at": "retrieved_at",
        "bytes lie in": "raw_path",
        "SHA-256": "content_sha256",
        "notation": "file_format",
        "object": "object_name",
        "originator": "originator",
        "states": "state_count",
        "states from": "start_time",
        "states to": "stop_time",
    }
    for label, column in facts.items():
        cut = 12 if column == "content_sha256" else None
        yield f"| {label} | {inert(row[column], cut)} | {inert(new[column], cut)} |"
    held_states, held_events = stored.rows(STATE_VECTORS), stored.rows(TRAJECTORY_EVENTS)
    yield f"| events | {held_events.num_rows} | {tables[TRAJECTORY_EVENTS].num_rows} |"
    yield ""
    yield f"**First difference**: {inert(conflict.reason, LONGEST_REASON)}"
    yield ""
    yield from _states_apart(held_states, in_order(tables[STATE_VECTORS], STATE_VECTORS))
    yield from _listed("Metadata that differs", list(_facts_apart(row, new)))
    both = zip(stored.rows(OEM_SEGMENTS).to_pylist(), tables[OEM_SEGMENTS].to_pylist(), strict=False)
    segments = [
        (f"segment {number}, {label}", one, other)
        for number, (was, now) in enumerate(both, start=1)
        for label, one, other in _columns_apart(OEM_SEGMENTS, was, now, DERIVED | OF_THE_DELIVERY)
    ]
    yield from _listed("Segments that differ", segments)
    yield from _listed("Events that differ", _events_apart(held_events, tables[TRAJECTORY_EVENTS]))


def _states_apart(held: pa.Table, arrived: pa.Table) -> Iterator[str]:
    """Yield how far the states of common epochs are apart, and how many are in one file alone."""
    was, now = (rows.column("epoch").cast(pa.int64()).to_numpy() for rows in (held, arrived))
    common, at_was, at_now = np.intersect1d(was, now, return_indices=True)
    if len(common):
        position_m = _distances(held, arrived, at_was, at_now, ("x_km", "y_km", "z_km")) * METRES_PER_KM
        speed_m_s = _distances(held, arrived, at_was, at_now, ("vx_km_s", "vy_km_s", "vz_km_s")) * METRES_PER_KM
        apart = int(np.count_nonzero((position_m > 0) | (speed_m_s > 0)))
        farthest = int(np.argmax(position_m))
        epoch = held.column("epoch")[int(at_was[farthest])].as_py()
        yield (
            f"**States**: {apart:,} of {len(common):,} common epochs differ; positions by up to "
            f"{position_m[farthest]:,.3f} m, at {iso_utc(epoch)}; velocities by up to {speed_m_s.max():,.6f} m/s. "
        )
    else:
        yield "**States**: no common epoch. "
    yield f"Epochs in the lake alone: {len(np.setdiff1d(was, now)):,}; in the new file alone: "
    yield f"{len(np.setdiff1d(now, was)):,}."
    yield ""


def _distances(held: pa.Table, arrived: pa.Table, at_was: Any, at_now: Any, columns: Sequence[str]) -> Any:
    """Return the distances of vectors at pairs of rows, (n,), in the unit of the columns."""
    apart = [arrived.column(name).to_numpy()[at_now] - held.column(name).to_numpy()[at_was] for name in columns]
    return np.sqrt(np.sum(np.square(apart), axis=0))


def _facts_apart(was: dict[str, Any], now: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield the columns of oem_issues that differ; of comments, which are lists, the lines that one alone has."""
    is_across = was["file_format"] != now["file_format"]
    passed_over = OF_THE_DELIVERY | (OF_THE_NOTATION if is_across else frozenset()) | {"comments"}
    yield from _columns_apart(OEM_ISSUES, was, now, passed_over)
    if not is_across:
        old, new = was["comments"], now["comments"]
        yield from (("comment", inert(line), "") for line in old if line not in set(new))
        yield from (("comment", "", inert(line)) for line in new if line not in set(old))


def _columns_apart(
    table: Table, was: dict[str, Any], now: dict[str, Any], passed_over: frozenset[str]
) -> Iterator[tuple[str, str, str]]:
    for name in table.column_names:
        if name not in passed_over and was[name] != now[name]:
            yield name, inert(was[name]), inert(now[name])


def _events_apart(held: pa.Table, arrived: pa.Table) -> list[tuple[str, str, str]]:
    """Return the events that one file alone has, in words."""
    was, now = ([_event(row) for row in rows.to_pylist()] for rows in (held, arrived))
    return [("event", inert(event), "") for event in was if event not in now] + [
        ("event", "", inert(event)) for event in now if event not in was
    ]


def _event(row: dict[str, Any]) -> str:
    name, ignition, delta_v, apogee, perigee = (row[column] for column in EVENT_COLUMNS)
    return f"{name} at {iso_utc(ignition)}, {delta_v} m/s, {apogee} x {perigee} km"


def _listed(title: str, rows: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    """Yield a table of differences; nothing where there is none."""
    if not rows:
        return
    yield f"**{title}**"
    yield ""
    yield from HEADING
    yield from (f"| {label} | {was} | {now} |" for label, was, now in rows[:MOST_ROWS])
    if len(rows) > MOST_ROWS:
        yield f"| and {len(rows) - MOST_ROWS:,} more | | |"
    yield ""


def inert(value: object, most: int | None = None) -> str:
    r"""Return a value as code in Markdown, cut to `most` characters; what code or a table could end is shown as \x60.

    Code is the one form in which Markdown makes nothing of URLs, addresses, HTML and signs.
    """
    if value is None:
        return "none"
    text = value.isoformat(sep=" ").replace("+00:00", "Z") if hasattr(value, "isoformat") else str(value)
    most = most or LONGEST_VALUE
    cut = text[:most] + ("…" if len(text) > most and most >= LONGEST_VALUE else "")
    shown = "".join(
        letter if letter.isprintable() and letter not in "`|\\" else f"\\x{ord(letter):02x}" for letter in cut
    )
    # A blank at either end is part of the code only beside another one.
    return f"`{shown}`" if shown.strip() else "empty"
