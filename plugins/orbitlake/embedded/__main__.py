"""`python -m orbitlake.embedded up | down | demo`: what `make` calls."""

import argparse
import sys
from pathlib import Path
from typing import Any

from orbitlake.embedded import interruption
from orbitlake.embedded.environment import restart_in_own_environment
from orbitlake.embedded.roots import TopologyError
from orbitlake.settings import CHECKOUT, SettingError, from_environment
from orbitlake.upstream import claim


def up(run: Path, *, kafka: bool = False) -> int:
    """Start the topology and leave it running, or say how it does where it runs; returns the exit status."""
    from orbitlake.embedded.kafka import with_kafka
    from orbitlake.embedded.running import status
    from orbitlake.embedded.topology import Topology

    topology = Topology(run=run, settings=from_environment())
    if kafka or topology.settings.kafka:
        topology = with_kafka(topology, lambda line: say(f"  {line}"))
    known = status(run) or {}
    if known.get("state") == "running" and topology.is_supervised():
        return tell(topology, known)
    if known.get("state") in ("failed", "gave up"):
        say(f"  the last run ended by itself at {known['at']}: {known['reason']}")
    topology.up(progress=lambda line: say(f"  {line}"), prepare=lambda: claim(topology.settings))
    say(f"Airflow  {topology.airflow_url}  user admin  password {topology.password}")
    say(f"Spark    {topology.spark_ui_url}")
    if topology.settings.kafka:
        say(f"Kafka    {topology.settings.kafka}  topic {topology.settings.kafka_topic}")
    say(f"tables   {topology.settings.data}")
    say(f"logs     {topology.logs}")
    say("stop     make down")
    return 0


def tell(topology: Any, known: dict[str, Any]) -> int:
    """Say what runs; returns 0 where it is what was asked for and answers, else 1."""
    wanted = {"data": str(topology.settings.data), "upstream": topology.settings.upstream}
    wanted |= {"airflow": topology.airflow_url, "spark": topology.spark_ui_url, "kafka": topology.settings.kafka}
    other = [f"{name} {known.get(name)}, not {value}" for name, value in wanted.items() if known.get(name) != value]
    if other:
        raise TopologyError(
            f"a topology is running already with its state in {topology.run}, with {'; '.join(other)}: "
            "stop it with `make down`"
        )
    say(f"running already, since {known['since']}")
    say(f"Airflow  {topology.airflow_url}  user admin  password {topology.password}")
    say(f"Spark    {topology.spark_ui_url}")
    say(f"tables   {topology.settings.data}")
    say(f"logs     {topology.logs}")
    for name, part in known["parts"].items():
        end = f", {part['restarts']} restarts, last: {part['last_end']}" if part["restarts"] else ""
        say(f"  {name:15} {'since ' + part['since'] if part['pid'] else 'waits for its restart'}{end}")
    unwell = topology.unwell()
    if unwell:
        say(f"does not answer: {', '.join(unwell)}")
    say("stop     make down")
    return 1 if unwell else 0


def down(run: Path) -> int:
    """Stop the topology, and what a demo may have left; returns the exit status."""
    from orbitlake.embedded.topology import Topology

    for place in (run, demo_run(run)):
        stopped = Topology(run=place, settings=from_environment()).down()
        if stopped:
            say(f"stopped {stopped} processes of {place}")
    return 0


def demo(run: Path, replay: Path | None, *, keep: bool, kafka: bool) -> int:
    """Run the demo; returns the exit status."""
    from orbitlake.embedded.demo import Demo

    return Demo(demo_run(run), replay, keep=keep, kafka=kafka).run()


def demo_run(run: Path) -> Path:
    """Where a demo keeps its state, apart from that of `up`."""
    return run / "demo"


def folder(text: str) -> Path:
    """The folder that a person names, `~` being the home. Raises argparse.ArgumentTypeError."""
    try:
        return Path(text).expanduser().resolve()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def main() -> int:
    """Run the command; returns the exit status: 128 and the signal's number where one ended it."""
    parser = argparse.ArgumentParser(prog="python -m orbitlake.embedded", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "demo"))
    parser.add_argument("--run", type=folder, default=CHECKOUT / ".run", help="where the processes keep logs and state")
    parser.add_argument(
        "--replay", type=folder, help="demo: a folder of recorded files to serve instead of the simulator"
    )
    parser.add_argument("--keep", action="store_true", help="demo: leave everything running at the end")
    parser.add_argument(
        "--kafka",
        action="store_true",
        help="up, demo: raw records go by Kafka, of ORBITLAKE_KAFKA or our own",
    )
    arguments = parser.parse_args()
    try:
        interruption.raise_when_asked()
        if arguments.command == "demo":
            return demo(arguments.run, arguments.replay, keep=arguments.keep, kafka=arguments.kafka)
        return down(arguments.run) if arguments.command == "down" else up(arguments.run, kafka=arguments.kafka)
    except (TopologyError, SettingError) as error:
        complaint = str(error)
    except KeyboardInterrupt:
        complaint = "interrupted"
    except OSError as error:
        complaint = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
    number = interruption.received()
    try:
        if number is None:
            print(f"orbitlake: {complaint}", file=sys.stderr, flush=True)
        else:
            print(f"\n{arguments.command}: {end_in_words(number.name, arguments.command)}", file=sys.stderr, flush=True)
    except OSError:
        # A terminal that was closed takes no last words.
        pass
    return 1 if number is None else 128 + number


def end_in_words(name: str, command: str) -> str:
    """The one line that an interrupted command says."""
    if command == "down":
        return f"interrupted by {name}: call it again to see all stopped"
    return f"interrupted by {name}: what it had started is stopped"


if __name__ == "__main__":
    restart_in_own_environment("orbitlake.embedded")
    sys.exit(main())
