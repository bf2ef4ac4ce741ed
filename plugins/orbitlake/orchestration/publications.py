"""What the task of publish_lake does: closed partitions to the store of the settings, and told of."""

from typing import TYPE_CHECKING, Any

from orbitlake.orchestration.outcomes import counted, note

if TYPE_CHECKING:
    from orbitlake.publishing import Access
    from orbitlake.settings import Settings

NOTHING_NAMED = "no store is named by ORBITLAKE_PUBLISH_URL: nothing to do"


def publish_lake(context: Any) -> dict[str, Any]:
    """Publish by the settings and the run's form; return what was done, nothing where no store is named.

    Raises AirflowFailException, since trying again would not help, where a setting cannot be used.
    """
    from orbitlake.settings import from_environment

    settings = from_environment()
    if not settings.publish_url:
        note(context, NOTHING_NAMED)
        return {}
    from dataclasses import asdict

    from airflow.sdk.exceptions import AirflowFailException

    from orbitlake.lake import Lake
    from orbitlake.publishing import Store, publish, tables_named
    from orbitlake.settings import SettingError
    from orbitlake.upstream import held_by

    params = context["params"]
    try:
        tables = tables_named(settings.publish_tables if params["table"] == "all" else [params["table"]])
        upstream = held_by(settings.data) or settings.upstream
    except SettingError as error:
        raise AirflowFailException(str(error)) from error
    store = Store.open(settings.publish_url, access_of(settings))
    published = publish(Lake(settings.data), store, tables, upstream, verify=params["verify"] == "yes")
    sent = f"{counted(published.sent, 'partition')} sent, {counted(published.bytes_sent, 'byte')}"
    note(context, f"{sent}; {published.unchanged:,} unchanged, {published.removed:,} removed")
    return asdict(published)


def access_of(settings: "Settings") -> "Access":
    """Return how the store is reached: by the connection of the settings, where one is named, else the environment."""
    from orbitlake.publishing import Access

    if not settings.publish_connection:
        return Access(settings.publish_endpoint, settings.publish_region)
    from airflow.sdk import Connection

    found = Connection.get(settings.publish_connection)
    more = found.extra_dejson
    return Access(
        endpoint=str(more.get("endpoint_url") or settings.publish_endpoint),
        region=str(more.get("region_name") or settings.publish_region),
        key_id=found.login or "",
        secret_key=found.password or "",
        session_token=str(more.get("aws_session_token") or ""),
    )
