"""Whatever words a message has, both notations keep them: written and taken apart again they are the same."""

import string

from hypothesis import given, settings
from hypothesis import strategies as st

from orbitlake.exports.oem import FORMS, oem_bytes
from orbitlake.oem.reader.message import HEADER_KEYWORDS, METADATA_KEYWORDS
from orbitlake.oem.writer.printed import PrintedCovariance, PrintedOem, PrintedSegment
from orbitlake.oem.writer.words import printed_all

EXPONENTS = st.sampled_from(["", "e-07", "E+3"])
SIGNS = string.ascii_letters + string.digits + string.punctuation + " "
NUMBERS = st.builds("{}{}.{:07d}{}".format, st.sampled_from(["", "-", "+"]), *[st.integers(0, 10**9)] * 2, EXPONENTS)
EPOCHS = st.builds(
    "2026-{:03d}T00:00:00.{:06d}{}".format, st.integers(1, 365), st.integers(0), st.sampled_from(["", "Z"])
)
VALUES = st.text(SIGNS, min_size=1).map(str.strip).filter(bool)
COMMENTS = st.lists(st.text(SIGNS + "äΩ三").map(str.rstrip), max_size=4)


def assignments(keywords: dict[str, str]) -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries({}, optional=dict.fromkeys(keywords, VALUES))


STATES = st.one_of(*(st.tuples(EPOCHS, *[NUMBERS] * count) for count in (6, 9)))
COVARIANCES = st.builds(
    PrintedCovariance, EPOCHS, st.none() | st.sampled_from(["RTN", "EME2000"]), st.tuples(*[NUMBERS] * 21), COMMENTS
)
SEGMENTS = st.builds(
    PrintedSegment,
    metadata=assignments(METADATA_KEYWORDS),
    metadata_comments=COMMENTS,
    comments=COMMENTS,
    states=st.lists(STATES, min_size=1, max_size=4),
    covariances=st.lists(COVARIANCES, max_size=2),
)
MESSAGES = st.builds(
    PrintedOem,
    version=st.sampled_from(["1.0", "2.0", "3.0"]),
    header=assignments(HEADER_KEYWORDS),
    header_comments=COMMENTS,
    segments=st.lists(SEGMENTS, min_size=1, max_size=2),
)


@settings(max_examples=100, deadline=None)
@given(MESSAGES)
def test_words_survive_both_notations(message: PrintedOem):
    for form in FORMS:
        assert printed_all(oem_bytes(message, form), form) == (message,)
