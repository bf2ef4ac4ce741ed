"""Recordings become bodies: every shape people wrote, each row once, torn rows torn."""

import gzip
import json
from pathlib import Path

import pytest

from orbitlake.simulator.replay import RECORDED_FEED, RECORDED_OEM, RecordingError, Replay, read_feed, read_oem

ONE_FIX = {
    "message": "success",
    "timestamp": 1719732733,
    "iss_position": {"latitude": "32.3472", "longitude": "8.2422"},
}


def recording(folder: Path, text: str, name: str = "feed.csv") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "Timestamp,Latitude,Longitude\r\n1719732733,32.3472,8.2422\r\n",
        "timestamp,latitude,longitude,message\n1719732733,32.3472,8.2422,success",
        "\ufeffiss_position_longitude,iss_position_latitude,timestamp,message\r\n8.2422,32.3472,1719732733,success",
        "lattitude,longitude,time\n32.3472,8.2422,2024-06-30 07:32:13.9",
        "lat,lon,ts\n32.3472,8.2422,2024-06-30T09:32:13+02:00\n\n",
        "timestamp,latitude,longitude\n1719732733.95,32.3472,8.2422",
        "2024-06-30 07:32:10,1719732731.12,1719732733,32.3472,8.2422\n",
        json.dumps(ONE_FIX, sort_keys=True),
    ],
)
def test_every_recorded_shape_gives_the_same_fix(tmp_path: Path, text: str):
    assert [json.loads(body) for body in read_feed(recording(tmp_path, text))] == [ONE_FIX]


def test_a_packed_recording_is_unpacked(tmp_path: Path):
    path = recording(tmp_path, "timestamp,latitude,longitude\n1719732733,32.3472,8.2422\n", "feed.csv.gz")

    assert json.loads(read_feed(path)[0]) == ONE_FIX


@pytest.mark.parametrize("torn", [".9157", "1719732733,32.34", "1719732733,32.3472,8.2422,1", "a,b,c"])
def test_a_torn_row_becomes_a_torn_body(tmp_path: Path, torn: str):
    bodies = read_feed(recording(tmp_path, f"timestamp,latitude,longitude\n1719732733,32.3472,8.2422\n{torn}\n"))

    assert len(bodies) == 2
    assert torn.encode() in bodies[1]
    with pytest.raises(ValueError):
        json.loads(bodies[1])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Latitude,Longitude\n50.5313,56.0258\n", "none of the columns timestamp"),
        ("", "no rows"),
        ("1.0,2.0\n", "no header"),
    ],
)
def test_a_recording_without_times_is_refused_by_name(tmp_path: Path, text: str, reason: str):
    path = recording(tmp_path, text)

    with pytest.raises(RecordingError, match=reason) as refusal:
        read_feed(path)
    assert str(path) in str(refusal.value)


def test_a_recording_that_is_absent_or_not_gzip_is_refused(tmp_path: Path):
    broken = tmp_path / "broken.csv.gz"
    broken.write_bytes(b"not gzip")

    for path in (tmp_path / "absent.csv", broken):
        with pytest.raises(RecordingError, match=path.name):
            read_feed(path)


def test_each_body_is_served_once():
    replay = Replay([b"one", b"two"])

    assert [replay.next_body() for _ in range(4)] == [b"one", b"two", None, None]
    assert replay.served == replay.total == 2


@pytest.mark.real
def test_the_recording_of_the_demo_holds_100_fixes_and_a_torn_row(real_data: Path):
    bodies = read_feed(real_data / RECORDED_FEED)
    lines = (real_data / RECORDED_FEED).read_text().split("\n")

    assert len(bodies) == 101
    assert bodies[-1].endswith(b".9157")
    for body, line in zip(bodies[:-1], lines[1:], strict=False):
        parsed = json.loads(body)
        assert [str(parsed["timestamp"]), *parsed["iss_position"].values()] == line.strip().split(",")


@pytest.mark.real
def test_every_recording_with_times_is_read_and_the_others_are_refused(real_data: Path):
    counts = {}
    for path in sorted((real_data / "open_notify" / "recordings").iterdir()):
        try:
            counts[path.name] = len(read_feed(path))
        except RecordingError:
            counts[path.name] = None

    refused = {name for name, count in counts.items() if count is None}
    assert refused == {
        "Dawidemm__train_dataset.csv.gz",
        "Dawidemm__val_dataset.csv",
        "saikiran888__iss_location_data.csv",
    }
    assert counts["GermanPaul12__iss_data.csv"] == 1428
    assert counts["sanand0__iss-location.2025.jsonl"] == 366
    assert counts["derekbt96__iss_positions_2hour.txt"] == 16


@pytest.mark.real
def test_a_recorded_ephemeris_is_unpacked_and_dated(real_data: Path):
    oem = read_oem(real_data / RECORDED_OEM)

    assert oem.content == gzip.decompress((real_data / RECORDED_OEM).read_bytes())
    assert oem.suffix == "txt"
    assert oem.created.isoformat() == "2023-03-24T22:55:31+00:00"


def test_an_xml_ephemeris_is_known_as_one(tmp_path: Path):
    path = tmp_path / "issue"
    path.write_bytes(
        b'\xef\xbb\xbf<?xml version="1.0"?>\r\n<ndm><CREATION_DATE>2023-047T00:51:05Z</CREATION_DATE></ndm>'
    )

    assert read_oem(path).suffix == "xml"
    assert read_oem(path).created is None
