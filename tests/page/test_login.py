"""The page behind Airflow's own login: every path asks for it, and the cookie of the UI opens them all."""

import os
import threading
from functools import cache
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

CHECKOUT = Path(__file__).resolve().parents[2]
PATHS_WITH_A_PLACE = {
    "/static/{name}": "/static/page.css",
    "/api/day": "/api/day?date=2026-11-20",
    "/api/passes": "/api/passes?site=Paris",
    "/api/sky": "/api/sky?site=Paris&pass_id=x",
    "/api/exports/passes.csv": "/api/exports/passes.csv?site=Paris",
    "/api/exports/passes.ics": "/api/exports/passes.ics?site=Paris",
}
OF_AN_ISSUE = ("/api/exports/oem", "/api/exports/omm", "/api/exports/czml")
"""There is none to export here."""
LINK = "/position/api/calendar_link"
PARIS = {"site": "Paris"}


@pytest.fixture(scope="module")
def manager():
    """Airflow's simple auth manager, with no token revoked: revocations lie in a database that is not here."""
    from airflow.api_fastapi.app import create_auth_manager, purge_cached_app
    from airflow.models.revoked_token import RevokedToken

    patch = pytest.MonkeyPatch()
    patch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "a secret of this test alone, long enough for its algorithm")
    patch.setenv(
        "AIRFLOW__CORE__AUTH_MANAGER",
        "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
    )
    patch.setattr(RevokedToken, "is_revoked", lambda _: False)
    purge_cached_app()
    yield create_auth_manager()
    purge_cached_app()
    patch.undo()


@pytest.fixture
def mounted(manager, tmp_path, monkeypatch) -> TestClient:
    """The plugin's application where Airflow mounts it."""
    monkeypatch.setenv("ORBITLAKE_DATA", str(tmp_path))
    monkeypatch.syspath_prepend(CHECKOUT / "plugins")
    import position_page

    position_page.made_app.cache_clear()
    outer = FastAPI()
    (plugged,) = position_page.PositionPage.fastapi_apps
    outer.mount(plugged["url_prefix"], plugged["app"])
    yield TestClient(outer)
    position_page.made_app.cache_clear()


def token_of(manager, role: str | None) -> str:
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    return manager.generate_jwt(SimpleAuthManagerUser(username="someone", role=role))


@cache
def every_path() -> list[str]:
    from orbitlake.page.app import create_app

    paths = create_app(lambda: None).openapi()["paths"]
    return [PATHS_WITH_A_PLACE.get(path, path) for path, operations in paths.items() if "get" in operations]


def test_paths_are_the_page_and_its_api():
    assert {"/", "/api/latest", "/api/track", "/static/page.css", "/api/alerts"} <= set(every_path())


@pytest.mark.parametrize("path", every_path())
def test_path_without_login_is_refused(mounted, path: str):
    assert mounted.get("/position" + path).status_code == 401


@pytest.mark.parametrize("path", every_path())
def test_path_with_a_forged_token_is_refused(mounted, path: str):
    forged = {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."}

    assert mounted.get("/position" + path, headers=forged).status_code == 403


@pytest.mark.parametrize("path", every_path())
def test_path_is_refused_to_a_user_who_may_not_read_assets(mounted, manager, path: str):
    right_less = {"Authorization": f"Bearer {token_of(manager, None)}"}

    assert mounted.get("/position" + path, headers=right_less).status_code == 403


@pytest.mark.parametrize("path", every_path())
def test_viewer_sees_every_path_with_the_cookie_of_the_ui(mounted, manager, path: str):
    from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN

    mounted.cookies.set(COOKIE_NAME_JWT_TOKEN, token_of(manager, "viewer"))

    assert mounted.get("/position" + path).status_code == (404 if path in OF_AN_ISSUE else 200)


def test_viewer_reads_the_api_with_a_bearer_token(mounted, manager):
    viewer = {"Authorization": f"Bearer {token_of(manager, 'viewer')}"}

    assert mounted.get("/position/api/latest", headers=viewer).json()["rows"] == []


@pytest.fixture
def kept_links(manager, monkeypatch) -> dict[str, str]:
    """What links hang on, in memory: Airflow's variables lie in a database that is not here."""
    from tests.page.conftest import Remembered

    from orbitlake.page import login

    kept = Remembered()
    monkeypatch.setattr(login, "VariableNonces", lambda: kept)
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", "someone:viewer")
    return kept


def as_viewer(manager) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_of(manager, 'viewer')}"}


def test_link_of_a_viewer_opens_that_calendar_without_a_login_and_nothing_else(mounted, manager, kept_links):
    path = mounted.post(LINK, json=PARIS, headers=as_viewer(manager)).json()["path"]
    token = path.rpartition("token=")[2]

    assert mounted.get(f"/position/{path}").text.startswith("BEGIN:VCALENDAR")
    assert mounted.get(f"/position/api/latest?token={token}").status_code == 401
    assert mounted.get("/position/api/latest", headers={"Authorization": f"Bearer {token}"}).status_code == 403
    assert mounted.delete(LINK, headers=as_viewer(manager)).status_code == 204
    assert mounted.get(f"/position/{path}").status_code == 403


@pytest.mark.parametrize("users", ["other:viewer", "someone:nobody"], ids=["gone", "without rights"])
def test_link_ends_with_the_account_or_its_right(mounted, manager, kept_links, monkeypatch, users: str):
    path = mounted.post(LINK, json=PARIS, headers=as_viewer(manager)).json()["path"]

    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", users)

    assert mounted.get(f"/position/{path}").status_code == 403


def test_token_of_the_login_opens_no_calendar(mounted, manager, kept_links):
    mounted.post(LINK, json=PARIS, headers=as_viewer(manager))

    stolen = {"site": "Paris", "token": token_of(manager, "viewer")}

    assert mounted.get("/position/calendar/passes.ics", params=stolen).status_code == 403


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."}], ids=str
)
def test_link_is_neither_made_nor_revoked_without_a_login(mounted, kept_links, headers: dict):
    assert mounted.post(LINK, json=PARIS, headers=headers).status_code in (401, 403)
    assert mounted.delete(LINK, headers=headers).status_code in (401, 403)
    assert kept_links == {}


def test_access_log_of_airflow_blots_the_secret_of_a_link_out(mounted, manager, kept_links):
    import structlog
    from airflow.api_fastapi.common.http_access_log import HttpAccessLogMiddleware

    path = mounted.post(LINK, json=PARIS, headers=as_viewer(manager)).json()["path"]
    with structlog.testing.capture_logs() as logged:
        TestClient(HttpAccessLogMiddleware(mounted.app)).get(f"/position/{path}")

    (line,) = [each for each in logged if each["event"] == "request finished"]
    assert "site=Paris" in line["query"]
    assert path.rpartition("token=")[2] not in str(line)


def test_login_that_keeps_accounts_elsewhere_has_no_links(manager, monkeypatch):
    """An identity provider's tokens belong in no link, and an account that is gone raises where it is looked up."""
    from orbitlake.page import login

    class Elsewhere:
        def serialize_user(self, user):
            return {"sub": user, "access_token": "theirs"}

        def deserialize_user(self, claims):
            raise ValueError(f"User with id {claims['sub']} not found")

    monkeypatch.setattr(login, "get_auth_manager", Elsewhere)

    assert login.claims_of("5") is None
    assert not login.may_still_read({"sub": "5"})


def test_without_a_key_of_its_own_airflow_has_no_links(monkeypatch):
    from orbitlake.page import login

    monkeypatch.setattr(login.conf, "get", lambda *_, **__: "")

    assert login.people() is None


def test_api_server_reads_the_open_day_before_the_first_request(mounted, tmp_path):
    from datetime import UTC, datetime

    from tests.page.conftest import FIX, rows_of
    from tests.published import publish

    import position_page
    from orbitlake.lake import Lake
    from orbitlake.tables import POSITIONS

    lake, now = Lake(tmp_path), datetime.now(UTC)
    day = lake.live(POSITIONS) / f"date={now.date()}"
    publish(rows_of(POSITIONS, [FIX | {"event_time": now}]), POSITIONS, day / "0001-0.parquet", lake.staging)
    (early,) = position_page.PositionPage.fastapi_root_middlewares
    mounted.app.add_middleware(early["middleware"])
    threads = set(threading.enumerate())

    with mounted:
        for started in set(threading.enumerate()) - threads:
            if started.name == "position page":
                started.join(30)

        assert position_page.position_app().state.desk.live.days[day].rows.num_rows == 1
        assert mounted.get("/position/api/latest").status_code == 401


BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize("path", ["/position/", "/position/?from=elsewhere"])
def test_browser_without_a_login_is_led_to_it_and_back(mounted, path: str):
    response = mounted.get(path, headers=BROWSER, follow_redirects=False)

    assert response.status_code == 302
    assert response.headers["location"] == "/auth/login?next=%2Fposition%2F"


@pytest.mark.parametrize("path", [path for path in every_path() if path != "/"])
def test_what_the_page_asks_for_is_refused_as_json_however_it_is_asked_for(mounted, path: str):
    response = mounted.get("/position" + path, headers=BROWSER, follow_redirects=False)

    assert response.status_code == 401
    assert response.json() == {"detail": "Not authenticated"}


def test_user_who_may_not_read_assets_is_told_so_in_words(mounted, manager):
    right_less = BROWSER | {"Authorization": f"Bearer {token_of(manager, None)}"}

    response = mounted.get("/position/", headers=right_less, follow_redirects=False)

    assert response.status_code == 403
    assert "ask an administrator for the right to read assets" in response.text
    assert 'href="/auth/login?next=%2Fposition%2F"' in response.text
    assert "default-src 'none'" in response.headers["content-security-policy"]


def test_unknown_path_tells_nothing(mounted):
    assert mounted.get("/position/docs").status_code == 404
    assert mounted.get("/position/openapi.json").status_code == 404


def test_airflow_finds_the_plugin_and_its_place_in_the_navigation():
    from airflow import plugins_manager

    plugins, errors = plugins_manager._load_plugins_from_plugin_directory(plugins_folder=str(CHECKOUT / "plugins"))

    assert errors == {}
    (page,) = [plugin for plugin in plugins if plugin.name == "position_page"]
    (view,) = page.external_views
    assert view["href"] == "/position/"
    assert view["destination"] == "nav"
    (link,) = page.global_operator_extra_links
    assert link.get_link(None, ti_key=None) == f"/plugin/{view['url_route']}"


def test_plugin_that_every_component_loads_is_cheap():
    """The application, the database and the physics wait for the first request."""
    import subprocess
    import sys

    script = (
        "import sys, airflow.plugins_manager; before = set(sys.modules); import position_page; "
        "new = set(sys.modules) - before; print(sorted(new & {'duckdb', 'pyarrow', 'orbitlake.page.app', 'erfa'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": str(CHECKOUT / "plugins")},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip().splitlines()[-1] == "[]"
