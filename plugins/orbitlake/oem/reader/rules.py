"""The rules of CCSDS 502.0-B-3 that bind a message in either notation; each names the line that breaks it."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np

from orbitlake.oem.reader import epochs
from orbitlake.oem.reader.epochs import TIME_SYSTEMS, Microseconds
from orbitlake.oem.reader.errors import OemError
from orbitlake.oem.reader.message import VERSIONS, Covariance, Header, Message, Metadata, Section, Segment
from orbitlake.oem.reader.states import States

SPAN_KEYWORDS: Final = ("START_TIME", "USEABLE_START_TIME", "USEABLE_STOP_TIME", "STOP_TIME")
SHORTENED_STATES: Final = 8
"""Printed examples, the standard's own among them, keep a handful of states of a long span."""


def check_version(version: str, path: str, line: int) -> str:
    """Return a version of the format that is known. Raises OemError for any other."""
    if version not in VERSIONS:
        raise OemError(path, line, f"version {version[:40]!r} is unknown: expected {', '.join(VERSIONS)}")
    return version


def header_of(section: Section, version: str) -> Header:
    """Return the header that a section holds. Raises OemError for a missing or unusable value."""
    try:
        created_tai_us = epochs.tai_us_of(section.text("CREATION_DATE"), "UTC")
    except ValueError as error:
        raise _at(section, "CREATION_DATE", error) from None
    return Header(
        version=version,
        created_us=epochs.utc_us_of(created_tai_us),
        originator=section.text("ORIGINATOR"),
        classification=section.optional("CLASSIFICATION"),
        message_id=section.optional("MESSAGE_ID"),
        line=section.line,
    )


def metadata_of(section: Section, first: Metadata | None) -> Metadata:
    """Return the metadata that a section holds; `first` is that of the file's first segment, None for itself.

    Raises OemError for a missing, unusable or contradictory value, and for a second object or time system.
    """
    names = {keyword: section.text(keyword) for keyword in ("OBJECT_NAME", "OBJECT_ID", "CENTER_NAME", "REF_FRAME")}
    time_system = section.text("TIME_SYSTEM").upper()
    if first is not None:
        agreed = {"TIME_SYSTEM": first.time_system, "OBJECT_NAME": first.object_name, "OBJECT_ID": first.object_id}
        for keyword, expected in agreed.items():
            if _folded(section.text(keyword)) != _folded(expected):
                reason = f"{keyword} {section.text(keyword)[:40]} differs from {expected[:40]} of the first segment"
                raise OemError(section.path, section.line_of(keyword), reason)
    if time_system not in TIME_SYSTEMS:
        known = ", ".join(TIME_SYSTEMS)
        reason = f"TIME_SYSTEM {time_system[:40]} cannot be converted to UTC: known are {known}"
        raise OemError(section.path, section.line_of("TIME_SYSTEM"), reason)
    ref_frame_epoch = section.optional("REF_FRAME_EPOCH")
    ref_frame_epoch_tai_us = None
    if ref_frame_epoch:
        try:
            epochs.parse(ref_frame_epoch)
        except ValueError as error:
            raise _at(section, "REF_FRAME_EPOCH", error) from None
        with suppress(ValueError):
            ref_frame_epoch_tai_us = epochs.tai_us_of(ref_frame_epoch, time_system)
    spans = {keyword: _time(section, keyword, time_system) for keyword in SPAN_KEYWORDS}
    _check_span(section, {keyword: tai_us for keyword, tai_us in spans.items() if tai_us is not None})
    start, useable_start, useable_stop, stop = spans.values()
    if start is None or stop is None:
        missing = "START_TIME" if start is None else "STOP_TIME"
        raise OemError(section.path, section.line_of(missing), f"metadata has no {missing}")

    interpolation, degree = section.optional("INTERPOLATION"), section.optional("INTERPOLATION_DEGREE")
    if interpolation and not degree:
        section.warnings.append(f"line {section.line_of('INTERPOLATION')}: INTERPOLATION without INTERPOLATION_DEGREE")
    if degree and not re.fullmatch(r"\+?0*[1-9][0-9]{0,8}", degree):
        reason = f"INTERPOLATION_DEGREE {degree[:40]!r} is not a whole number above zero"
        raise OemError(section.path, section.line_of("INTERPOLATION_DEGREE"), reason)
    return Metadata(
        object_name=names["OBJECT_NAME"],
        object_id=names["OBJECT_ID"],
        center_name=names["CENTER_NAME"],
        ref_frame=names["REF_FRAME"],
        ref_frame_epoch=ref_frame_epoch,
        ref_frame_epoch_tai_us=ref_frame_epoch_tai_us,
        time_system=time_system,
        start_tai_us=start,
        useable_start_tai_us=useable_start,
        useable_stop_tai_us=useable_stop,
        stop_tai_us=stop,
        interpolation=interpolation,
        interpolation_degree=int(degree) if degree else None,
        section=section,
    )


def _time(section: Section, keyword: str, time_system: str) -> int | None:
    text = section.optional(keyword)
    if text is None:
        return None
    try:
        return epochs.tai_us_of(text, time_system)
    except ValueError as error:
        raise _at(section, keyword, error) from None


def _at(section: Section, keyword: str, error: ValueError) -> OemError:
    return error if isinstance(error, OemError) else OemError(section.path, section.line_of(keyword), str(error))


def _check_span(section: Section, times_us: dict[str, int]) -> None:
    for earlier, later in pairwise(times_us):
        if times_us[earlier] > times_us[later]:
            raise OemError(section.path, section.line_of(later), f"{later} is before {earlier}")


def segment_of(
    metadata: Metadata, states_read: States, covariances: tuple[Covariance, ...], version: str, path: str
) -> Segment:
    """Return a segment that keeps the rules. Raises OemError naming the first line that breaks one.

    Rules: at least one state; each after the one before, which it may also repeat to the last digit, with a warning;
    none outside START_TIME and STOP_TIME; and from SHORTENED_STATES states on they reach both ends of the useable span
    to within their longest step, or the file has lost its beginning or its end. Accelerations are optional line by line
    (5.2.4.2): some without are a warning.
    """
    if not len(states_read):
        raise OemError(path, metadata.section.line, "segment has no states")
    if version == "1.0" and states_read.acceleration_km_s2 is not None:
        raise OemError(path, states_read.line_of(0), "accelerations came with version 2.0, this file is 1.0")
    if version == "1.0" and covariances:
        raise OemError(path, covariances[0].line, "covariances came with version 2.0, this file is 1.0")
    warnings = [*metadata.section.warnings]
    states, repeats = states_read.without_repeats()
    if repeats.size:
        line = states_read.line_of(int(repeats[0]))
        warnings.append(f"line {line}: {repeats.size} states repeat the one before to the last digit: each kept once")
    moments = states.moments
    try:
        epoch_tai_us = epochs.tai_us(moments, metadata.time_system)
    except ValueError as error:
        raise OemError(path, states.line_of(int(moments.in_leap_second.argmax())), str(error)) from None
    not_after = np.append(False, np.diff(epoch_tai_us) <= 0)
    for broken, reason in (
        (
            not_after & np.append(False, moments.is_later_than_before()),
            "epoch is less than a microsecond after that of the state before: no time here is told finer",
        ),
        (not_after, "epoch is not after that of the state before"),
        (epoch_tai_us < metadata.start_tai_us, "state before START_TIME"),
        (epoch_tai_us > metadata.stop_tai_us, "state after STOP_TIME"),
    ):
        if broken.any():
            raise OemError(path, states.line_of(int(broken.argmax())), reason)
    warnings += _check_reach(epoch_tai_us, states, metadata, path)
    if states.acceleration_km_s2 is not None and np.isnan(states.acceleration_km_s2).any():
        warnings.append(f"line {states.line_of(0)}: some states of the segment have accelerations, others have none")
    once: list[Covariance] = []
    for covariance in covariances:
        if once and replace(covariance, line=once[-1].line) == once[-1]:
            warnings.append(f"line {covariance.line}: covariance repeats the one before to the last digit: kept once")
        else:
            once.append(covariance)
    warnings += _check_covariances(once, metadata, path)
    return Segment(metadata, states, epoch_tai_us, tuple(once), tuple(warnings))


def _check_reach(epoch_tai_us: Microseconds, states: States, metadata: Metadata, path: str) -> Iterator[str]:
    longest_us = int(np.diff(epoch_tai_us).max(initial=0))
    first_due_us = metadata.start_tai_us if metadata.useable_start_tai_us is None else metadata.useable_start_tai_us
    last_due_us = metadata.stop_tai_us if metadata.useable_stop_tai_us is None else metadata.useable_stop_tai_us
    for nth, missing_us, where in (
        (0, int(epoch_tai_us[0]) - first_due_us, "begin {:g} s after the useable start"),
        (len(states) - 1, last_due_us - int(epoch_tai_us[-1]), "end {:g} s before the useable stop"),
    ):
        if missing_us <= 0:
            continue
        line = states.line_of(nth)
        reason = "states " + where.format(missing_us / epochs.SECOND_US)
        if missing_us > longest_us and len(states) >= SHORTENED_STATES:
            raise OemError(path, line, f"{reason}, longer than any step between them: the file is cut")
        yield f"line {line}: {reason}"


def _check_covariances(covariances: Iterable[Covariance], metadata: Metadata, path: str) -> Iterator[str]:
    """Raise OemError where covariances are out of order or repeat epoch and frame (502.0-B-3, 5.2.5.7).

    Yields a warning for each outside START_TIME and STOP_TIME, which span the covariances too (table 5-3).
    """
    latest_us: int | None = None
    frames: set[str | None] = set()
    for covariance in covariances:
        moment_us = covariance.epoch_tai_us
        frame = covariance.ref_frame or metadata.ref_frame
        if latest_us is not None and (moment_us < latest_us or (moment_us == latest_us and frame in frames)):
            raise OemError(path, covariance.line, "covariance is not after the one before")
        if not metadata.start_tai_us <= moment_us <= metadata.stop_tai_us:
            yield f"line {covariance.line}: covariance outside START_TIME and STOP_TIME"
        frames = frames | {frame} if moment_us == latest_us else {frame}
        latest_us = moment_us


def message_of(
    file_format: str, header: Header, segments: list[Segment], comments: list[str], warnings: list[str], path: str
) -> Message:
    """Return the whole message. Raises OemError where it has no segment."""
    if not segments:
        raise OemError(path, None, "file has no segment")
    warnings = [*warnings, *(warning for segment in segments for warning in segment.warnings)]
    first = segments[0].metadata
    for before, segment in pairwise(segments):
        metadata, section = segment.metadata, segment.metadata.section
        until_us, since_us = before.metadata.useable_stop_tai_us, metadata.useable_start_tai_us
        if until_us is not None and since_us is not None and since_us < until_us:
            line = section.line_of("USEABLE_START_TIME")
            warnings.append(f"line {line}: useable span overlaps that of the segment before")
        if metadata.ref_frame != first.ref_frame or metadata.center_name != first.center_name:
            warnings.append(f"line {section.line}: segment has another frame or centre than the first")
    return Message(file_format, header, tuple(segments), tuple(comments), tuple(warnings))


def _folded(text: str) -> str:
    """Return a value in the one form that equal values share: capitals, and single blanks (502.0-B-3, 7.5.9)."""
    return " ".join(text.upper().replace("_", " ").split())
