"""What tells one object from another: OBJECT_ID, or OBJECT_NAME where OBJECT_ID says nothing."""

import re
from typing import Final

SAYS_NOTHING: Final = frozenset(
    {
        *("ANONYMOUS", "BLANK", "CLASSIFIED", "CONFIDENTIAL", "DUMMY", "EMPTY", "MISSING", "PLACEHOLDER", "REDACTED"),
        *("NA", "NAN", "NIL", "NOID", "NONE", "NOTAPPLICABLE", "NOTASSIGNED", "NOTAVAILABLE", "NOTDEFINED"),
        *("NOTDISCLOSED", "NOTKNOWN", "NOTSPECIFIED", "NOTYETASSIGNED", "NULL", "RESTRICTED", "SECRET", "WITHHELD"),
        *("TBA", "TBC", "TBD", "TBN", "TBS", "TOBEANNOUNCED", "TOBEASSIGNED", "TOBECONFIRMED", "TOBEDEFINED"),
        *("TOBEDETERMINED", "UNASSIGNED", "UNAVAILABLE", "UNCATALOGED", "UNCATALOGUED", "UNDEFINED", "UNDETERMINED"),
        *("UNDISCLOSED", "UNIDENTIFIED", "UNK", "UNKN", "UNKNOWN", "UNNAMED", "UNREGISTERED", "UNSPECIFIED", "XXX"),
    }
)
"""Letters and digits of an OBJECT_ID, in capitals, that stand for none."""
NO_LETTER_OR_DIGIT: Final = re.compile(r"[\W_]+")


def names_no_object(object_id: str) -> bool:
    """Say whether an OBJECT_ID leaves open which object it is, such as UNKNOWN, N/A, `-`, or zeros alone.

    Different objects share such an id. Blanks, signs and capitals make no difference.
    """
    said = NO_LETTER_OR_DIGIT.sub("", object_id).upper()
    return said.strip("0") == "" or said in SAYS_NOTHING
