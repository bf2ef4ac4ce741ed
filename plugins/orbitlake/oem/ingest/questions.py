"""The steps of settling a conflict, as the DAG's tasks call them: small JSON values in and out."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, TypedDict

from orbitlake.lake import Lake
from orbitlake.oem.ingest.comparison import KEEP, TAKE, Question, question_about
from orbitlake.oem.ingest.conflicts import QuarantinedFile, SettleError, shown_of
from orbitlake.oem.ingest.outcome import Outcome
from orbitlake.oem.ingest.settle import settle
from orbitlake.settings import from_environment

OPTIONS: Final = (KEEP, TAKE)
"""What a person may answer."""


class Run(TypedDict):
    """The run that asks about a file: the same file against the same issue makes one run alone, once for all."""

    trigger_run_id: str
    conf: dict[str, str]


def runs_of(outcomes: Iterable[Outcome]) -> list[Run]:
    """Return the runs that ask about the conflicts among outcomes, a file once; of what is settled already, none.

    A run is named after the file, the issue that the lake holds, and when the file came to quarantine: where retention
    has removed it since, and what was decided, it is asked anew.
    """
    lake = Lake(from_environment().data)
    found = []
    for path in dict.fromkeys(outcome["quarantined"] for outcome in outcomes if "quarantined" in outcome):
        entry = lake.root / path
        try:
            file = QuarantinedFile.read(entry)
        except SettleError as error:
            print(error, flush=True)
            continue
        if not (conflicts := file.conflicts(lake)):
            continue
        held = "-".join(digest[:8] for digest in shown_of(file, conflicts)[1:3])
        since = datetime.fromtimestamp(int(entry.stat().st_mtime), UTC)
        run_id = f"conflict__{since:%Y%m%dT%H%M%SZ}-{entry.name}-{held}"
        found.append(Run(trigger_run_id=run_id, conf={"file": entry.name}))
    return found


def question(name: str | None) -> Question:
    """Return what a person is asked about a file of `quarantine/`. Raises SettleError where there is nothing to ask."""
    if not name:
        raise SettleError("name a file of quarantine/ that is in conflict")
    return question_about(Lake(from_environment().data), name)


def answer(name: str, option: str, decided_by: str, decided_at: datetime, shown: list[str]) -> list[Outcome]:
    """Do what a person answered; print a line of JSON an issue, and return the outcomes. Raises SettleError."""
    lake = Lake(from_environment().data)
    outcomes = settle(lake, name, "take" if option == TAKE else "keep", decided_by, decided_at, shown)
    for outcome in outcomes:
        print(json.dumps(outcome), flush=True)
    return outcomes
