"""The ways in which real upstreams fail, as orders that a test or a person gives: what, where, how often."""

import random
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

HANG_LIMIT_S: Final = 600.0
SHIFT_LIMIT_S: Final = 86_400.0 * 30


class FaultKind(StrEnum):
    """Every fault by its name in JSON and on the command line."""

    RATE_LIMITED = "rate_limited"  # 429 with Retry-After
    SERVER_ERROR_XML = "server_error_xml"  # 500 with an XML body
    BAD_GATEWAY_HTML = "bad_gateway_html"  # 502 with a page
    HTML_OK = "html_ok"  # 200 with a page
    TIMEOUT = "timeout"  # no byte for a while, then the answer
    TRUNCATED_BODY = "truncated_body"  # Content-Length promises twice what is sent
    FROZEN_POSITION = "frozen_position"  # the position stands still, the timestamp goes on
    STALE_ORBIT = "stale_orbit"  # the position lags behind, as with elements that are not updated
    CLOCK_SKEW = "clock_skew"  # the timestamp is off, the position is not


POSITION_FAULTS: Final = frozenset({FaultKind.FROZEN_POSITION, FaultKind.STALE_ORBIT, FaultKind.CLOCK_SKEW})
DEFAULT_SECONDS: Final = {
    FaultKind.RATE_LIMITED: 2.0,
    FaultKind.TIMEOUT: 60.0,
    FaultKind.STALE_ORBIT: 30.0,
    FaultKind.CLOCK_SKEW: 30.0,
}
"""Kinds that take `seconds`: Retry-After, the silence, the lag, the offset of the timestamp."""


class Fault(BaseModel):
    """One order. It hits the next `requests` requests for `path` (all, if None), each with `probability`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FaultKind
    path: Annotated[str, Field(pattern=r"^(\*|/[!-~]{0,200})$")] = "*"
    requests: Annotated[int, Field(ge=1)] | None = None
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: int = 0
    seconds: Annotated[float, Field(ge=-SHIFT_LIMIT_S, le=SHIFT_LIMIT_S)] | None = None

    @model_validator(mode="after")
    def _seconds_fit_kind(self) -> "Fault":
        if self.seconds is None:
            return self
        if self.kind not in DEFAULT_SECONDS:
            raise ValueError(f"{self.kind} takes no seconds")
        if self.seconds < 0 and self.kind is not FaultKind.CLOCK_SKEW:
            raise ValueError(f"{self.kind} takes no negative seconds")
        if self.kind is FaultKind.TIMEOUT and self.seconds > HANG_LIMIT_S:
            raise ValueError(f"{self.kind} lasts {HANG_LIMIT_S:.0f} s at most")
        return self

    @property
    def lasting_s(self) -> float:
        return DEFAULT_SECONDS.get(self.kind, 0.0) if self.seconds is None else self.seconds


class ActiveFault:
    """An order under way: how often it has hit, and where a frozen position stands."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.hits = 0
        self.frozen_utc: np.datetime64 | None = None
        self._chance = random.Random(fault.seed)  # noqa: S311 - chance that can be repeated

    def strikes(self, path: str) -> bool:
        """Say whether this request is hit, and count it."""
        fault = self.fault
        if fault.path not in ("*", path) or (fault.requests is not None and self.hits >= fault.requests):
            return False
        if self._chance.random() >= fault.probability:
            return False
        self.hits += 1
        return True

    def report(self) -> dict[str, object]:
        remaining = None if self.fault.requests is None else self.fault.requests - self.hits
        return self.fault.model_dump(mode="json") | {"hits": self.hits, "remaining": remaining}


class FaultBoard:
    """The orders in force, in the order they came."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._active: list[ActiveFault] = []
        self.replace(faults)

    def replace(self, faults: Iterable[Fault]) -> None:
        self._active = [ActiveFault(fault) for fault in faults]

    def add(self, fault: Fault) -> None:
        self._active.append(ActiveFault(fault))

    def striking(self, path: str) -> list[ActiveFault]:
        """Return the faults that hit this request: every fault of position, and the first one of transport."""
        hits: list[ActiveFault] = []
        for active in self._active:
            of_position = active.fault.kind in POSITION_FAULTS
            if (of_position or all(hit.fault.kind in POSITION_FAULTS for hit in hits)) and active.strikes(path):
                hits.append(active)
        return hits

    def report(self) -> list[dict[str, object]]:
        return [active.report() for active in self._active]


def fault_from_text(text: str) -> Fault:
    """Return the order written as `kind[,name=value ...]`, such as `rate_limited,requests=3`. Raises ValueError."""
    kind, *settings = text.split(",")
    pairs = [setting.partition("=") for setting in settings]
    return Fault.model_validate({"kind": kind} | {name: value for name, _, value in pairs})
