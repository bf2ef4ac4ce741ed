"""`python -m orbitlake.embedded up | down | demo`: what `make` calls."""

import argparse
import sys
from pathlib import Path

from orbitlake.embedded.topology import Topology, TopologyError, claim
from orbitlake.settings import CHECKOUT, SettingError, from_environment


def up(run: Path) -> None:
    """Start the topology and leave it running."""
    topology = Topology(run=run, settings=from_environment())
    claim(topology.settings)
    topology.up(progress=lambda line: print(f"  {line}", flush=True))
    print(f"Airflow  {topology.airflow_url}  user admin  password {topology.password}")
    print(f"Spark    {topology.spark_ui_url}")
    print(f"tables   {topology.settings.data}")
    print(f"logs     {topology.logs}")
    print("stop     make down")


def down(run: Path) -> None:
    """Stop the topology, and what a demo may have left."""
    for place in (run, demo_run(run)):
        stopped = Topology(run=place, settings=from_environment()).down()
        if stopped:
            print(f"stopped {stopped} processes of {place}")


def demo_run(run: Path) -> Path:
    """Where a demo keeps its state, apart from that of `up`."""
    return run / "demo"


def main() -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m orbitlake.embedded", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "demo"))
    parser.add_argument("--run", type=Path, default=CHECKOUT / ".run", help="where the processes keep logs and state")
    parser.add_argument(
        "--replay", type=Path, help="demo: a folder of recorded files to serve instead of the simulator"
    )
    parser.add_argument("--keep", action="store_true", help="demo: leave everything running at the end")
    arguments = parser.parse_args()
    run = arguments.run.absolute()
    try:
        if arguments.command == "demo":
            from orbitlake.embedded.demo import Demo

            return Demo(demo_run(run), arguments.replay, keep=arguments.keep).run()
        {"up": up, "down": down}[arguments.command](run)
    except (TopologyError, SettingError) as error:
        print(f"orbitlake: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
