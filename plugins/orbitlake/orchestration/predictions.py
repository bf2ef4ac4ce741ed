"""What the tasks of predict_passes do: a site added by the form, both tables brought up to date, and told of."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from orbitlake.orchestration.audits import bring_up_to_date
from orbitlake.orchestration.outcomes import counted, note

if TYPE_CHECKING:
    from airflow.sdk import Asset

    from orbitlake.passes import Places


def add_site_of_form(params: Mapping[str, Any]) -> list[str]:
    """Add the site of a run's form to the file of places, where it names one; return the names of all sites.

    Raises AirflowFailException, since trying again would not help, where the form or the file cannot be used.
    """
    from airflow.sdk.exceptions import AirflowFailException

    from orbitlake.lake import Lake
    from orbitlake.orchestration.site_fields import SITE_FIELDS, site_problems
    from orbitlake.passes import SitesError, add_site, read_places, site_of
    from orbitlake.settings import from_environment

    settings = from_environment()
    file = settings.sites_file
    try:
        if problems := site_problems(params):
            raise AirflowFailException(" ".join(problems))
        if params["new_site"] is not None:
            values = {SITE_FIELDS[name].key: params[name] for name in SITE_FIELDS}
            staging = None if settings.sites else Lake(settings.data).staging
            is_news = add_site(file, site_of(**values), staging)
            print(f"{params['new_site']}: {'added to' if is_news else 'is the same already in'} {file}", flush=True)
        places = read_places(file)
        if params["site"] is not None:
            places.named([params["site"]])
    except (SitesError, ValueError) as error:
        raise AirflowFailException(str(error)) from error
    return [site.name for site in places.sites]


def predict_passes(table: "Asset", context: Any) -> dict[str, Any]:
    """Bring passes up to date, print those of the next days, and note how many there are."""
    from orbitlake.lake import Lake
    from orbitlake.passes import update_passes
    from orbitlake.passes.timetable import lines_of, passes_over
    from orbitlake.settings import STANDARD, from_environment

    settings, places = from_environment(), places_of_settings()
    refraction = settings.refraction == STANDARD

    def update(lake: Lake, *, everything: bool) -> Any:
        return update_passes(lake, places, refraction=refraction, everything=everything)

    published = bring_up_to_date(update, table, context)
    asked, days = context["params"]["site"], context["params"]["days"]
    since = datetime.now(UTC)
    counts = []
    for site in places.named([asked]) if asked else places.sites:
        rows = passes_over(Lake(settings.data), site, since, since + timedelta(days=days))
        visible = sum(row["visible_from"] is not None for row in rows)
        counts.append(f"{site.name} {counted(len(rows), 'pass', 'passes')}, {visible} visible")
        for line in lines_of(site, rows):
            print(line, flush=True)
    note(context, f"within {days:g} days: " + "; ".join(counts))
    return published


def predict_approaches(table: "Asset", context: Any) -> dict[str, Any]:
    """Bring approaches up to date."""
    from orbitlake.lake import Lake
    from orbitlake.passes import update_approaches

    places = places_of_settings()

    def update(lake: Lake, *, everything: bool) -> Any:
        return update_approaches(lake, places, everything=everything)

    return bring_up_to_date(update, table, context)


def places_of_settings() -> "Places":
    """Return the sites, points and rules of alerts. Raises AirflowFailException where their file cannot be used."""
    from airflow.sdk.exceptions import AirflowFailException

    from orbitlake.passes import SitesError, read_places
    from orbitlake.settings import from_environment

    try:
        return read_places(from_environment().sites_file)
    except SitesError as error:
        raise AirflowFailException(str(error)) from error
