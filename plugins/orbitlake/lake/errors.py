"""What is said of data that does not fit, in words that a line of UTF-8 can hold."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager


class LakeError(Exception):
    """Data that does not fit its table or its place; nothing was written."""


class DamagedFileError(LakeError):
    """A published file that is no whole Parquet file."""


def printable(text: object) -> str:
    """Return a text in one line that UTF-8 can write: escaped is what a file's name may hold and a line may not."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in str(text))


@contextmanager
def errors_in_utf8() -> Iterator[None]:
    """Raise an error whose text UTF-8 cannot write, such as one that names a file, as one that it can.

    Spark's Python workers announce an error before they encode its text: where that fails they send nothing more, and
    the driver waits for the text for ever. So whatever Spark calls in Python is to run within this.
    """
    try:
        yield
    except Exception as error:
        try:
            "".join(traceback.format_exception(error)).encode()
        except UnicodeEncodeError:
            raise LakeError(printable(f"{type(error).__name__}: {error}")) from None
        raise
