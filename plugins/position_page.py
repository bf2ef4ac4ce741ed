"""The Airflow plugin: mounts the position page below /position and shows it in the navigation.

Every component of Airflow loads its plugins: the application and what it needs are made at the first request, which
only the API server gets.
"""

from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import Receive, Scope, Send

URL_PREFIX = "/position"


@cache
def position_app() -> "FastAPI":
    """The application, made once a process."""
    from orbitlake.page.app import create_app
    from orbitlake.page.login import may_read_assets

    return create_app(guard=may_read_assets)


async def position_page(scope: "Scope", receive: "Receive", send: "Send") -> None:
    """What Airflow mounts: the application behind its first request."""
    await position_app()(scope, receive, send)


class PositionPage(AirflowPlugin):
    """What Airflow asks of a plugin: names, a place to mount, an entry of the navigation."""

    name = "position_page"
    fastapi_apps = [{"app": position_page, "url_prefix": URL_PREFIX, "name": "Position page"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        {
            "name": "Position",
            "href": urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/") + URL_PREFIX + "/",
            "destination": "nav",
            "url_route": "position",
        }
    ]
