"""A folder of OEM files -> raw/oem and the OEM tables, spread over a Spark cluster.

Every executor reads, checks and publishes with the very code of ingest_oem.py, so the tables equal those of that job
byte for byte: files of one issue go to one task, in the order of their names. The folder and the data
root must be one file system for all workers, which needs locks (local disk, NFS 4). Prints one line of JSON an
issue and exits with 1 if any was rejected or in conflict.

  spark-submit jobs/ingest_oem_archive.py FOLDER
  spark-submit --master spark://HOST:7077 --conf spark.executorEnv.PYTHONPATH=plugins jobs/ingest_oem_archive.py FOLDER
"""

import argparse
import json
import sys

from orbitlake.lake import Lake
from orbitlake.lake.errors import errors_in_utf8
from orbitlake.lake.files import sweep_staging
from orbitlake.lake.quarantine import bound_quarantine
from orbitlake.lake.session import open_session
from orbitlake.oem.ingest.archive import finish_all
from orbitlake.oem.ingest.outcome import Outcome
from orbitlake.oem.ingest.sources import group_by_issue, list_sources
from orbitlake.oem.ingest.steps import ingest_source
from orbitlake.settings import Settings, of_command_line

GROUPS_A_TASK = 16


def main(folder: str, settings: Settings) -> int:
    """Ingest every file of the folder, print a line for each as its task ends, and return the exit status."""
    lake = Lake(settings.data)
    sweep_staging(lake)
    groups = group_by_issue(list_sources([folder], lake, settings))
    failed = False
    with open_session("ingest_oem_archive") as spark:
        context = spark.sparkContext
        tasks = max(context.defaultParallelism, len(groups) // GROUPS_A_TASK)

        def ingest_group(group: list[str]) -> list[Outcome]:
            with errors_in_utf8():
                return [outcome for file in group for outcome in ingest_source(file, lake, settings)]

        outcomes = context.parallelize(groups, tasks).flatMap(ingest_group)
        for outcome in outcomes.toLocalIterator(prefetchPartitions=True):
            print(json.dumps(outcome), flush=True)
            failed |= outcome["outcome"] in ("rejected", "conflict")
    for outcome in finish_all(lake):
        print(json.dumps(outcome), flush=True)
        failed |= outcome["outcome"] == "rejected"
    bound_quarantine(lake, settings.keep_quarantine_bytes)
    return int(failed)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="FOLDER", help="searched at every depth")
    parser.add_argument("--data", help="the data root (default: ORBITLAKE_DATA, else data/ in the checkout)")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = parse_arguments()
    sys.exit(main(arguments.folder, of_command_line(arguments.data)))
