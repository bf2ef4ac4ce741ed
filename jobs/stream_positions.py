"""raw/open_notify -> live/positions and live/window_stats: streamed in micro-batches, each fix exactly once."""

import argparse
import json
import sys

from orbitlake.endings import asked_by_signals, end_with_launcher
from orbitlake.settings import REFUSED, of_command_line


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--trigger", default="available-now", help='"available-now" (do what is there, then end) or "5 seconds"'
    )
    parser.add_argument(
        "--max-runtime", type=float, metavar="SECONDS", help="end after the batch in hand once this is over"
    )
    parser.add_argument("--max-bytes", type=int, help="raw records, in bytes, that a batch takes at most")
    parser.add_argument(
        "--rebuild",
        action="store_true",
        help="take away the checkpoint and the live files first, and make these anew from the raw records; "
        "closed days stay, and are united with what is streamed",
    )
    parser.add_argument(
        "--skip-lost",
        action="store_true",
        help="where Kafka no longer holds the records that come next, name them and go on from the oldest there is",
    )
    options = parser.parse_args()
    end_with_launcher()

    from orbitlake.lake import Lake
    from orbitlake.lake.session import open_session
    from orbitlake.positions.kafka.errors import KafkaError, LostRecordsError
    from orbitlake.positions.raw.source import BYTES_A_BATCH
    from orbitlake.positions.spark.lifecycle import run
    from orbitlake.positions.state import Checkpoint, CheckpointError, VersionError

    settings = of_command_line(None)
    lake = Lake(settings.data)
    jars = {"spark_jars": ",".join(map(str, sorted(settings.kafka_jars.glob("*.jar"))))} if settings.kafka else {}
    session = open_session("stream_positions", spark_sql_shuffle_partitions="2", **jars)
    with asked_by_signals() as asked, session as spark:
        try:
            if options.rebuild:
                Checkpoint(lake).rebuild()
            totals = run(
                spark,
                lake,
                settings.object_id,
                options.trigger,
                asked,
                options.max_bytes or BYTES_A_BATCH,
                buckets=settings.buckets,
                max_runtime_s=options.max_runtime,
                kafka=settings if settings.kafka else None,
                skip_lost=options.skip_lost,
            )
        except CheckpointError as error:
            print(f"stream_positions: {error}", file=sys.stderr)
            return REFUSED if isinstance(error, VersionError) else 1
        except KafkaError as error:
            print(f"stream_positions: {error}", file=sys.stderr)
            return REFUSED if isinstance(error, LostRecordsError) else 1
    print(json.dumps(totals))
    return 0


if __name__ == "__main__":
    sys.exit(main())
