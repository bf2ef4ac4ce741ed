"""A look at the position page in a browser: what it says, and what a person would call wrong about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import FrameLocator, Page
from playwright.sync_api import TimeoutError as NotDrawn
from tests.page.browser import DRAWN

SHOWN = """root => {
  const all = (selector) => [...root.ownerDocument.querySelectorAll(selector)];
  const text = (selector) => all(selector).map((each) => each.hidden ? "" : each.textContent.trim()).join("; ");
  return {
    states: all("#states li").map(({ dataset: { level }, firstChild, title: why }) =>
      ({ level, text: firstChild.textContent, why })),
    age: text("#age"),
    isStale: all("#age.stale").length > 0,
    connection: text("#connection"),
    alerts: all("#alert-list li strong").map((each) => each.textContent),
    emptyCharts: all("section:not([hidden]) .chart[hidden]").map((chart) => chart.id),
  };
}"""


@dataclass(frozen=True)
class Look:
    """The states of feed, stream and ephemeris, how old the newest fix is, and the faults, a sentence each."""

    states: Sequence[str]
    age: str
    faults: Sequence[str]

    @property
    def words(self) -> str:
        """What the page says at its top."""
        return ", ".join((*self.states, f"fix {self.age}" if self.age else "no fix"))


def look_at(page: Page | FrameLocator, within_s: float) -> Look:
    """Wait until every panel is drawn, at most so long for each, and look."""
    missing = [name for name, selector in DRAWN.items() if not is_drawn(page, selector, within_s)]
    shown: dict[str, Any] = page.locator("html").evaluate(SHOWN)
    faults = [f"not drawn: {name}" for name in missing]
    faults += [f"empty chart: {name}" for name in shown["emptyCharts"]]
    faults += [f"{each['level']}: {each['text']}: {each['why']}" for each in shown["states"] if is_fault(each)]
    faults += [f"age of the fix is red: {shown['age']}"] if shown["isStale"] else []
    faults += [f"banner: {shown['connection']}"] if shown["connection"] else []
    faults += [f"standing alert: {name}" for name in shown["alerts"]]
    return Look([state["text"] for state in shown["states"]], shown["age"], faults)


def is_fault(state: dict[str, str]) -> bool:
    """Whether a state calls for a person, or is not known."""
    return state["level"] not in ("ok", "wait")


def is_drawn(page: Page | FrameLocator, selector: str, within_s: float) -> bool:
    """Wait until a panel is drawn; say whether it is."""
    try:
        page.locator(selector).first.wait_for(state="attached", timeout=1000 * within_s)
    except NotDrawn:
        return False
    return True


def complaints_of(page: Page) -> list[str]:
    """Return a list that fills with the errors on the page's console, and the exceptions that nobody caught."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(f"exception: {error}"))
    page.on(
        "console",
        lambda message: (
            found.append(f"console: {message.text} ({message.location['url']})") if message.type == "error" else None
        ),
    )
    return found
