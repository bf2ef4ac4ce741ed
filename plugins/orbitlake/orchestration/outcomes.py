"""What a run came to, in one sentence: first in the task's log, then as the note of the run; and what it wrote."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.sdk import Asset
    from sqlalchemy.orm import Session

KEY: Final = "outcome"
"""Under this key a task leaves its sentence among its XComs."""
LONGEST_NOTE: Final = 1000


def note(context: Any, sentence: str) -> None:
    """Leave the sentence of a task for its log and for the note of its run."""
    print(sentence, flush=True)
    context["ti"].xcom_push(KEY, sentence[:LONGEST_NOTE])


def announce(context: Any, rows: "Mapping[Asset, int]") -> None:
    """Say what a task wrote: each asset with rows gets an event that tells how many, the others get none.

    The outlets of the task at work are narrowed for that; those that the DAG declares, and the graph shows, stay.
    """
    written = [asset for asset, count in rows.items() if count]
    for asset in written:
        context["outlet_events"][asset].extra = {"rows": rows[asset]}
    task = context["task"]
    task.outlets = [outlet for outlet in task.outlets if outlet not in rows or outlet in written]


def of_ingestion(outcomes: Sequence[Mapping[str, Any]]) -> str:
    """Return the sentence of a run of ingest_oem."""
    return "; ".join(_of_source(outcome) for outcome in outcomes) or "nothing to ingest"


def _of_source(outcome: Mapping[str, Any]) -> str:
    if outcome["outcome"] == "conflict":
        # Without what the file says: a note is Markdown, and a question about it shows it inert.
        issue = f"{outcome['object_id']}, issue of {outcome['creation_date']}"
        return f"conflict: {issue}: another file says something else; Settle conflict asks a person which holds"
    if outcome["outcome"] not in ("ingested", "unchanged"):
        return f"{outcome['outcome']}: {outcome['reason']}"
    issue = f"{outcome['outcome']}: {outcome['object_id']}, issue of {outcome['creation_date']}"
    return f"{issue}: {outcome['states']:,} states, {counted(outcome['thrust_episodes'], 'burn')}"


def of_settling(outcomes: Sequence[Mapping[str, Any]]) -> str:
    """Return the sentence of a run of settle_conflict."""
    words = {"kept": "the file in the lake holds", "taken": "the new file holds"}
    return "; ".join(
        f"{outcome['object_id']}, issue of {outcome['creation_date']}: {words[outcome['outcome']]}: {outcome['reason']}"
        for outcome in outcomes
    )


def of_audit(published: Mapping[str, Any]) -> str:
    """Return the sentence of a table that audit_positions brought up to date."""
    removed = f", {counted(published['removed'], 'file')} removed" if published["removed"] else ""
    rows = counted(published["rows_written"], "row")
    written = f"{counted(published['written'], 'file')} written with {rows}" if published["written"] else "nothing new"
    return f"{published['table']}: {written}{removed}"


def of_collection(summary: Mapping[str, Any]) -> str:
    """Return the sentence of a run of collect_positions."""
    failures = summary["failures"]
    failed = ", ".join(f"{count} {kind}" for kind, count in failures.items())
    return f"{counted(summary['fixes'], 'fix', 'fixes')} in {span(summary['duration_s'])}" + (
        f"; failed polls: {failed}" if failed else "; no failed poll"
    )


def polls_of(summary: Mapping[str, Any]) -> int:
    """Return how many records a run of collect_positions wrote."""
    return int(summary["fixes"] + sum(summary["failures"].values()))


def of_stream(printed: Sequence[Mapping[str, Any]]) -> str:
    """Return the sentence of a run of stream_positions, whose last object holds the sums."""
    if not printed:
        return "no batch"
    totals = printed[-1]
    more = "".join(f", {totals[name]:,} {name}" for name in ("late", "bad") if totals.get(name))
    batches = counted(totals["batches"], "batch", "batches")
    return f"{counted(totals['rows'], 'new fix', 'new fixes')} in {batches}{more}"


def streamed(printed: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the rows that a run of stream_positions wrote, by asset. A minute is rewritten for each fix in it."""
    rows = int(printed[-1]["rows"] + printed[-1]["corrected"]) if printed else 0
    return {"live_positions": rows, "live_window_stats": rows}


def of_batches(batches: Sequence[Mapping[str, Any]]) -> str:
    """Return a line for the stream's batches of about a minute: how far behind, how many rows; the rest after it."""
    lags = [batch["lag_s"] for batch in batches if batch.get("lag_s") is not None]
    lag = f"lag {max(lags):.1f} s" if lags else "no new fix"
    rows, late, bad = (sum(batch.get(name) or 0 for batch in batches) for name in ("rows", "late", "bad"))
    return (
        f"{lag}, {counted(rows, 'row')}, {late} late, {bad} bad; {counted(len(batches), 'batch', 'batches')}, the "
        f"longest {max((batch.get('duration_s') or 0.0 for batch in batches), default=0.0):.1f} s"
    )


def of_compaction(days: Sequence[Mapping[str, Any]]) -> str:
    """Return the sentence of a run of compact_positions: the day that was asked for, then those made good."""
    return "; ".join(_of_day(day) for day in days) or "no day"


def _of_day(day: Mapping[str, Any]) -> str:
    if not day["positions"]:
        return f"{day['date']}: no fixes, nothing written"
    rows = f"{counted(day['positions'], 'fix', 'fixes')} in {counted(day['window_stats'], 'minute')}"
    return f"{day['date']}: {rows}, {'written' if day['replaced'] else 'closed already, nothing new'}"


def compacted(days: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the rows that a run of compact_positions wrote, by asset."""
    return {
        table: sum(int(day[table]) for day in days if day["replaced"] and day["positions"])
        for table in ("positions", "window_stats")
    }


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun: 1 burn, 2 burns."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def span(seconds: float) -> str:
    """A span as people say it."""
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"


class RunNotes:
    """A listener of Airflow's scheduler: the last sentence that a run's tasks left becomes the note of the run.

    A note that a person wrote stays.
    """

    @hookimpl
    def on_dag_run_success(self, dag_run: "DagRun") -> None:
        """The run went well."""
        _note_run(dag_run)

    @hookimpl
    def on_dag_run_failed(self, dag_run: "DagRun") -> None:
        """The run failed."""
        _note_run(dag_run)


def _note_run(dag_run: "DagRun") -> None:
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    # `airflow dags test` lets go of its run before it says how that ended.
    if session is None or (dag_run.dag_run_note and dag_run.dag_run_note.user_id):
        return
    for sentence in _sentences(dag_run, session):
        dag_run.note = sentence[:LONGEST_NOTE]
        return


def _sentences(dag_run: "DagRun", session: "Session") -> Iterator[str]:
    """The sentences of a run's tasks, the last one first."""
    from airflow.models.xcom import XComModel

    left = XComModel.get_many(run_id=dag_run.run_id, key=KEY, dag_ids=dag_run.dag_id)
    for row in session.scalars(left.order_by(None).order_by(XComModel.timestamp.desc())):
        sentence = XComModel.deserialize_value(row)
        if isinstance(sentence, str):
            yield sentence
