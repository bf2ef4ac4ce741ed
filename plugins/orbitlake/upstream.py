"""Whose numbers a data root holds: a mark in it, so that simulated and real numbers never share a table."""

import json
import os
from pathlib import Path
from typing import Final

from orbitlake.settings import LIVE, SettingError, Settings

MARKER: Final = "upstream.json"
"""File in a data root that names the upstream whose numbers it holds."""


def held_by(data: Path) -> str | None:
    """Return the upstream whose numbers a data root holds; None where it holds none. Without a mark they count as real.

    Raises SettingError where the mark cannot be read.
    """
    if not any((data / folder).exists() for folder in ("live", "lake", "raw")):
        return None
    marker = data / MARKER
    try:
        return str(json.loads(marker.read_bytes())["upstream"])
    except FileNotFoundError:
        return LIVE
    except (ValueError, KeyError, TypeError) as error:
        raise SettingError(
            f'{marker} cannot be read ({error}): expected {{"upstream": "live"}} or another name'
        ) from None


def claim(settings: Settings, label: str | None = None) -> None:
    """Mark the data root with its upstream, so that simulated and real numbers never share a table.

    `label` says more than live or simulator. Raises SettingError where the root is marked otherwise.
    """
    wanted = label or settings.upstream
    held = held_by(settings.data)
    if held not in (None, wanted):
        raise SettingError(
            f"{settings.data} holds tables of upstream {held!r}, not {wanted!r}: set ORBITLAKE_DATA to another folder"
        )
    settings.data.mkdir(parents=True, exist_ok=True)
    marker = settings.data / MARKER
    if held is None or not marker.is_file():
        aside = marker.with_name(f".{MARKER}.{os.getpid()}")
        aside.write_text(json.dumps({"upstream": wanted}) + "\n", encoding="utf-8")
        aside.replace(marker)
