"""Recordings of the feeds by other people -> raw records: what they say, and no more."""

import csv
import gzip
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

OLDER_KEYS = {"lattitude": "latitude", "lat": "latitude", "lng": "longitude", "lon": "longitude", "time": "timestamp"}
OLDER_KEYS |= {"ts": "timestamp", "iss_position_latitude": "latitude", "iss_position_longitude": "longitude"}


def raw_lines(recording: Path) -> list[bytes]:
    """Return a raw record for each line of a recording that has time and position."""
    content = gzip.decompress(recording.read_bytes()) if recording.suffix == ".gz" else recording.read_bytes()
    text = content.decode("utf-8-sig")
    rows = from_json(text) if recording.suffix == ".jsonl" else from_csv(text, has_header=recording.suffix != ".txt")
    return [json.dumps(row).encode() + b"\n" for row in rows]


def from_json(text: str) -> Iterator[dict]:
    for line in text.splitlines():
        body = json.loads(line)
        yield {**body["iss_position"], "timestamp": body["timestamp"]}


def from_csv(text: str, *, has_header: bool) -> Iterator[dict]:
    lines = list(csv.reader(text.splitlines()))
    header = lines.pop(0) if has_header else ["started", "fetched_unix_s", "timestamp", "latitude", "longitude"]
    names = [OLDER_KEYS.get(name.lower(), name.lower()) for name in header]
    for line in lines:
        row = dict(zip(names, line, strict=False))
        if row.get("timestamp") and row.get("latitude") and row.get("longitude"):
            stamp = unix_s(row["timestamp"])
            record = {"latitude": row["latitude"], "longitude": row["longitude"], "timestamp": stamp}
            if fetched := row.get("fetched_at") or row.get("fetched_unix_s"):
                at = datetime.fromtimestamp(unix_s(fetched), UTC)
                record |= {"fetch_time": at.isoformat().replace("+00:00", "Z")}
            yield record


def unix_s(text: str) -> float:
    """Return Unix seconds; local times without a zone, of which only differences matter here, count as UTC."""
    if re.fullmatch(r"[0-9.]+", text):
        return float(text)
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%d-%B-%Y, %I:%M:%S %p IST"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    return datetime.fromisoformat(text).timestamp()


def stamps_of(lines: list[bytes]) -> list[datetime]:
    """The times of the polls of raw records, each once, in order."""
    records = map(json.loads, lines)
    return sorted(
        {
            datetime.fromisoformat(record["fetch_time"])
            if "fetch_time" in record
            else datetime.fromtimestamp(0, UTC) + timedelta(microseconds=round(record["timestamp"] * 1e6))
            for record in records
        }
    )
