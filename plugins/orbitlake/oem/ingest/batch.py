"""The four steps of a run over all its sources, as the DAG's tasks call them: small JSON values in and out."""

import json
from itertools import chain
from typing import Any

import pyarrow.parquet as pq

from orbitlake.lake import Lake
from orbitlake.lake.files import sweep_staging
from orbitlake.lake.quarantine import bound_quarantine
from orbitlake.oem.ingest import steps
from orbitlake.oem.ingest.archive import finish_all
from orbitlake.oem.ingest.delivery import Delivery, DeliveryError, PermanentDeliveryError, is_url, without_password
from orbitlake.oem.ingest.outcome import Outcome, rejected
from orbitlake.oem.ingest.sources import deliver, list_sources, named_in_inbox
from orbitlake.oem.ingest.steps import Archived, CheckError
from orbitlake.settings import from_environment
from orbitlake.tables import OEM_TABLES


def download(source: str | None, *, is_last_try: bool) -> list[Delivery | Outcome]:
    """Return what the run ingests: `source`, a URL or a name in the inbox, else the whole inbox and the newest issue.

    A source that gives nothing raises DeliveryError, so that the step is tried again; on the last try, or where another
    try is no use, it is handed on as rejected instead, so that the other sources go on. Only names in the inbox, and
    http or https URLs of public hosts or of those that the settings name, are accepted.
    """
    settings = from_environment()
    lake = Lake(settings.data)
    if source and not is_url(source):
        source = named_in_inbox(source, lake)
    sweep_staging(lake)
    found: list[Delivery | Outcome] = []
    for wanted in list_sources([source] if source else [], lake, settings):
        try:
            found.append(deliver(wanted, lake, settings))
        except DeliveryError as error:
            if not is_last_try and not isinstance(error, PermanentDeliveryError):
                raise DeliveryError(f"{without_password(wanted)}: {error}") from error
            found.append(rejected(wanted, str(error)))
    return found


def archive(found: list[Delivery | Outcome]) -> list[Archived]:
    """Read each file, check its issues in staging, keep the raw bytes of the sound ones; return all of them."""
    lake = Lake(from_environment().data)
    archived: list[Archived] = []
    for item in found:
        archived += [Archived(outcome=item, raw_path=None)] if "outcome" in item else steps.archive(item, lake)
    return archived


def tabulate(archived: list[Archived]) -> list[Outcome]:
    """Publish the tables of each new issue, print a line of JSON for each issue, and return the outcomes.

    Issues that an earlier run, killed on its way, left committed in staging come last.
    """
    settings = from_environment()
    lake = Lake(settings.data)
    outcomes = []
    for outcome in chain((steps.tabulate(item, lake) for item in archived), finish_all(lake)):
        outcomes.append(outcome)
        print(json.dumps(outcome), flush=True)
    bound_quarantine(lake, settings.keep_quarantine_bytes)
    return outcomes


def check(outcomes: list[Outcome]) -> list[dict[str, Any]]:
    """Return the figures of every issue; raises CheckError naming each source that was rejected or fails a check.

    A conflict is passed over: a person is asked which file holds.
    """
    lake = Lake(from_environment().data)
    figures, problems = [], []
    for outcome in outcomes:
        if outcome["outcome"] == "conflict":
            continue
        try:
            figures.append(steps.check(outcome, lake))
        except CheckError as error:
            problems.append(str(error))
    if problems:
        raise CheckError("\n".join(problems))
    return figures


def rows_written(outcomes: list[Outcome]) -> dict[str, int]:
    """Return how many rows each table got from issues that are new or were taken, by the footers of their files."""
    lake = Lake(from_environment().data)
    new = [steps.stored_issue(outcome, lake) for outcome in outcomes if outcome["outcome"] in ("ingested", "taken")]
    return {table.name: sum(pq.read_metadata(stored.file(table)).num_rows for stored in new) for table in OEM_TABLES}
