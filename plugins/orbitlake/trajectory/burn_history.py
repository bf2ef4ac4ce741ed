"""burn_history: each physical burn from the first plan to what was flown, a row a revision."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Final

import numpy as np
import pyarrow as pa

from orbitlake.digits import rounded
from orbitlake.lake.paths import issue_name
from orbitlake.tables import BURN_HISTORY
from orbitlake.trajectory.arcs import SECOND_US
from orbitlake.trajectory.burn_evidence import untold_burn, were_flown
from orbitlake.trajectory.burn_matching import match, may_be
from orbitlake.trajectory.issues import Issue, Issues, tai_us_of, utc_us_of
from orbitlake.trajectory.told_burns import EVENT, JUMP, PATH, STATES, ToldBurn

PLANNED, REVISED, DROPPED, FLOWN = "PLANNED", "REVISED", "DROPPED", "FLOWN"
SAME_IGNITION_S: Final = 1.0
SIGMAS: Final = 3.0
SAME_PRINTED_M_S: Final = 0.001
SAME_FLOWN_M_S: Final = 0.05
"""What states of one plan gain changes by a few hundredths with the mass that is assumed."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Judge = Callable[[Issues, int, int, Sequence[float]], list[bool] | None]
"""Issues, number of the planning one and of a later one, what each burn raises (km) -> which were flown."""
Detect = Callable[[Issues, int, int], float | None]
"""Issues, number of one and of the next -> delta-v (m/s) of a burn between them that no plan told of."""


@dataclass(slots=True)
class Burn:
    """One physical burn so far: as its last row has it, as the last issue told of it, and which one that was."""

    burn_id: str
    status: str
    in_row: ToldBurn
    told: ToldBurn
    teller: int

    @property
    def is_open(self) -> bool:
        """Whether it is a plan that stands."""
        return self.status in (PLANNED, REVISED)


def burn_history(issues: Issues, judge: Judge = were_flown, detect: Detect = untold_burn) -> pa.Table:
    """Return the rows of burn_history of one object: a function of the set of its issues, taken by creation."""
    burns: list[Burn] = []
    rows = [row for number in range(len(issues.all)) for row in _news(issues, number, burns, judge)]
    rows += [row for number in range(1, len(issues.all)) for row in _untold(issues, number, detect)]
    return rounded(pa.Table.from_pylist(rows, schema=BURN_HISTORY.schema), BURN_HISTORY)


def _news(issues: Issues, number: int, burns: list[Burn], judge: Judge) -> Iterator[dict[str, Any]]:
    """Yield the rows of one issue, and bring the burns up to it."""
    issue = issues.all[number]
    is_flown = _judged(issues, number, burns, judge)
    for burn in burns:
        if is_flown.get(burn.burn_id):
            yield _row(issues, issue, burn, burn.told, FLOWN, PATH)
    near = [burn for burn in burns if burn.is_open or any(may_be(burn.told, told) for told in issue.burns)]
    known = sorted(near, key=lambda burn: (burn.told.ignition_us, burn.burn_id))
    matches = match([burn.told for burn in known], [burn.status == FLOWN for burn in known], issue.burns)
    for place, burn in enumerate(known):
        if place not in matches:
            if burn.is_open and is_flown.get(burn.burn_id) is False:
                yield _row(issues, issue, burn, burn.told, DROPPED, PATH)
            elif burn.is_open and _must_show(issue, burn.told):
                yield _row(issues, issue, burn, burn.told, DROPPED, STATES)
            continue
        told = issue.burns[matches[place]]
        if burn.status != FLOWN:
            status = FLOWN if _is_over(issue, told) else REVISED
            if status == FLOWN or burn.status == DROPPED or _is_changed(burn.in_row, told):
                yield _row(issues, issue, burn, told, status, told.told_by)
            burn.told, burn.teller = told, number
    for place, told in enumerate(issue.burns):
        # What a table lists of the past, and no state flies, is no plan.
        is_news = told.told_by == STATES or told.ignition_us > issue.creation_us
        if place not in matches.values() and is_news:
            name = f"{_stamp(told.ignition_us)}-{_stamp(issue.creation_us)}"
            burn = Burn(name, "", told, told, number)
            burns.append(burn)
            yield _row(issues, issue, burn, told, FLOWN if _is_over(issue, told) else PLANNED, told.told_by)


def _untold(issues: Issues, number: int, detect: Detect) -> Iterator[dict[str, Any]]:
    """Yield the row of a burn that no plan told of, flown between one issue and where the next one begins."""
    before, issue = issues.all[number - 1 : number + 1]
    delta_v_m_s = detect(issues, number - 1, number)
    if delta_v_m_s is not None:
        (latest_us,) = utc_us_of(np.array([issue.start_tai_us])).tolist()
        nothing = dict.fromkeys(BURN_HISTORY.column_names)
        yield nothing | {
            "object_id": issues.object_id,
            "burn_id": f"{_stamp(latest_us)}-{_stamp(issue.creation_us)}",
            "creation_date": _time(issue.creation_us),
            "earliest_time": _time(before.creation_us),
            "latest_time": _time(latest_us),
            "delta_v_m_s": delta_v_m_s,
            "status": FLOWN,
            "told_by": JUMP,
        }


def _judged(issues: Issues, number: int, burns: Sequence[Burn], judge: Judge) -> dict[str, bool]:
    """Return which of the plans that were over before an issue begins were flown, as far as its path tells."""
    start_tai_us = issues.all[number].start_tai_us
    over = [
        burn
        for burn in burns
        if burn.is_open and burn.told.told_by == STATES and tai_us_of([burn.told.cutoff_us])[0] <= start_tai_us
    ]
    verdicts: dict[str, bool] = {}
    for teller, group in groupby(sorted(over, key=lambda burn: burn.teller), key=lambda burn: burn.teller):
        together = list(group)
        raised_km = [burn.told.raised_km for burn in together if burn.told.raised_km is not None]
        if len(raised_km) == len(together) and (found := judge(issues, teller, number, raised_km)):
            verdicts |= {burn.burn_id: flown for burn, flown in zip(together, found, strict=True)}
    return verdicts


def _is_over(issue: Issue, told: ToldBurn) -> bool:
    """Tell whether an issue was made after the burn that its states fly."""
    return told.told_by == STATES and told.cutoff_us <= issue.creation_us


def _must_show(issue: Issue, plan: ToldBurn) -> bool:
    """Tell whether an issue would show a burn if it still were to be."""
    since, until = tai_us_of([plan.ignition_us, plan.cutoff_us]).tolist()
    return issue.covers(since, until) and plan.delta_v_m_s > issue.least_burn_m_s


def _is_changed(before: ToldBurn, told: ToldBurn) -> bool:
    """Tell whether another ignition, delta-v or name is told of."""
    shift_s = abs(told.ignition_us - before.ignition_us) / SECOND_US
    change_m_s, is_printed = _delta_v_change(before, told)
    return (
        shift_s >= SAME_IGNITION_S + SIGMAS * (before.sigma_s + told.sigma_s)
        or told.event_name != before.event_name
        or (change_m_s is not None and abs(change_m_s) > (SAME_PRINTED_M_S if is_printed else SAME_FLOWN_M_S))
    )


def _delta_v_change(before: ToldBurn, told: ToldBurn) -> tuple[float | None, bool]:
    """Return the change of delta-v, of what is printed where both print it, and whether it is that."""
    if before.printed_m_s is not None and told.printed_m_s is not None:
        return told.printed_m_s - before.printed_m_s, True
    if before.flown_m_s is not None and told.flown_m_s is not None:
        return told.flown_m_s - before.flown_m_s, False
    return None, False


def _row(issues: Issues, issue: Issue, burn: Burn, told: ToldBurn, status: str, told_by: str) -> dict[str, Any]:
    """Return a row of news on a burn, and keep it as the burn's last."""
    is_first = not burn.status
    row = {
        "object_id": issues.object_id,
        "burn_id": burn.burn_id,
        "creation_date": _time(issue.creation_us),
        "ignition_time": _time(told.ignition_us),
        "cutoff_time": None if told.told_by == EVENT else _time(told.cutoff_us),
        "earliest_time": None,
        "latest_time": None,
        "delta_v_m_s": told.delta_v_m_s,
        "event_name": told.event_name,
        "status": status,
        "told_by": told_by,
        "ignition_shift_s": None if is_first else (told.ignition_us - burn.in_row.ignition_us) / SECOND_US,
        "delta_v_change_m_s": None if is_first else _delta_v_change(burn.in_row, told)[0],
    }
    burn.status, burn.in_row = status, told
    return row


def _time(utc_us: int) -> datetime:
    return EPOCH + timedelta(microseconds=utc_us)


def _stamp(utc_us: int) -> str:
    return issue_name(_time(utc_us))
