"""An export lands whole or not at all, under a name that any system takes."""

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orbitlake.exports.export import Export, safe_file_name

CREATED = datetime(2023, 3, 24, 22, 55, 31, tzinfo=UTC)


def export(*content: bytes) -> Export:
    return Export("name.txt", "text/plain", content)


def test_file_is_replaced_whole_and_nothing_else_is_left(tmp_path: Path):
    target = tmp_path / "deep.txt"
    target.write_bytes(b"old")

    assert export(b"new ", b"content").save(target) == target
    assert target.read_bytes() == b"new content"
    assert list(tmp_path.iterdir()) == [target]


def test_old_file_stays_where_the_new_one_fails(tmp_path: Path):
    def failing() -> Iterator[bytes]:
        yield b"half"
        raise LookupError

    target = tmp_path / "file.txt"
    target.write_bytes(b"old")
    with pytest.raises(LookupError):
        Export("name.txt", "text/plain", failing()).save(target)

    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_folder_takes_the_file_under_its_own_name(tmp_path: Path):
    assert export(b"x").save(tmp_path) == tmp_path / "name.txt"


def test_link_stays_a_link(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "real" / "file.txt")
    export(b"x").save(tmp_path / "link.txt")

    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real" / "file.txt").read_bytes() == b"x"


def test_pipe_is_written_to_and_stays_one(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    taken: list[bytes] = []
    reader = threading.Thread(target=lambda: taken.append(pipe.read_bytes()))
    reader.start()
    export(b"through ", b"it").save(pipe)
    reader.join()

    assert taken == [b"through it"]
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("ISS", "1998-067A", CREATED), "ISS_1998-067A_20230324T225531Z.oem"),
        (("../../etc/passwd",), "etc-passwd.oem"),
        (('a"b\r\nc;d', "Звезда"), "a-b-c-d.oem"),
        (("..", ""), "export.oem"),
        (("x" * 500,), "x" * 120 + ".oem"),
    ],
)
def test_name_is_safe_whatever_it_is_made_of(parts: tuple[str | datetime, ...], name: str):
    assert safe_file_name(*parts, suffix="oem") == name
