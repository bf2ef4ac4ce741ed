"""sites.toml -> the sites and points of a lake, the rules of alerts, and one site more in it."""

import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

from orbitlake.lake.files import write_file
from orbitlake.lake.locks import lock_folder
from orbitlake.passes.alert_keys import rule_of
from orbitlake.passes.alert_rules import AlertRule
from orbitlake.passes.place_keys import SITE_KEYS, point_of, site_of
from orbitlake.passes.places import Places, Point, Site, SitesError

SITES: Final = "sites"
POINTS: Final = "points"
ALERTS: Final = "alerts"
TABLE_LINE: Final = re.compile(r"\s*\[\[\s*[\"']?(sites|points|alerts)[\"']?\s*\]\]\s*(#.*)?")
LARGEST_FILE_BYTES: Final = 2**20

Place = TypeVar("Place", Site, Point, AlertRule)


def read_places(file: Path) -> Places:
    """Return the sites, points and rules of alerts of a file; where it is absent Paris alone.

    Raises SitesError where it cannot be used.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST_FILE_BYTES + 1)
    except FileNotFoundError:
        return Places()
    except OSError as error:
        raise SitesError(f"{file}: {error.strerror or error}") from error
    return places_of(content, file)


def places_of(content: bytes, file: Path) -> Places:
    """Return the sites, points and rules of a file's content. Raises SitesError likewise."""
    if len(content) > LARGEST_FILE_BYTES:
        raise SitesError(f"{file}: is larger than {LARGEST_FILE_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
        found = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SitesError(f"{file}:{line}: is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise SitesError(f"{file}: is not TOML: {error}") from None
    for key in found:
        if key not in (SITES, POINTS, ALERTS):
            raise SitesError(f"{file}: {key}: expected nothing but [[sites]], [[points]] and [[alerts]]")
    lines = _lines_of_tables(text)
    sites = tuple(_places(file, SITES, found.get(SITES, []), lines, lambda row: site_of(**row)))
    points = tuple(_places(file, POINTS, found.get(POINTS, []), lines, lambda row: point_of(**row)))

    def rule_among_them(row: Mapping[str, Any]) -> AlertRule:
        rule = rule_of(**row)
        for key, name, there in (("site", rule.site, sites), ("point", rule.point, points)):
            names = [each.name for each in there]
            if name is not None and name not in names:
                raise ValueError(f"{key} is {name!r}: there is {', '.join(names) or 'none'}")
        return rule

    return Places(sites, points, tuple(_places(file, ALERTS, found.get(ALERTS, []), lines, rule_among_them)))


def _places(
    file: Path,
    kind: str,
    rows: Any,
    lines: Mapping[str, list[int]],
    make: Callable[[Mapping[str, Any]], Place],
) -> Iterable[Place]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SitesError(f"{file}: {kind}: expected tables that begin with [[{kind}]]")
    seen: dict[str, str] = {}
    for number, row in enumerate(rows):
        of_kind = lines[kind]
        # Tables written inline have no line of their own.
        where = f"{file}:{of_kind[number]}" if len(of_kind) == len(rows) else f"{file}"
        try:
            place = make(row)
        except ValueError as error:
            raise SitesError(f"{where}: {kind[:-1]} {number + 1}: {error}") from None
        if (other := seen.setdefault(_plain(place.name), place.name)) is not place.name:
            raise SitesError(f"{where}: {kind[:-1]} {number + 1}: name {place.name!r}: there is {other!r} before it")
        yield place


def _plain(name: str) -> str:
    """Return what two names must not have in common: on some systems folders that differ in case alone are one."""
    return unicodedata.normalize("NFKC", name).casefold()


def _lines_of_tables(text: str) -> dict[str, list[int]]:
    lines: dict[str, list[int]] = {SITES: [], POINTS: [], ALERTS: []}
    for number, line in enumerate(text.splitlines(), start=1):
        if found := TABLE_LINE.fullmatch(line):
            lines[found[1]].append(number)
    return lines


def add_site(file: Path, site: Site, staging: Path | None = None) -> bool:
    """Append a site to a file, whose text stays as it is; return False where it holds the very same already.

    A file that is absent begins with Paris, which held until then. The new text is checked, written in `staging`, which
    is on the same file system, by default beside the file, and renamed. Raises SitesError where the name is another
    site's, and where the file cannot be used.
    """
    site = _checked(site)
    if file.is_symlink():
        # The link stays, and what it leads to may be on another file system.
        file, staging = file.resolve(), None
    file.parent.mkdir(parents=True, exist_ok=True)
    with lock_folder(file.parent):
        known = read_places(file)
        for each in known.sites:
            if _plain(each.name) == _plain(site.name):
                if each == site:
                    return False
                raise SitesError(f"{file}: name {site.name!r}: there is another site of that name: {each}")
        before = file.read_bytes() if file.exists() else "\n".join(map(text_of, known.sites)).encode()
        gap = b"" if not before else b"\n" if before.endswith(b"\n") else b"\n\n"
        content = before + gap + text_of(site).encode()
        if not _holds(content, file, replace(known, sites=(*known.sites, site))):
            raise SitesError(f"{file}: sites: a site cannot be appended to it: write it by hand")
        write_file(file, content, staging or file.parent)
    return True


def _holds(content: bytes, file: Path, places: Places) -> bool:
    """Tell whether a file's content is of these places: text behind an inline array, for one, is not TOML."""
    try:
        return places_of(content, file) == places
    except SitesError:
        return False


def _checked(site: Site) -> Site:
    try:
        return site_of(**{key: getattr(site, key) for key in SITE_KEYS})
    except ValueError as error:
        raise SitesError(str(error)) from None


def text_of(site: Site) -> str:
    """Return a site as TOML."""
    # A name holds letters, digits and signs that need no escape in a basic string.
    return (
        f'[[sites]]\nname = "{site.name}"\n'
        f"latitude_deg = {site.latitude_deg!r}\nlongitude_deg = {site.longitude_deg!r}\n"
        f"height_m = {site.height_m!r}\nhorizon_deg = {site.horizon_deg!r}\n"
        f'time_zone = "{site.time_zone}"\n'
    )
