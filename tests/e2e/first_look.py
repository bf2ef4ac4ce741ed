"""A newcomer's look at a running topology, in a real browser: log in, open the position page, see whether all is well.

    make demo KEEP=1
    PYTHONPATH=plugins python -m tests.e2e.first_look --run .run/demo [--again-after 600] [--kill-each]

Opens the page inside Airflow and at /position/ and prints a line for each: how long it took to be drawn, what it says,
and below it each fault: a red state, a chart without a line, an error on the browser's console, a standing alert. With
`--kill-each` each process is then killed in turn; told are how it ended, when all answered again, what the page said
meanwhile, and the next look. Ends with 1 where a look had a fault.
"""

import argparse
import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, FrameLocator, Page
from tests.e2e.clicks import Clicks
from tests.page.browser import LAPTOP, launched, log_in
from tests.page.look import SHOWN, complaints_of, look_at

from orbitlake.embedded.running import status
from orbitlake.embedded.supervisor import LOG
from orbitlake.embedded.topology import Topology
from orbitlake.settings import from_environment

ANSWER_WITHIN_S = 60
WELL_WITHIN_S = 600
"""From a kill until all is well again: a stream whose driver was killed is tried again after minutes."""
QUIET_S = 45
"""How long all must be well: a stream that stands still is told of after 20 s."""
TIME = re.compile(r" since \d\d:\d\d:\d\d UTC")


@dataclass
class Visitor:
    """A person with a browser and the password of one topology; `pictures` is a folder for what is seen, if any."""

    browser: Browser
    url: str
    password: str
    pictures: Path | None = None
    faults: int = 0

    @contextmanager
    def logged_in(self) -> Iterator[Page]:
        """A new window of somebody who has logged in through the form."""
        context = self.browser.new_context(**LAPTOP)
        page = context.new_page()
        page.set_default_timeout(1000 * ANSWER_WITHIN_S)
        log_in(page, self.url, self.password)
        yield page
        context.close()

    def look(self, name: str) -> None:
        """Look at the page inside Airflow and by itself; print a line for each, and the faults below it."""
        with self.logged_in() as page:
            complaints = complaints_of(page)
            # Airflow's menu of plugins is there once it has asked for it.
            link = page.get_by_role("link", name="Position", exact=True)
            link.wait_for()
            begun = time.monotonic()
            link.click()
            self.tell(name, "inside Airflow", page, page.frame_locator("iframe"), begun, complaints)
            begun = time.monotonic()
            page.goto(f"{self.url}/position/")
            self.tell(name, "by itself", page, page, begun, complaints)

    def tell(
        self, name: str, place: str, page: Page, frame: Page | FrameLocator, begun: float, complaints: list[str]
    ) -> None:
        seen = look_at(frame, ANSWER_WITHIN_S)
        ready_s = time.monotonic() - begun
        faults = [*seen.faults, *complaints]
        complaints.clear()
        print(f"{clock()} {name}, {place}: ready in {ready_s:.1f} s, {len(faults)} faults; {seen.words}", flush=True)
        for fault in faults:
            print(f"           {fault}", flush=True)
        self.faults += len(faults)
        if self.pictures:
            self.pictures.mkdir(parents=True, exist_ok=True)
            file = self.pictures / f"{clock().replace(':', '')} {name}, {place}.png".replace(" ", "-")
            page.screenshot(path=file, full_page=True)


class Outage:
    """A process that is killed, seen from a window of the page that stays open until all is well again."""

    def __init__(self, topology: Topology, name: str, page: Page) -> None:
        self.topology, self.name, self.page = topology, name, page
        self.said: dict[str, tuple[float, float, str]] = {}
        """What was not well: the seconds after the kill at which it was seen first and last, and in words why."""
        self.before = self.restarts()
        self.stood = set(page.locator("html").evaluate(SHOWN)["alerts"])

    def restarts(self) -> dict[str, int]:
        return {name: part["restarts"] for name, part in status(self.topology.run)["parts"].items()}

    def endure(self) -> bool:
        """Kill the process and watch until all has been well for a while, or too long was not; say whether it is."""
        log = self.topology.logs / LOG
        told_before = log.stat().st_size
        os.kill(status(self.topology.run)["parts"][self.name]["pid"], signal.SIGKILL)
        killed = time.monotonic()
        unwell_s = passed_s = 0.0
        while passed_s < WELL_WITHIN_S and passed_s - unwell_s < QUIET_S:
            time.sleep(1)
            passed_s = time.monotonic() - killed
            if self.listen(passed_s):
                unwell_s = passed_s
        again = [name for name, count in self.restarts().items() if count > self.before[name]]
        is_well = self.name in again and passed_s - unwell_s >= QUIET_S
        well = f"all well after {unwell_s:.0f} s" if is_well else f"not all well after {passed_s:.0f} s"
        print(f"{clock()} {self.name} killed: restarted {', '.join(again) or 'nothing'}; {well}")
        for line in log.read_text()[told_before:].splitlines():
            if not line.startswith(" "):
                print(f"           log: {line}")
        for state, (first_s, last_s, words) in self.said.items():
            print(f"           {first_s:3.0f} to {last_s:3.0f} s: {state} {words}", flush=True)
        return is_well

    def listen(self, passed_s: float) -> bool:
        """Take down what does not answer and what the page says that is not well; return whether there is any."""
        shown = self.page.locator("html").evaluate(SHOWN)
        unwell = [state for state in shown["states"] if state["level"] != "ok"]
        told = {f"page: {state['text']}": f"({state['level']}) {state['why']}" for state in unwell}
        told |= {"page: banner:": shown["connection"]} if shown["connection"] else {}
        told |= {f"page: alert {name}": "stands" for name in set(shown["alerts"]) - self.stood}
        told |= {f"no answer: {name}": "" for name in self.topology.unwell()}
        for state, words in told.items():
            first_s, _, why = self.said.get(TIME.sub("", state), (passed_s, 0, words))
            self.said[TIME.sub("", state)] = (first_s, passed_s, why)
        return bool(told)


def clock() -> str:
    return time.strftime("%H:%M:%S", time.gmtime())


def kill(names: Sequence[str], visitor: Visitor, topology: Topology) -> None:
    """Kill processes in turn; look again once all is well."""
    with visitor.logged_in() as page:
        complaints = complaints_of(page)
        page.goto(f"{visitor.url}/position/")
        look_at(page, ANSWER_WITHIN_S)
        for name in names:
            visitor.faults += not Outage(topology, name, page).endure()
            visitor.look(f"after the kill of {name}")
        # What cannot be fetched is told on the console: of an outage that is no fault, an exception is.
        visitor.faults += len(exceptions := [each for each in complaints if each.startswith("exception")])
        for exception in exceptions:
            print(f"           {exception}")


def main() -> int:
    """Look at the topology of a run folder; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="the run folder of a topology that is up")
    parser.add_argument("--again-after", type=float, metavar="SECONDS", help="look again after so long")
    parser.add_argument("--kill-each", action="store_true", help="then kill each process in turn and look again")
    parser.add_argument("--kill", nargs="+", metavar="NAME", default=[], help="kill these, as `make up` names them")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="keep a picture of each look")
    arguments = parser.parse_args()
    run = arguments.run.resolve()
    known = Clicks.of_run(run)
    with launched() as browser:
        visitor = Visitor(browser, known.url, known.password, arguments.pictures)
        visitor.look("at once")
        if arguments.again_after:
            time.sleep(arguments.again_after)
            visitor.look(f"{arguments.again_after:.0f} s later")
        names = list(status(run)["parts"]) if arguments.kill_each else arguments.kill
        if names:
            settings = from_environment(dict(os.environ) | {"ORBITLAKE_UPSTREAM": status(run)["upstream"]})
            kill(names, visitor, Topology(run, settings))
    return 1 if visitor.faults else 0


if __name__ == "__main__":
    sys.exit(main())
