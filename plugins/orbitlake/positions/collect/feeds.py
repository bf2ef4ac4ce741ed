"""What each public feed answers: its body judged, so that what is no fix is a failure with a reason."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from orbitlake.positions.record import (
    OPEN_NOTIFY,
    WHERETHEISS,
    RecordError,
    angle,
    instant,
    number,
    refuse_constant,
)


class AnswerError(ValueError):
    """A poll that gives no fix; `kind` is what the summary counts, `http_status` is null where none was received."""

    def __init__(self, kind: str, detail: str, http_status: int | None = None) -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind
        self.http_status = http_status


@dataclass(frozen=True, slots=True)
class Position:
    """What an answer says: degrees, Unix seconds, and the altitude where the feed publishes one."""

    latitude: float
    longitude: float
    timestamp: int | float
    altitude_km: float | None = None


def open_notify(body: bytes, _url: str) -> Position:
    """Read a body of Open Notify's iss-now.json. Raises AnswerError."""
    answer = json_object(body)
    coordinates = answer.get("iss_position")
    if answer.get("message") != "success" or not isinstance(coordinates, dict):
        raise AnswerError("wrong JSON", f"message {str(answer.get('message'))[:80]!r}, no iss_position with it")
    return position_of(answer, coordinates)


def wheretheiss(body: bytes, url: str) -> Position:
    """Read a body of wheretheiss.at's /v1/satellites/NUMBER: of that NORAD number, in kilometres. Raises AnswerError.

    The service can speak of other satellites, and in miles where the URL asks for them: neither may pass unnoticed.
    """
    answer = json_object(body)
    asked = urlsplit(url).path.rpartition("/")[2]
    if str(answer.get("id")) != asked:
        raise AnswerError("wrong JSON", f"id {str(answer.get('id'))[:80]!r}, the URL asks for {asked!r}")
    if answer.get("units") != "kilometers":
        raise AnswerError("wrong JSON", f"units {str(answer.get('units'))[:80]!r}, expected 'kilometers'")
    return position_of(answer, answer, altitude_key="altitude")


def position_of(answer: dict[str, Any], coordinates: dict[str, Any], altitude_key: str | None = None) -> Position:
    """Return the numbers of an answer, the altitude in km where the feed has a key for it. Raises AnswerError."""
    try:
        timestamp = number(answer, "timestamp")
        instant(timestamp)
        values = number(coordinates, "latitude"), number(coordinates, "longitude")
        altitude_km = number(answer, altitude_key) if altitude_key else None
    except RecordError as error:
        raise AnswerError("wrong JSON", str(error)) from None
    try:
        place = angle("latitude", values[0], 90), angle("longitude", values[1], 180)
    except RecordError as error:
        raise AnswerError("out of range", str(error)) from None
    return Position(*place, int(timestamp) if timestamp.is_integer() else timestamp, altitude_km)


def json_object(body: bytes) -> dict[str, Any]:
    """Read a body as one JSON object. Raises AnswerError; a page of HTML, which comes with status 200 too, by name."""
    if body.lstrip()[:1] == b"<":
        raise AnswerError("HTML", f"a page of {len(body)} bytes where JSON was expected")
    try:
        answer = json.loads(body, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise AnswerError("not JSON", str(error)[:200]) from None
    if not isinstance(answer, dict):
        raise AnswerError("wrong JSON", f"a {type(answer).__name__}, expected an object")
    return answer


FEEDS: Final[dict[str, Callable[[bytes, str], Position]]] = {OPEN_NOTIFY: open_notify, WHERETHEISS: wheretheiss}
"""The feeds that can be polled, by the name that their records bear as `source`: each reads a body got from a URL."""
