"""Raw files by a seed, as unkind as the feed and the disk can be, and what must come of them."""

import json
import random
from dataclasses import dataclass, field
from datetime import timedelta

from tests.positions.samples import ISS, START, line, orbit

from orbitlake.lake import Lake
from orbitlake.positions.raw.segments import SegmentWriter

OBJECTS = {ISS: 0, "2021-035A": 1700, "1990-037B": 3400}
"""Objects and how many seconds each is ahead on one and the same ground track."""
SECONDS_BETWEEN_POLLS = 5
FIRST_POLL_S = 42_000
"""20 minutes before a midnight."""


@dataclass
class Landing:
    """Files in the order in which they land, and an account of the lines in them."""

    files: list[tuple[str, str]] = field(default_factory=list)
    fixes: list[dict] = field(default_factory=list)
    polls: int = 0
    failed_polls: int = 0
    bad_lines: list[str] = field(default_factory=list)


def unkind_records(polls: int, seed: int) -> Landing:
    """Return the raw files of `polls` polls: repeats, disorder, failures, torn files, records of the older form."""
    choose = random.Random(seed)
    landing = Landing()
    texts = [(number, poll(number, choose, landing)) for number in range(polls)]
    for number, text in choose.sample(texts, polls // 20):
        texts.append((number, text))
        landing.polls += 1
        landing.failed_polls += '"error": "timeout"' in text
    texts = [text for _, text in sorted(texts, key=lambda each: arrival(each[0], choose))]
    while texts:
        lines = [texts.pop(0) for _ in range(min(len(texts), choose.choice([1, 1, 1, 2, 6])))]
        content = "\n".join(lines) + "\n"
        if choose.random() < 0.05:
            # Unlike every other line, and long enough that a prefix of it is like none either.
            torn = json.dumps({"object_id": ISS, "mark": f"{choose.getrandbits(64):016x}", "latitude": 1.0})
            torn = torn[: choose.randrange(50, len(torn))]
            landing.bad_lines.append(torn)
            content += torn
        landing.files.append((f"{len(landing.files):06d}-{choose.getrandbits(32):08x}.json", content))
    return landing


def arrival(number: int, choose: random.Random) -> float:
    """Where a poll comes in the order of landing: most nearly in turn, some hours late."""
    return number + (choose.uniform(0, 2000) if choose.random() < 0.02 else choose.gauss(0, 15))


def poll(number: int, choose: random.Random, landing: Landing) -> str:
    """Return the line of one poll and enter it in the account."""
    landing.polls += 1
    object_id = choose.choice(list(OBJECTS))
    second = FIRST_POLL_S + number * SECONDS_BETWEEN_POLLS / len(OBJECTS) // 1
    (row,) = orbit([second + OBJECTS[object_id]], object_id=object_id)
    row |= {"event_time": START + timedelta(seconds=second), "fetch_time": START + timedelta(seconds=second + 0.5)}
    chance = choose.random()
    if chance < 0.05:
        landing.failed_polls += 1
        empty = {"latitude": None, "longitude": None, "timestamp": None, "error": "timeout"}
        return json.dumps(json.loads(line(row)) | empty)
    if chance < 0.10 and object_id == ISS:
        landing.fixes.append(row | {"fetch_time": None})
        older = {"latitude": row["latitude_deg"], "longitude": row["longitude_deg"]}
        older |= {"timestamp": row["event_time"].timestamp(), "fetch_time": "2025-12-21T13:35:30.588242"}
        return json.dumps(older | {"altitude_km": 408.0, "velocity_km_s": 0.0})
    if chance < 0.15 and landing.fixes:
        known = choose.choice(landing.fixes[-200:])
        fetched = (known["fetch_time"] or known["event_time"]) + timedelta(seconds=choose.choice([-0.25, 3]))
        row = known | {"fetch_time": fetched}
    landing.fixes.append(row)
    return line(row)


def land(files: list[tuple[str, str]], lake: Lake) -> int:
    """Append the files to segments as collectors do, each of which dies with its first torn line.

    Every fifth file is dropped into the inbox instead. Returns how many torn lines there are: they are bad records.
    """
    writer = SegmentWriter(lake)
    for number, (name, content) in enumerate(files):
        is_torn = not content.endswith("\n")
        if number % 5 == 0:
            inbox = lake.inbox_open_notify / name
            inbox.parent.mkdir(parents=True, exist_ok=True)
            inbox.write_text(content)
        else:
            writer.append(content.encode(), START)
            if is_torn:
                writer.close()
                writer = SegmentWriter(lake)
    writer.close()
    return sum(not content.endswith("\n") for _, content in files)
