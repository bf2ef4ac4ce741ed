"""What publishing a lake of some days costs: the first time, when nothing changed, and when one day did.

PYTHONPATH=plugins python benchmarks/bench_publishing.py [--days 365] [--rows 1440]

Against a real S3 server on loopback where `make servers` fetched one, else a folder; each publication in a process that
has everything imported. An unchanged lake may take five seconds.
"""

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from bars import Bar, print_machine, scaled, verdict

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.publishing.days import FIRST, LATER, close
from tests.servers import seaweedfs

from orbitlake.lake import Lake
from orbitlake.publishing import Access, Published, Store, publish
from orbitlake.tables import TABLES

MOST_UNCHANGED_S = 5.0


def main(days: int, rows: int) -> int:
    """Publish thrice, print how long that took, and hold the unchanged lake against its bar."""
    print_machine()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lake = Lake(folder / "data")
        for number in range(days):
            close(lake, FIRST + timedelta(days=number), 1, rows)
        store = store_of(stack, folder)
        print(f"{days} days of {rows} rows -> {store.url}")
        timed("first", lake, store)
        unchanged_s, _ = timed("unchanged", lake, store)
        for note in (lake.checkpoints / "publish_lake").glob("*.json"):
            note.unlink()
        timed("unchanged, its note lost", lake, store)
        close(lake, FIRST, 2, rows)
        timed("one day changed", lake, store)
    return verdict([Bar(f"unchanged lake of {days} days, s", unchanged_s, MOST_UNCHANGED_S, at_least=False)])


def store_of(stack: ExitStack, folder: Path) -> Store:
    """Return a store on this machine: a real S3 server where there is one."""
    if not seaweedfs.WEED.is_file():
        return Store.open(f"file://{folder}/published")
    server = stack.enter_context(seaweedfs.running(folder / "server"))
    server.arrow().create_dir("lake")
    return Store.open("s3://lake/orbit", Access(server.endpoint, "us-east-1", server.key_id, server.secret_key))


def timed(what: str, lake: Lake, store: Store) -> tuple[float, Published]:
    """Publish, and print what that came to."""
    begun = time.perf_counter()
    published = publish(lake, store, TABLES.values(), "live", now=LATER + timedelta(days=10_000))
    took_s = time.perf_counter() - begun
    sent = f"{published.sent} sent ({published.bytes_sent / 1e6:.1f} MB), {published.unchanged} unchanged"
    print(f"{what}: {took_s:.2f} s, {sent}", flush=True)
    return took_s, published


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=scaled(365, 5))
    parser.add_argument("--rows", type=int, default=scaled(1440, 100))
    arguments = parser.parse_args()
    sys.exit(main(arguments.days, arguments.rows))
