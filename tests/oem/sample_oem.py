"""A small OEM in NASA's layout, in both notations: tests state what matters to them and leave the rest."""

from collections.abc import Sequence

HEADER = ("CREATION_DATE  = 2023-03-24T22:55:31.604", "ORIGINATOR     = NASA/JSC/FOD/TOPO")
METADATA = {
    "OBJECT_NAME": "ISS",
    "OBJECT_ID": "1998-067-A",
    "CENTER_NAME": "Earth",
    "REF_FRAME": "EME2000",
    "TIME_SYSTEM": "UTC",
    "START_TIME": "2023-03-24T18:41:29.004",
    "STOP_TIME": "2023-03-24T18:49:29.004",
}
STATES = (
    "2023-03-24T18:41:29.004 4482.28542 -1945.87905 -4735.454317 5.092194343892 4.987268857019 2.771174646982",
    "2023-03-24T18:45:29.004 5527.58202172178 -693.041910434021 -3906.72972671678 3.565401738 5.389737670 4.093092360",
    "2023-03-24T18:49:29.004 6172.791602633 609.934836105927 -2794.45978649235 1.778185763 5.402385988 5.119573569",
)
COVARIANCE = (
    "COVARIANCE_START",
    "EPOCH = 2023-03-24T18:41:29.004",
    "1",
    "2 3",
    "4 5 6",
    "7 8 9 10",
    "11 12 13 14 15",
    "16 17 18 19 20 21",
    "COVARIANCE_STOP",
)
STATE_ELEMENTS = ("EPOCH", "X", "Y", "Z", "X_DOT", "Y_DOT", "Z_DOT", "X_DDOT", "Y_DDOT", "Z_DDOT")


def kvn(
    *,
    version: str = "2.0",
    header: Sequence[str] = HEADER,
    metadata: dict[str, str | None] | None = None,
    comments: Sequence[str] = (),
    states: Sequence[str] = STATES,
    after: Sequence[str] = (),
) -> bytes:
    """Return a text file; a metadata value of None leaves its line out."""
    lines = [f"CCSDS_OEM_VERS = {version}", *header, "", *segment(metadata, comments, states), *after]
    return "\n".join(lines).encode()


def segment(
    metadata: dict[str, str | None] | None = None, comments: Sequence[str] = (), states: Sequence[str] = STATES
) -> list[str]:
    """Return the lines of one segment."""
    values = METADATA | (metadata or {})
    assignments = [f"{keyword} = {value}" for keyword, value in values.items() if value is not None]
    return ["META_START", *assignments, "META_STOP", "", *(f"COMMENT {text}" for text in comments), *states]


def xml(
    *,
    version: str = "2.0",
    metadata: dict[str, str] | None = None,
    comments: Sequence[str] = (),
    states: Sequence[str] = STATES,
    after: str = "",
) -> bytes:
    """Return the same file in XML, one element a line."""
    values = "\n".join(f"<{key}>{value}</{key}>" for key, value in (METADATA | (metadata or {})).items())
    remarks = "\n".join(f"<COMMENT>{text}</COMMENT>" for text in comments)
    vectors = "\n".join(state_vector(state) for state in states)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ndm>
<oem id="CCSDS_OEM_VERS" version="{version}">
<header>
<CREATION_DATE>2023-083T22:55:31.604Z</CREATION_DATE>
<ORIGINATOR>JSC</ORIGINATOR>
</header>
<body>
<segment>
<metadata>
{values}
</metadata>
<data>
{remarks}
{vectors}
{after}
</data>
</segment>
</body>
</oem>
</ndm>
""".encode()


def state_vector(state: str) -> str:
    """Return one state as an element, with units as NASA writes them."""
    units = ["", *[' units="km"'] * 3, *[' units="km/s"'] * 3, *[' units="km/s**2"'] * 3]
    fields = zip(STATE_ELEMENTS, state.split(), units, strict=False)
    inside = "\n".join(f"<{name}{unit}>{value}</{name}>" for name, value, unit in fields)
    return f"<stateVector>\n{inside}\n</stateVector>"
