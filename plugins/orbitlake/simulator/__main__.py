"""Serve both upstreams on loopback: an orbit that is computed, or recordings of the real ones."""

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from orbitlake.simulator.clock import start_from_text
from orbitlake.simulator.faults import FaultKind, fault_from_text
from orbitlake.simulator.replay import RECORDED_FEED, RECORDED_OEM, Replay, read_feed, read_oem
from orbitlake.simulator.server import create_app, listen, uvicorn_config

EPILOG = f"""\
paths: /iss-now.json (Open Notify), /v1/satellites/25544 (wheretheiss.at), /ISS.OEM_J2K_EPH.txt and .xml (NASA's newest
issue), /issues and /issues/NAME (older ones), /faults (GET, PUT, POST, DELETE),
/clock (PUT {{"now": ISO 8601}}), /replay, /health.
faults: {", ".join(FaultKind)}; settings: path, requests, probability, seed, seconds.
example: --fault rate_limited,path=/iss-now.json,requests=3,seconds=1
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until stopped; return 1, with a line on stderr, where that is not possible."""
    parser = argparse.ArgumentParser(
        prog="python -m orbitlake.simulator",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8090, help="port; 0 takes a free one (default: %(default)s)")
    parser.add_argument("--start", default="now", help="now, yesterday-end or ISO 8601 in UTC (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=1.0, help="simulated seconds a second (default: %(default)s)")
    parser.add_argument("--replay", type=Path, metavar="FOLDER", help=f"serve {RECORDED_FEED} and {RECORDED_OEM} of it")
    parser.add_argument("--feed", type=Path, metavar="FILE", help="recording of polls to serve: CSV or JSON lines")
    parser.add_argument("--oem", type=Path, metavar="FILE", help="ephemeris file to serve: KVN or XML, .gz unpacked")
    parser.add_argument("--fault", action="append", default=[], metavar="KIND[,NAME=VALUE...]", help="may be repeated")
    options = parser.parse_args(arguments)
    try:
        app = _app(options)
        listener = listen(options.host, options.port)
    except OSError as error:
        print(
            f"simulator: cannot listen on {options.host}:{options.port}: {os.strerror(error.errno or 0)}",
            file=sys.stderr,
        )
        return 1
    except ValueError as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 1
    with listener:
        print(f"simulator: http://{options.host}:{listener.getsockname()[1]}", flush=True)
        uvicorn.Server(uvicorn_config(app)).run(sockets=[listener])
    return 0


def _app(options: argparse.Namespace) -> FastAPI:
    """Return the app that the options ask for. Raises ValueError where they cannot be met."""
    feed, oem = options.feed, options.oem
    if options.replay is not None:
        feed, oem = feed or options.replay / RECORDED_FEED, oem or options.replay / RECORDED_OEM
    replay = None
    if feed is not None or oem is not None:
        replay = Replay(read_feed(feed) if feed else [], read_oem(oem) if oem else None)
    start = start_from_text(options.start, datetime.now(UTC))
    faults = [fault_from_text(text) for text in options.fault]
    return create_app(start=start, rate=options.rate, replay=replay, faults=faults)


if __name__ == "__main__":
    sys.exit(main())
