"""The raw side of a stream without Spark: batches taken and committed as Spark writes them down."""

import json
from pathlib import Path

from orbitlake.lake import Lake
from orbitlake.positions.raw.backlog import Backlog, nothing_read
from orbitlake.positions.raw.segments import lines_in, read_piece

DAY = "date=2026-11-20"


class Streamed:
    """Raw files of a lake, and a checkpoint whose stream has committed what it was given."""

    def __init__(self, lake: Lake, query: str = "0123456789abcdef"):
        self.lake, self.root, self.spark = lake, lake.raw_open_notify, lake.checkpoints / query
        self.root.mkdir(parents=True, exist_ok=True)
        self.spark.mkdir(parents=True, exist_ok=True)
        (self.spark / "metadata").write_text(json.dumps({"id": query}))

    def land(self, files: dict[str, bytes]) -> None:
        for name, content in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_bytes(content)

    def backlog(self) -> Backlog:
        """Start anew, as the driver's first question after a start does."""
        return Backlog(self.lake, self.spark)

    @property
    def offset(self) -> dict:
        done = [int(file.name) for file in (self.spark / "commits").glob("*")]
        text = (self.spark / "offsets" / str(max(done))).read_text() if done else f"\n{json.dumps(nothing_read())}"
        return json.loads(text.splitlines()[-1])

    def commit(self, offset: dict) -> None:
        """Leave Spark's word that a batch is done, as Spark 4.2 does."""
        number = len(list((self.spark / "commits").glob("*")))
        for folder, content in (("offsets", f'v1\n{{"batchWatermarkMs":0}}\n{json.dumps(offset)}'), ("commits", "v1")):
            (self.spark / folder).mkdir(exist_ok=True)
            (self.spark / folder / str(number)).write_text(content)

    def lines(self, backlog: Backlog, start: dict, end: dict, tasks: int = 2) -> list[bytes]:
        """What the tasks of a batch read."""
        shares = backlog.pieces(start, end, tasks)
        read = [(piece, read_piece(self.root, piece)) for pieces in shares for piece in pieces]
        read.sort(key=lambda each: (each[0].name, each[0].begin))
        return [line for _, (begin, content) in read for _, line in lines_in(content, begin)]

    def read(self, max_bytes: int = 10**9) -> list[bytes]:
        """Take and commit batches until there is none; return their lines."""
        backlog, lines = self.backlog(), []
        while (end := backlog.next_offset(start := self.offset, max_bytes)) != start:
            lines += self.lines(backlog, start, end)
            self.commit(end)
        return lines

    def files(self) -> list[str]:
        """All files below the raw folder, hidden ones too."""
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file())


def quarantined(lake: Lake) -> list[bytes]:
    files = lake.quarantine.iterdir() if lake.quarantine.exists() else ()
    return sorted(file.read_bytes() for file in files if not file.name.endswith(".reason.json"))


def reasons(lake: Lake) -> list[str]:
    return sorted(json.loads(file.read_text())["reason"] for file in lake.quarantine.glob("*.reason.json"))


def whole_lines(root: Path) -> list[bytes]:
    """The lines of all segments and sealed files below a raw folder, by gzip and split alone."""
    import gzip

    found = []
    for path in root.glob("date=*/*.jsonl*"):
        if path.is_file() and not path.name.startswith("."):
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            found += content.split(b"\n")[:-1]
    return found
