"""A driver with Spark's jars for Kafka that runs streams as it is told, a line of JSON each: one session for many.

{"data", "environment", "max_bytes", "skip_lost", "now"} -> {"totals"} or {"error", "kind"}.
"""

import json
import os
import sys
import threading
from datetime import datetime

from orbitlake.lake import Lake
from orbitlake.lake.session import open_session
from orbitlake.positions.spark.lifecycle import AVAILABLE_NOW, run
from orbitlake.settings import from_environment


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    jars = ",".join(map(str, sorted(from_environment().kafka_jars.glob("*.jar"))))
    options = {"spark_master": "local[2]", "spark_ui_enabled": "false", "spark_sql_shuffle_partitions": "2"}
    with open_session("tests", **options, spark_jars=jars) as spark:
        for line in sys.stdin:
            asked = json.loads(line)
            settings = from_environment(asked["environment"])
            given = {"now": lambda at=asked["now"]: datetime.fromisoformat(at)} if asked["now"] else {}
            try:
                totals = run(
                    spark,
                    Lake(settings.data),
                    settings.object_id,
                    AVAILABLE_NOW,
                    threading.Event(),
                    asked["max_bytes"],
                    kafka=settings if settings.kafka else None,
                    skip_lost=asked["skip_lost"],
                    **given,
                )
                answer = {"totals": totals}
            except Exception as error:  # noqa: BLE001 - the test judges it
                answer = {"kind": type(error).__name__, "error": str(error)}
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
