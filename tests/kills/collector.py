"""A collector of given lines, to be killed at will: `… collector FOLDER` appends FOLDER/lines.json by Kafka.

It goes on where FOLDER/done says, as far as FOLDER/upto says, and ends once all has been taken and its spool is empty.
A line that it was killed with may come twice, as a poll whose collector is killed would not: copies change no table.
"""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from orbitlake.lake import Lake
from orbitlake.positions.kafka.publisher import Publisher
from orbitlake.positions.kafka.spool import KafkaWriter
from orbitlake.settings import from_environment


def number_in(file: Path) -> int:
    return int(file.read_text()) if file.exists() else 0


def main(folder: Path) -> None:
    settings = from_environment()
    lines = json.loads((folder / "lines.json").read_text())
    done = number_in(folder / "done")
    with KafkaWriter(Lake(settings.data), Publisher(settings, delivery_s=1)) as writer:
        while done < len(lines) or writer.waiting() or writer.sending:
            if done < number_in(folder / "upto"):
                writer.append(lines[done].encode() + b"\n", datetime.now(UTC))
                done += 1
                (folder / "done.new").write_text(str(done))
                (folder / "done.new").rename(folder / "done")
            else:
                writer.catch_up(0.5)
                time.sleep(0.05)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
