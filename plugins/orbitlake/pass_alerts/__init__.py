"""Told once, some minutes before: passes over sites and approaches to points. Needs neither Airflow nor Spark."""

from orbitlake.pass_alerts.coming import Coming, Timetable, timetable_of
from orbitlake.pass_alerts.messages import Message
from orbitlake.pass_alerts.notices import Notes
from orbitlake.pass_alerts.teller import Heeded, Teller

__all__ = ["Coming", "Heeded", "Message", "Notes", "Teller", "Timetable", "timetable_of"]
