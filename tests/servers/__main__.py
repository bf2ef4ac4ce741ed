"""Fetch what the servers of tests are made of; what cannot be had is named, and its tests skip."""

import sys

from tests.servers import duckdb_httpfs, hadoop_aws, kafka, seaweedfs, timescale

SERVERS = {
    "DuckDB's httpfs": duckdb_httpfs.fetch,
    "Kafka": kafka.fetch,
    "SeaweedFS": seaweedfs.fetch,
    "Spark's s3a": hadoop_aws.fetch,
    "TimescaleDB": timescale.fetch,
}


def main() -> int:
    for name, fetch in SERVERS.items():
        try:
            fetch()
        except Exception as error:  # noqa: BLE001 - whatever the reason is: the tests skip, and say it again
            print(f"{name}: not to be had, its tests skip: {error}")
        else:
            print(f"{name}: there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
