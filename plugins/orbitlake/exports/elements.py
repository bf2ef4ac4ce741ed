"""An issue -> mean elements that SGP4 follows it by, as an OMM (CCSDS 502.0-B) or as the two lines of a TLE."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from xml.sax.saxutils import escape

from orbitlake.exports.ephemeris import Ephemeris
from orbitlake.exports.export import Export, safe_file_name
from orbitlake.exports.oem import KVN, MEDIA_TYPES, joined
from orbitlake.oem.reader.issue import DESIGNATOR
from orbitlake.oem.writer.xml import DECLARATION, INDENT, ROOT_ATTRIBUTES
from orbitlake.trajectory.arcs import SECOND_US
from orbitlake.trajectory.element_fit import elements_of
from orbitlake.trajectory.fitted_elements import FittedElements

ORIGINATOR: Final = "ORBITLAKE"
HOURS: Final = 24.0
"""A day of states tells drag from what SGP4 leaves out: on NASA's issues elements of 24 h are off by 1 km a day after
their epoch, those of 6 h by 10 km."""
CATALOGUE_NUMBERS: Final = {"1998-067A": 25544}
"""Of the United States' catalogue; no ephemeris says it."""
LAST_TLE_NUMBER: Final = 99_999
UNIX_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
Fields = list[tuple[str, str]]


def fit(ephemeris: Ephemeris, epoch: datetime | None = None, hours: float = HOURS) -> FittedElements:
    """Return the elements of the states within half of so many hours of an epoch, a datetime with a zone.

    Without one it is the epoch nearest to CREATION_DATE about which the issue covers such a span without a burn. Raises
    FitError, a ValueError, where there is none, and where SGP4 cannot follow the states.
    """
    near_us = ((epoch or ephemeris.creation_date) - UNIX_EPOCH) // timedelta(microseconds=1)
    return elements_of(ephemeris.arcs, near_us, hours * 3600, exactly=epoch is not None)


def to_omm(
    ephemeris: Ephemeris,
    elements: FittedElements | None = None,
    form: str = KVN,
    *,
    created: datetime | None = None,
    catalogue_number: int | None = None,
) -> Export:
    """Return an OMM, `kvn` or `xml`, of elements of the issue, by default those that `fit` gives.

    Its comments say how good they are. `created` is its CREATION_DATE, by default that of the issue. NORAD_CAT_ID is
    left out where it is not given and not among CATALOGUE_NUMBERS. Raises FitError as `fit` does.
    """
    elements = elements or fit(ephemeris)
    number = catalogue_number or CATALOGUE_NUMBERS.get(ephemeris.object_id)
    header = [("CREATION_DATE", _time(created or ephemeris.creation_date)), ("ORIGINATOR", ORIGINATOR)]
    metadata = [
        ("OBJECT_NAME", ephemeris.object_name),
        ("OBJECT_ID", ephemeris.object_id),
        ("CENTER_NAME", "EARTH"),
        ("REF_FRAME", "TEME"),
        ("TIME_SYSTEM", "UTC"),
        ("MEAN_ELEMENT_THEORY", "SGP4"),
    ]
    data = (_comments(ephemeris, elements), _mean_elements(elements), _tle_parameters(elements, number))
    lines = _kvn_lines(header, metadata, *data) if form == KVN else _xml_lines(header, metadata, *data)
    return Export(_file_name(ephemeris, elements, f"omm.{form}"), MEDIA_TYPES[form], [joined(lines)])


def to_tle(
    ephemeris: Ephemeris, elements: FittedElements | None = None, *, catalogue_number: int | None = None
) -> Export:
    """Return the object's name and the two lines of elements of the issue, by default those that `fit` gives.

    Raises ValueError where no catalogue number is known, or where it or the designator does not fit into a TLE, and
    FitError as `fit` does.
    """
    number = catalogue_number or CATALOGUE_NUMBERS.get(ephemeris.object_id)
    if number is None:
        raise ValueError(f"the catalogue number of {ephemeris.object_id} is not known: give it, or take an OMM")
    elements = elements or fit(ephemeris)
    lines = [ephemeris.object_name[:24], *tle_lines(elements, ephemeris.object_id, number)]
    return Export(_file_name(ephemeris, elements, "tle"), MEDIA_TYPES[KVN], [joined(lines)])


def tle_lines(elements: FittedElements, object_id: str, catalogue_number: int) -> tuple[str, str]:
    """Return the two lines, 69 characters each. Raises ValueError for a number or a designator that does not fit.

    The rates of the mean motion, which SGP4 does not read, are 0, and so is the revolution number, which no ephemeris
    says; the set is number 999, as those are that nobody counts.
    """
    designator = DESIGNATOR.fullmatch(object_id)
    if not 0 < catalogue_number <= LAST_TLE_NUMBER:
        raise ValueError(f"catalogue number {catalogue_number} does not fit into a TLE: take an OMM")
    if designator is None:
        raise ValueError(f"{object_id} is no international designator, which a TLE needs: take an OMM")
    epoch = _utc(elements.epoch_us)
    launch = f"{designator[1][2:]}{designator[2]}{designator[3].upper()}"
    midnight = epoch.replace(hour=0, minute=0, second=0, microsecond=0)
    grains = (epoch - midnight) // timedelta(microseconds=864)
    first = (
        f"1 {catalogue_number:05d}U {launch:<8} {epoch:%y%j}.{grains:08d}  .00000000  00000+0 "
        f"{_with_exponent(elements.bstar)} 0  999"
    )
    second = (
        f"2 {catalogue_number:05d} {elements.inclination_deg:8.4f} {elements.node_deg:8.4f} "
        f"{round(elements.eccentricity * 1e7):07d} {elements.perigee_deg:8.4f} {elements.mean_anomaly_deg:8.4f} "
        f"{elements.mean_motion_rev_d:11.8f}    0"
    )
    return first + _checksum(first), second + _checksum(second)


def _checksum(line: str) -> str:
    """Return the last digit of a line: the sum of its digits, a minus sign for 1, modulo 10."""
    return str(sum(int(sign) if sign.isdigit() else sign == "-" for sign in line) % 10)


def _with_exponent(value: float) -> str:
    """Return a number in eight characters, such as -11606-4 for -0.11606e-4."""
    if abs(value) < 1e-10:
        return " 00000+0"
    mantissa, exponent = f"{abs(value):.4e}".split("e")
    power = int(exponent) + 1
    return f"{'-' if value < 0 else ' '}{mantissa.replace('.', '')}{'-' if power < 0 else '+'}{abs(power)}"


def _file_name(ephemeris: Ephemeris, elements: FittedElements, suffix: str) -> str:
    return safe_file_name(ephemeris.object_name, ephemeris.object_id, _utc(elements.epoch_us), suffix=suffix)


def _comments(ephemeris: Ephemeris, elements: FittedElements) -> list[str]:
    span_h = (elements.stop_us - elements.start_us) / SECOND_US / 3600
    return [
        f"Fitted to the ephemeris of {_time(ephemeris.creation_date)}: {span_h:g} h of positions, from "
        f"{_time(_utc(elements.start_us))} to {_time(_utc(elements.stop_us))}",
        f"SGP4 is off these positions by {elements.rms_km:.3f} km (RMS), {elements.worst_km:.3f} km at most",
        "REV_AT_EPOCH and the rates of MEAN_MOTION are 0 for want of a value: SGP4 reads neither",
    ]


def _mean_elements(elements: FittedElements) -> Fields:
    return [
        ("EPOCH", _utc(elements.epoch_us).strftime("%Y-%m-%dT%H:%M:%S.%f")),
        ("MEAN_MOTION", f"{elements.mean_motion_rev_d:.8f}"),
        ("ECCENTRICITY", f"{elements.eccentricity:.7f}"),
        ("INCLINATION", f"{elements.inclination_deg:.4f}"),
        ("RA_OF_ASC_NODE", f"{elements.node_deg:.4f}"),
        ("ARG_OF_PERICENTER", f"{elements.perigee_deg:.4f}"),
        ("MEAN_ANOMALY", f"{elements.mean_anomaly_deg:.4f}"),
    ]


def _tle_parameters(elements: FittedElements, catalogue_number: int | None) -> Fields:
    number = [] if catalogue_number is None else [("NORAD_CAT_ID", str(catalogue_number))]
    return [
        ("EPHEMERIS_TYPE", "0"),
        ("CLASSIFICATION_TYPE", "U"),
        *number,
        ("ELEMENT_SET_NO", "999"),
        ("REV_AT_EPOCH", "0"),
        ("BSTAR", f"{elements.bstar:.4e}"),
        ("MEAN_MOTION_DOT", "0"),
        ("MEAN_MOTION_DDOT", "0"),
    ]


def _kvn_lines(header: Fields, metadata: Fields, comments: list[str], mean: Fields, tle: Fields) -> Iterator[str]:
    yield "CCSDS_OMM_VERS = 2.0"
    for fields in (header, metadata, [("COMMENT", comment) for comment in comments], mean, tle):
        for keyword, value in fields:
            yield f"COMMENT {value}" if keyword == "COMMENT" else f"{keyword:<19} = {value}"


def _xml_lines(header: Fields, metadata: Fields, comments: list[str], mean: Fields, tle: Fields) -> Iterator[str]:
    yield DECLARATION
    yield f'<omm{ROOT_ATTRIBUTES} id="CCSDS_OMM_VERS" version="2.0">'
    yield from _leaves("header", header, 1)
    yield f"{INDENT}<body>"
    yield f"{INDENT * 2}<segment>"
    yield from _leaves("metadata", metadata, 3)
    yield f"{INDENT * 3}<data>"
    yield from (f"{INDENT * 4}<COMMENT>{escape(comment)}</COMMENT>" for comment in comments)
    yield from _leaves("meanElements", mean, 4)
    yield from _leaves("tleParameters", tle, 4)
    yield f"{INDENT * 3}</data>"
    yield f"{INDENT * 2}</segment>"
    yield f"{INDENT}</body>"
    yield "</omm>"


def _leaves(name: str, fields: Fields, depth: int) -> Iterator[str]:
    yield f"{INDENT * depth}<{name}>"
    yield from (f"{INDENT * (depth + 1)}<{keyword}>{escape(value)}</{keyword}>" for keyword, value in fields)
    yield f"{INDENT * depth}</{name}>"


def _utc(utc_us: int) -> datetime:
    return UNIX_EPOCH + timedelta(microseconds=utc_us)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
