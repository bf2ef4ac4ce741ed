"""Seeded recordings with every trouble that a feed can have, and the gaps that must be found in them."""

import gzip
import json
import math
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from orbitlake.lake import Lake
from orbitlake.lake.paths import day_folder
from orbitlake.positions.record import RawRecord

ISS = "1998-067A"
MIDNIGHT = datetime(2026, 3, 11, tzinfo=UTC)
ERRORS = ("timeout: no answer within 5.0 s", "http 429: Too Many Requests", "http 500", "not JSON: x", "HTML: a page")
OFF, FROZEN, LATE = "collector not running", "frozen", "late"
INTERVALS_S = (1, 2, 5, 10, 30, 60)
JITTER = 0.02
"""Of an interval: how late a poll may be asked."""


@dataclass(frozen=True)
class Tick:
    """One poll that was due: what became of it, and its record if it was made."""

    number: int
    fate: str
    record: RawRecord | None

    @property
    def is_news(self) -> bool:
        return self.fate == "ok"


@dataclass
class Pattern:
    """Polls of one collector at one interval, what goes wrong with them, and what must be said of that."""

    seed: int
    interval_s: int = 0
    ticks: list[Tick] = field(default_factory=list)

    def __post_init__(self):
        chance = self.chance = random.Random(self.seed)
        self.interval_s = chance.choice(INTERVALS_S)
        count = chance.randint(150, 420)
        before = chance.randint(0, count) if chance.random() < 0.7 else -chance.randint(5, 900)
        self.start = MIDNIGHT - timedelta(seconds=before * self.interval_s - 0.1)
        fates = self.fates(count)
        answer = None
        for number, (fate, detail) in enumerate(fates):
            record = None if fate == OFF else self.record(number, fate, detail, answer)
            if record is not None and record.latitude is not None:
                answer = record
            self.ticks.append(Tick(number, fate, record))
        self.made = [tick for tick in self.ticks if tick.record]
        self.now = max(tick.record.fetch_time for tick in self.made) + timedelta(microseconds=1)
        if abs(self.waited(self.now) - 3.25) < 0.1:
            self.now += timedelta(seconds=0.2 * self.interval_s)

    def fates(self, count: int) -> list[tuple[str, object]]:
        """What becomes of each tick: troubles one after the other, and here and there a single one."""
        chance = self.chance
        lost, failed = chance.choice([0, 0, 0.02, 0.1]), chance.choice([0, 0, 0.02, 0.05])
        fates: list[tuple[str, object]] = [("ok", None)] * count
        for number in range(count):
            drawn = chance.random()
            if drawn < lost:
                fates[number] = OFF, None
            elif drawn < lost + failed:
                fates[number] = self.failure()
        for _ in range(chance.randint(0, 5)):
            length = chance.choice([1, 2, 3, 4, 5, chance.randint(4, 60)])
            begin = chance.randrange(count)
            kind = chance.choice([OFF, FROZEN, LATE, "error"])
            detail = {FROZEN: chance.random() < 0.5, LATE: chance.randint(100, 4000)}.get(kind)
            fate = self.failure() if kind == "error" else (kind, detail)
            for number in range(begin, min(begin + length, count)):
                fates[number] = fate
        # Somebody was there at both ends, and a feed that stands still must have moved before.
        fates[0] = fates[1] = fates[-1] = ("ok", None)
        if chance.random() < 0.3:
            for number in range(count - chance.randint(1, 12), count):
                fates[number] = self.failure()
        return fates

    def failure(self) -> tuple[str, object]:
        error = self.chance.choice(ERRORS)
        return error.partition(":")[0], error

    def record(self, number: int, fate: str, detail: object, answer: RawRecord | None) -> RawRecord:
        chance, interval_s = self.chance, self.interval_s
        asked = self.start + timedelta(seconds=interval_s * (number + JITTER * chance.random()))
        is_failure = fate not in ("ok", FROZEN, LATE)
        latency_ms = round(1000 * interval_s * chance.uniform(0.01, 0.9 if is_failure else 0.4), 3)
        fetched = asked + timedelta(milliseconds=latency_ms)
        if is_failure:
            return RawRecord(ISS, "open_notify", fetched, latency_ms, error=str(detail))
        stamp = math.floor(asked.timestamp()) - (int(detail) if fate == LATE else 0)
        latitude, longitude = round(51 * math.sin(number / 61), 4), round(0.0371 * number - 90, 4)
        if fate == FROZEN and answer is not None:
            latitude, longitude = answer.latitude, answer.longitude
            stamp = answer.timestamp if detail else stamp
        return RawRecord(ISS, "open_notify", fetched, latency_ms, 200, None, latitude, longitude, stamp)

    @property
    def anchors(self) -> list[Tick]:
        """The polls with news, and the very first one."""
        return [tick for tick in self.made if tick.is_news or tick is self.made[0]]

    def waited(self, now: datetime) -> float:
        """How long no news has come by `now`, in intervals."""
        last = self.anchors[-1].record
        return (now - last.fetch_time + timedelta(milliseconds=last.latency_ms)).total_seconds() / self.interval_s

    def expected(self) -> list[tuple[datetime, datetime | None, str | None]]:
        """Return begin, end and cause of each gap, in order; None for a cause where several are mixed."""
        anchors = self.anchors
        gaps = []
        for begin, end in pairwise(anchors):
            if end.number - begin.number > 3:
                fates = {tick.fate for tick in self.ticks[begin.number + 1 : end.number]}
                fates |= set() if begin.is_news else {begin.fate}
                gaps.append((begin.record.fetch_time, end.record.fetch_time, fates.pop() if len(fates) == 1 else None))
        if self.waited(self.now) > 3.25:
            gaps.append((anchors[-1].record.fetch_time, None, None))
        return gaps

    def files(self) -> dict[str, bytes]:
        """Return the raw files: segments or sealed days, some lines late, twice, out of order or torn."""
        chance = self.chance
        lines: dict[str, list[bytes]] = {}
        late = "date=2026-03-20/20260320T120000.000000Z-0badcafe.jsonl"
        for tick in self.made:
            line, day = tick.record.to_json(), tick.record.fetch_time.date()
            part = 2 * tick.number // len(self.ticks)
            home = f"{day_folder(day)}/{day:%Y%m%d}T{part:06d}.000000Z-c0ffee0{part}.jsonl"
            drawn = chance.random()
            for name in [late] if drawn < 0.03 else [home, home] if drawn < 0.06 else [home]:
                lines.setdefault(name, []).append(line)
            if 0.06 < drawn < 0.09:
                lines.setdefault(late, []).append(line)
        files = {}
        for name, some in lines.items():
            if chance.random() < 0.3:
                chance.shuffle(some)
            content = b"".join(some)
            if chance.random() < 0.3:
                name, content = name + ".gz", gzip.compress(content, mtime=0)
            elif chance.random() < 0.3:
                content += some[0][: chance.randint(1, 60)]
            files[name] = content
        return files


def put(lake: Lake, files: dict[str, bytes]) -> None:
    """Put raw files where they belong."""
    for name, content in files.items():
        path = lake.raw_open_notify / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def line(at: datetime, **other) -> bytes:
    """A raw record of a fix that is received at `at`; other columns replace its own."""
    record = {
        "object_id": ISS,
        "source": "open_notify",
        "fetch_time": at.isoformat().replace("+00:00", "Z"),
        "latency_ms": 0.0,
        "http_status": 200,
        "error": None,
        "latitude": round(51 * math.sin(at.timestamp() / 900), 4),
        "longitude": round(at.timestamp() / 31 % 360 - 180, 4),
        "timestamp": math.floor(at.timestamp()),
        "altitude_km": None,
    }
    return json.dumps(record | other).encode() + b"\n"


def published(root: Path) -> dict[str, bytes]:
    """The published files of a lake."""
    return {str(file.relative_to(root)): file.read_bytes() for file in sorted((root / "lake").rglob("*.parquet"))}
