"""Rules, what is coming, and the time -> messages: each alert once, and one correction where it proved wrong.

The order of it is what a kill leaves: that a channel is about to be told is written first, that it took it after. A
sender killed between the two sends the same message again, under the same id, by which a receiver drops a repeat; the
other way round, a kill would lose the alert.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from orbitlake.alerts import ChannelError
from orbitlake.pass_alerts.coming import Coming, Timetable
from orbitlake.pass_alerts.messages import Message, alert, correction, message_id, what_and_when
from orbitlake.pass_alerts.notices import LAST_RUN, Notes, Notice, all_notices, last_run
from orbitlake.passes.alert_rules import AlertRule

GRACE: Final = timedelta(minutes=1)
"""So long after the begin an alert may still come, since somebody looks each minute; later it is of no use."""
MOVED: Final = timedelta(minutes=1)
"""A pass that begins this much earlier or later than told is corrected; alerts are no more punctual themselves."""
KEPT: Final = timedelta(days=2)
"""A notice stays so long after an issue has flown its pass, which nobody is told of any more."""

Tell = Callable[[str, Message], None]
"""Give a message to a channel; raises ChannelError."""


@dataclass(slots=True)
class Heeded:
    """What a run did: texts that were taken, what came too late, and which channel did not take what."""

    told: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Teller:
    """The notices of a lake, who is told where a rule names nobody, and how."""

    notes: Notes
    channels: Sequence[str]
    tell: Tell

    def heed(self, rules: Sequence[AlertRule], timetable: Timetable, now: datetime) -> Heeded:
        """Tell what is due, correct what proved wrong, and return what was done.

        What a channel does not take is given to it again by the next run.
        """
        done = Heeded()
        with self.notes.locked():
            before = last_run(self.notes)
            noticed = [(notice, what) for notice in self._kept(timetable) if (what := timetable.find(notice.what))]
            for notice, what in noticed:
                rule = next((rule for rule in rules if rule.name == notice.rule), None)
                if not notice.is_late:
                    self._settle(notice, what, rule, now, done)
            for rule in rules:
                # Where the clock was set back, or the pass moved, it is not too late after all.
                known = {
                    what.key
                    for notice, what in noticed
                    if notice.rule == rule.name and not (notice.is_late and now <= what.begin + GRACE)
                }
                until = now + timedelta(minutes=rule.minutes_before)
                for what in timetable.coming:
                    if what.begin <= until and what.key not in known and what.fits(rule):
                        self._begin(rule, what, before, now, done)
            self.notes.write(LAST_RUN, {"at": now.isoformat()})
        return done

    def _begin(self, rule: AlertRule, what: Coming, before: datetime | None, now: datetime, done: Heeded) -> None:
        """Tell of a pass for the first time where it is due; note one that was due while nobody looked."""
        due = what.begin - timedelta(minutes=rule.minutes_before)
        notice = Notice(message_id(rule.name, what), rule.name, what, list(rule.channels or self.channels))
        if now <= what.begin + GRACE and not what.is_flown:
            self._settle(notice, what, rule, now, done)
        elif before is not None and before < due:
            self._write(replace(notice, is_late=True))
            done.late.append(f"{rule.name}: {what_and_when(what, now)} was due while nobody looked: nobody was told")

    def _settle(self, notice: Notice, what: Coming, rule: AlertRule | None, now: datetime, done: Heeded) -> None:
        """Tell the channels that have yet to hear of a pass, then those that heard it otherwise than it is now."""
        waiting = [each for each in notice.channels if each not in (*notice.told, *notice.missed)]
        is_wrong = what.is_cancelled or abs(what.begin - notice.what.begin) > MOVED
        if rule and waiting and not what.is_cancelled:
            # One that moved by more is told by its correction, as long as that is of use.
            if what.is_flown or now > (notice.what if is_wrong else what).begin + GRACE:
                notice = self._write(replace(notice, missed=[*notice.missed, *waiting]))
                if not is_wrong:
                    names = ", ".join(waiting)
                    done.late.append(f"{notice.rule}: {what_and_when(notice.what, now)} began before {names} took it")
            else:
                notice = self._alert(notice, waiting, now, done)
        until = max(notice.what.begin, what.begin) + GRACE
        if is_wrong and notice.tried and now <= until and not what.is_flown:
            self._correct(notice, what, now, done)

    def _alert(self, notice: Notice, waiting: Sequence[str], now: datetime, done: Heeded) -> Notice:
        # As it was told first: one that a killed sender may have told hears the same, and then what is otherwise now.
        message = alert(notice.rule, notice.what, now)
        for channel in waiting:
            if channel not in notice.tried:
                notice = self._write(replace(notice, tried=[*notice.tried, channel]))
            if self._took(channel, message, done):
                notice = self._write(replace(notice, told=[*notice.told, channel]))
        return notice

    def _correct(self, notice: Notice, what: Coming, now: datetime, done: Heeded) -> None:
        # Of a new time they hear as well who have yet to be told at all: the correction says all that an alert does.
        concerned = notice.tried if what.is_cancelled else notice.channels
        waiting = [channel for channel in concerned if channel not in notice.corrected]
        is_news = notice.correction is None or (what.is_cancelled and not notice.correction.is_cancelled)
        if waiting and is_news:
            notice = self._write(replace(notice, correction=what))
        for channel in waiting:
            message = correction(notice.rule, notice.what, notice.correction or what, now)
            if self._took(channel, message, done):
                notice = self._write(replace(notice, corrected=[*notice.corrected, channel]))

    def _took(self, channel: str, message: Message, done: Heeded) -> bool:
        try:
            self.tell(channel, message)
        except ChannelError as error:
            done.failures.append(f"{channel} was not told: {message.text}: {error}")
            return False
        done.told.append(f"{channel}: {message.text}")
        return True

    def _write(self, notice: Notice) -> Notice:
        self.notes.write(notice.name, notice.values())
        return notice

    def _kept(self, timetable: Timetable) -> list[Notice]:
        """Return the notices; those whose pass issues have flown long since are removed."""
        kept = []
        for notice in all_notices(self.notes):
            flown_until = timetable.flown_until(notice.what)
            if flown_until is not None and notice.what.end < flown_until - KEPT:
                self.notes.remove(notice.name)
            else:
                kept.append(notice)
        return kept
