"""Airflow's metadata database made ready: `… metadata POOL SLOTS DESCRIPTION` migrates it and makes the Spark pool.

Two of its commands in one process: to load Airflow once more takes four seconds of processor time.
"""

import runpy
import sys


def main() -> None:
    """Run both as `airflow` would; one that fails ends this process with its exit status."""
    pool = sys.argv[1:]
    for words in (("db", "migrate"), ("pools", "set", *pool)):
        sys.argv = ["airflow", *words]
        runpy.run_module("airflow", run_name="__main__")


if __name__ == "__main__":
    main()
