"""One run of the alerts of passes, as a process that a test can kill: `sender.py ROOT NOW OUTBOX WAIT_S`."""

import sys
import time
from pathlib import Path

from orbitlake.lake import Lake
from orbitlake.pass_alerts import Message, Teller, timetable_of
from orbitlake.pass_alerts.coming import instant
from orbitlake.pass_alerts.notices import notes_of
from orbitlake.passes import read_places


def main(root: Path, now_text: str, outbox: Path, wait_s: float) -> None:
    lake, now = Lake(root), instant(now_text)
    places = read_places(root / "sites.toml")

    def tell(channel: str, message: Message) -> None:
        time.sleep(wait_s)
        with outbox.open("a") as sink:
            sink.write(f"{channel} {message.kind} {message.id}\n")
        time.sleep(wait_s)

    Teller(notes_of(lake), ("log",), tell).heed(places.alerts, timetable_of(lake, places, {}, now), now)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), float(sys.argv[4]))
