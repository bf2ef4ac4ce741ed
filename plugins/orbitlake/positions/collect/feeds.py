"""What each public feed answers: its body judged, so that what is no fix is a failure with a reason."""

import re
from collections.abc import Callable
from typing import Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec

from orbitlake.positions.record import OPEN_NOTIFY, WHERETHEISS, Kilometres, Latitude, Longitude, Timestamp

OUT_OF_RANGE: Final = re.compile(r"[<>]= .*itude`")
"""How msgspec says that a latitude or longitude cannot be."""
Answer = TypeVar("Answer", bound=msgspec.Struct)


class AnswerError(ValueError):
    """A poll that gives no fix; `kind` is what the summary counts, `http_status` is null where none was received."""

    may_pass = False
    """Whether asking again soon may help."""
    retry_after_s = 0.0

    def __init__(self, kind: str, detail: str, http_status: int | None = None) -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind, self.http_status = kind, http_status


class Place(msgspec.Struct):
    """Degrees."""

    latitude: Latitude
    longitude: Longitude


class IssNow(msgspec.Struct):
    """A body of Open Notify's iss-now.json."""

    message: Literal["success"]
    timestamp: Timestamp
    iss_position: Place


class Satellite(Place):
    """A body of wheretheiss.at's /v1/satellites/NUMBER."""

    id: int
    units: Literal["kilometers"]
    timestamp: Timestamp
    altitude: Kilometres


def open_notify(body: bytes, _url: str) -> dict[str, Any]:
    """Return what a body says, by fields of the raw record. Raises AnswerError."""
    answer = read_answer(body, IssNow)
    return position(answer.iss_position, answer.timestamp)


def wheretheiss(body: bytes, url: str) -> dict[str, Any]:
    """Return what a body says, by fields of the raw record. Raises AnswerError.

    The service can speak of other satellites, and in miles where the URL asks for them: neither may pass unnoticed.
    """
    answer = read_answer(body, Satellite)
    asked = urlsplit(url).path.rpartition("/")[2]
    if str(answer.id) != asked:
        raise AnswerError("wrong JSON", f"id {answer.id}, the URL asks for {asked!r}")
    return position(answer, answer.timestamp) | {"altitude_km": answer.altitude}


def position(place: Place, timestamp_s: float) -> dict[str, Any]:
    """Return the fields of a position; a whole second stays a whole number."""
    timestamp = int(timestamp_s) if timestamp_s.is_integer() else timestamp_s
    return {"latitude": place.latitude, "longitude": place.longitude, "timestamp": timestamp}


def read_answer(body: bytes, form: type[Answer]) -> Answer:
    """Read a body as JSON of some form. Raises AnswerError, of HTML by name: such pages come with status 200 too."""
    if body.lstrip()[:1] == b"<":
        raise AnswerError("HTML", f"a page of {len(body)} bytes where JSON was expected")
    try:
        return msgspec.json.decode(body, type=form, strict=False)
    except msgspec.ValidationError as error:
        is_out_of_range = OUT_OF_RANGE.search(str(error)) is not None
        raise AnswerError("out of range" if is_out_of_range else "wrong JSON", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise AnswerError("not JSON", str(error)) from None


FEEDS: Final[dict[str, Callable[[bytes, str], dict[str, Any]]]] = {OPEN_NOTIFY: open_notify, WHERETHEISS: wheretheiss}
"""The feeds that can be polled, by the name that their records bear as `source`: each reads a body got from a URL."""
