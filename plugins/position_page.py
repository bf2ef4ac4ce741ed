"""The Airflow plugin: mounts the position page below /position and shows it in the navigation.

Every component of Airflow loads its plugins: the application and what it needs are made by what the API server alone
sets up.
"""

from functools import cache, partial
from threading import Lock, Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Receive, Scope, Send

URL_PREFIX = "/position"
BASE_PATH = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
MAKING = Lock()


@cache
def made_app() -> "FastAPI":
    """The application; held MAKING, there is one a process."""
    from orbitlake.page.app import create_app
    from orbitlake.page.login import login_url, may_read_assets, people

    back = partial(login_url, f"{BASE_PATH}{URL_PREFIX}/")
    return create_app(guard=may_read_assets, login_url=back, people=people())


def position_app() -> "FastAPI":
    """The application, made once a process."""
    with MAKING:
        return made_app()


def warm_up() -> None:
    """Make the application and read the open day, thousands of small files, before the first request asks for it."""
    position_app().state.desk.look()


class EarlyStart:
    """A middleware for its making alone, which tells that this process serves pages; requests pass through it."""

    def __init__(self, app: "ASGIApp") -> None:
        self.app = app
        Thread(target=warm_up, name="position page", daemon=True).start()

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        await self.app(scope, receive, send)


async def position_page(scope: "Scope", receive: "Receive", send: "Send") -> None:
    """What Airflow mounts: the application behind its first request."""
    await position_app()(scope, receive, send)


class PageLink(BaseOperatorLink):
    """On the page of each task instance: to where its output is seen."""

    name = "Position page"

    def get_link(self, _operator: object, *, ti_key: object) -> str:  # noqa: ARG002 - Airflow's name
        """The page inside of Airflow's own."""
        return f"{BASE_PATH}/plugin/{PositionPage.external_views[0]['url_route']}"


class PositionPage(AirflowPlugin):
    """What Airflow asks of a plugin: names, a place to mount, an entry of the navigation, a link from each task."""

    name = "position_page"
    fastapi_apps = [{"app": position_page, "url_prefix": URL_PREFIX, "name": "Position page"}]  # noqa: RUF012
    fastapi_root_middlewares = [{"middleware": EarlyStart, "name": "Position page"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        {
            "name": "Position",
            "href": f"{BASE_PATH}{URL_PREFIX}/",
            "destination": "nav",
            "url_route": "position",
        }
    ]
    global_operator_extra_links = [PageLink()]  # noqa: RUF012
