"""When an object passes over a site or near a point, and how sure that is: needs neither Airflow nor Spark."""

from orbitlake.passes.alert_keys import rule_of
from orbitlake.passes.alert_rules import AlertRule
from orbitlake.passes.ground_approaches import approaches
from orbitlake.passes.pass_tables import update_approaches, update_passes
from orbitlake.passes.place_keys import point_of, site_of
from orbitlake.passes.places import PARIS, Places, Point, Site, SitesError
from orbitlake.passes.site_passes import passes
from orbitlake.passes.sites_file import add_site, read_places

__all__ = [
    "PARIS",
    "AlertRule",
    "Places",
    "Point",
    "Site",
    "SitesError",
    "add_site",
    "approaches",
    "passes",
    "point_of",
    "read_places",
    "rule_of",
    "site_of",
    "update_approaches",
    "update_passes",
]
