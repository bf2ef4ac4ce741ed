"""A publication in a process of its own, to be killed: says that it is ready, and begins when it is told to."""

import os
import sys
from datetime import timedelta
from pathlib import Path

from tests.publishing.days import LATER

from orbitlake.lake import Lake
from orbitlake.publishing import Access, Store, publish
from orbitlake.tables import WINDOW_STATS

if __name__ == "__main__":
    store = Store.open(sys.argv[2], Access(os.environ["AWS_ENDPOINT_URL"], "us-east-1"))
    print("ready", flush=True)
    sys.stdin.readline()
    publish(Lake(Path(sys.argv[1])), store, [WINDOW_STATS], "live", now=LATER + timedelta(hours=int(sys.argv[3])))
    print("done", flush=True)
