"""Thousands of passes on a logical clock: issues that revise, move and cancel, senders that are killed or paused."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.pass_alerts.passing import Killed, MemoryNotes, Receivers, coming

from orbitlake.pass_alerts import Coming, Message, Teller, Timetable
from orbitlake.pass_alerts.coming import AHEAD, BACK
from orbitlake.pass_alerts.teller import GRACE, MOVED
from orbitlake.passes import AlertRule, rule_of

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ORBIT_MINUTES = 240
"""From one pass over a site to the next: of the fifteen orbits of a day six are seen."""
RULES = (
    rule_of(name="all", minutes_before=10),
    rule_of(name="high", site="Paris", minutes_before=30, min_elevation_deg=40.0, channels=["mqtt"]),
    rule_of(name="seen by night", minutes_before=5, visible_only=True, quiet_hours="23:00-06:00"),
)
CHANNELS = ("log", "webhook:duty")


class World:
    """Passes and their issues; `steps` yields what stands in the table, minute by minute."""

    def __init__(self, seed: int, count: int) -> None:
        self.random = random.Random(seed)
        self.passes = [self._pass(number) for number in range(count)]
        self.end = BEGIN + count * ORBIT_MINUTES * MINUTE
        self.created = BEGIN - timedelta(days=1)

    def _pass(self, number: int) -> Coming:
        begin = BEGIN + number * ORBIT_MINUTES * MINUTE + timedelta(seconds=self.random.randrange(1200))
        elevation = self.random.uniform(10, 90)
        return coming(begin, pass_id=f"pass-{number}", max_elevation_deg=elevation, visible=self.random.random() < 0.5)

    def times(self) -> Iterator[datetime]:
        """Yield when somebody looks: each minute while something may be due, to spare the test the others."""
        for number in range(len(self.passes)):
            base = BEGIN + number * ORBIT_MINUTES * MINUTE
            for minutes in range(-32, 33, self.random.choice((1, 3, 5))):
                yield base + minutes * MINUTE + timedelta(seconds=self.random.randrange(50))

    def issue(self, now: datetime) -> None:
        """Revise, lift, move, cancel or bring back what is ahead; sometimes all under other names."""
        self.created = now
        renamed = self.random.random() < 0.1
        for number, each in enumerate(self.passes):
            if each.begin < now - 2 * MINUTE or each.begin > now + timedelta(days=1):
                continue
            self.passes[number] = self._revised(each, f"r{now:%d%H%M}" if renamed else "")

    def _revised(self, each: Coming, name: str) -> Coming:
        draw = self.random.random()
        shift = timedelta(seconds=self.random.gauss(0, 3))
        status = "REVISED"
        if draw < 0.2:
            shift, status = timedelta(seconds=self.random.uniform(-600, 600)), "MOVED"
        elif draw < 0.3:
            shift, status = timedelta(0), "CANCELLED"
        elevation = min(90.0, max(10.0, each.facts["max_elevation_deg"] + self.random.gauss(0, 3)))
        identity = f"{each.identity}{name}"[-60:]
        visible = each.is_visible if draw < 0.9 else not each.is_visible
        return coming(each.begin + shift, pass_id=identity, max_elevation_deg=elevation, visible=visible, status=status)

    def timetable(self, now: datetime) -> Timetable:
        """Return what the tables tell around now."""
        first = max(0, int((now - BACK - BEGIN) / MINUTE / ORBIT_MINUTES) - 2)
        last = int((now + min(AHEAD, timedelta(hours=6)) - BEGIN) / MINUTE / ORBIT_MINUTES) + 2
        some = [replace(each, is_flown=each.end <= self.created) for each in self.passes[first : max(last, 0)]]
        return Timetable(some, {some[0].group: self.created} if some else None)


class Judge:
    """What receivers keep that drop repeats of an id, held against what was due at each look."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str, str, bool], Message] = {}
        self.repeats = 0
        self.alerts = self.corrections = 0

    def take(self, sent: list[tuple[str, Message]], timetable: Timetable, now: datetime) -> None:
        """Judge what was sent at a look, whatever became of the sender."""
        current = {number_of(each.facts): each for each in timetable.coming}
        for channel, message in sent:
            what, rule = current[number_of(message.facts)], message.facts["rule"]
            is_alert = message.kind == "alert"
            key = rule, number_of(message.facts), channel, is_alert
            if key in self.kept:
                assert self.kept[key].id == message.id, f"told twice: {message.text}"
                self.repeats += 1
                continue
            self.kept[key] = message
            self.alerts, self.corrections = self.alerts + is_alert, self.corrections + (not is_alert)
            if is_alert:
                assert not what.is_cancelled, f"an alert for a cancelled pass: {message.text}"
                assert now <= datetime.fromisoformat(message.facts["begin_time"]) + GRACE + MOVED, (
                    f"late: {message.text}"
                )

    def expect(self, timetable: Timetable, now: datetime, down: set[str]) -> None:
        """Judge what was not sent at a look that came to its end, to channels that take something."""
        near = [each for each in timetable.coming if abs(each.begin - now) < timedelta(hours=1)]
        for rule in RULES:
            for what in near:
                for channel in set(rule.channels or CHANNELS) - down:
                    self._expect(rule, what, channel, now)

    def _expect(self, rule: AlertRule, what: Coming, channel: str, now: datetime) -> None:
        number = number_of(what.facts)
        told = self.kept.get((rule.name, number, channel, True))
        is_corrected = (rule.name, number, channel, False) in self.kept
        is_due = what.begin - timedelta(minutes=rule.minutes_before) <= now <= what.begin + GRACE
        if is_due and what.fits(rule) and not what.is_flown:
            assert told or is_corrected, f"{rule.name}: {number} was not told to {channel} at {now}"
        if told and not what.is_flown:
            begin = datetime.fromisoformat(told.facts["begin_time"])
            is_wrong = what.is_cancelled or abs(what.begin - begin) > MOVED
            if is_wrong and now <= max(begin, what.begin) + GRACE:
                assert is_corrected, f"{rule.name}: {number} was not corrected for {channel} at {now}"


def number_of(facts: object) -> str:
    """Return which pass it is, whatever tables call it."""
    return str(facts["pass_id"]).partition("r")[0]  # type: ignore[index]


def simulate(seed: int, count: int) -> Judge:
    """Let passes go by with all that can go wrong, and return what the judge saw."""
    world, judge = World(seed, count), Judge()
    notes = MemoryNotes()
    receivers = Receivers(notes)
    chance = world.random.random
    paused_until = BEGIN - timedelta(days=1)
    for at in world.times():
        if chance() < 0.03:
            world.issue(at)
        if chance() < 0.005:
            paused_until = at + timedelta(minutes=world.random.uniform(1, 120))
        if at < paused_until:
            continue
        now = at + (timedelta(hours=world.random.uniform(-30, 3)) if chance() < 0.005 else timedelta(0))
        receivers.down = {name for name in (*CHANNELS, "mqtt") if chance() < 0.03}
        notes.kills_in = world.random.randrange(12) if chance() < 0.2 else None
        timetable = world.timetable(now)
        is_done = True
        receivers.sent = []
        try:
            # Anew each time, as each run is a process of its own.
            Teller(notes, CHANNELS, receivers).heed(RULES, timetable, now)
        except Killed:
            is_done = False
        notes.kills_in = None
        judge.take(receivers.sent, timetable, now)
        if is_done:
            judge.expect(timetable, now, receivers.down)
    return judge
