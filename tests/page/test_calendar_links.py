"""A calendar by a link: for whoever has it, that calendar alone, until it is revoked or its maker may not read."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from fastapi import HTTPException
from fastapi.testclient import TestClient
from icalendar import Calendar
from tests.page.conftest import AGDE, PASSING, people_of

from orbitlake.lake import Lake
from orbitlake.page.app import create_app
from orbitlake.page.calendar_links import CalendarLinks
from orbitlake.page.calendars import People

WANTED = {"site": "Paris", "visible": True, "min_elevation_deg": 10}


def client_with(lake: Lake, people: People | None, guard: Callable[[], None] = lambda: None) -> TestClient:
    return TestClient(create_app(guard, lake.root, lambda: PASSING, people=people))


def refuse() -> None:
    raise HTTPException(401)


@pytest.fixture
def people() -> People:
    return people_of("ada", "ben")


@pytest.fixture
def client(flown: Lake, people: People) -> TestClient:
    return client_with(flown, people)


def made(client: TestClient, **wanted: object) -> str:
    answer = client.post("/api/calendar_link", json=WANTED | wanted)
    assert answer.status_code == 200, answer.text
    return answer.json()["path"]


def with_parameters(path: str, **changed: object) -> str:
    parts = urlsplit(path)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()} | changed
    return f"{parts.path}?{urlencode(query)}"


def test_link_gives_the_calendar_to_whoever_is_not_logged_in(client, flown: Lake, people: People):
    path = made(client)
    stranger = client_with(flown, people, guard=refuse)

    answer = stranger.get(path)

    assert answer.status_code == 200
    assert answer.content == client.get("/api/exports/passes.ics", params=WANTED).content
    assert Calendar.from_ical(answer.content).walk("VEVENT")
    assert stranger.get("/api/passes?site=Paris").status_code == 401
    assert stranger.get("/calendar/").status_code == stranger.get("/calendar/openapi.json").status_code == 404


def test_answer_is_for_nobody_to_keep_and_names_no_referrer(client):
    headers = client.get(made(client)).headers

    assert headers["cache-control"] == "private, no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert "noindex" in headers["x-robots-tag"]


@pytest.mark.parametrize(
    "changed",
    [
        {"site": AGDE.name},
        {"site": "Nowhere"},
        {"visible": "false"},
        {"min_elevation_deg": "9"},
        {"token": "x"},
        {"token": ""},
    ],
    ids=str,
)
def test_link_opens_no_other_calendar(client, changed: dict):
    assert client.get(with_parameters(made(client), **changed)).status_code == 403


def test_altered_token_is_refused_at_each_of_its_characters(client):
    path = made(client)
    token = parse_qs(urlsplit(path).query)["token"][0]

    for nth, letter in enumerate(token):
        altered = f"{token[:nth]}{'A' if letter != 'A' else 'B'}{token[nth + 1 :]}"
        # The last character carries four bits of the MAC alone, and two that count for nothing.
        assert client.get(with_parameters(path, token=altered)).status_code == 403, nth


@pytest.mark.parametrize("claims", [b"[]", b"{}", b"null", b"{", b"[" * 900, b'{"sub": {"a": 1}}'])
def test_token_of_strange_claims_is_refused(client, claims: bytes):
    import base64

    token = f"{base64.urlsafe_b64encode(claims)[:900].decode().rstrip('=')}.{'A' * 43}"

    assert client.get(with_parameters(made(client), token=token)).status_code in (403, 422)


def test_token_that_is_too_long_is_not_looked_at(client):
    assert client.get(with_parameters(made(client), token="A" * 1025)).status_code == 422


def test_link_signed_with_another_key_is_refused(flown: Lake, people: People):
    other = CalendarLinks("another key", people.links.nonces, people.links.may_read)
    path = made(client_with(flown, People(other, people.claims)))

    assert client_with(flown, people).get(path).status_code == 403


def test_revoked_links_are_refused_and_one_made_afterwards_is_another(client):
    paths = [made(client), made(client, site=AGDE.name)]

    assert client.delete("/api/calendar_link").status_code == 204
    assert [client.get(path).status_code for path in paths] == [403, 403]
    again = made(client)
    assert again != paths[0]
    assert client.get(again).status_code == 200
    assert client.get(paths[0]).status_code == 403


def test_each_person_revokes_their_own(client, flown: Lake, people: People):
    ben = client_with(flown, People(people.links, lambda: {"sub": "ben"}))
    mine, bens = made(client), made(ben)

    ben.delete("/api/calendar_link")

    assert client.get(mine).status_code == 200
    assert client.get(bens).status_code == 403


def test_link_of_someone_who_may_no_longer_read_is_refused(flown: Lake, people: People):
    path = made(client_with(flown, people))
    nobody = CalendarLinks(people.links.secret, people.links.nonces, lambda _: False)

    assert client_with(flown, People(nobody, people.claims)).get(path).status_code == 403


def test_same_choices_give_the_same_link(client):
    assert made(client) == made(client)
    assert made(client) != made(client, visible=False)


def test_all_refusals_are_alike(client):
    path = made(client)
    answers = {client.get(with_parameters(path, **changed)).text for changed in ({"token": "x"}, {"site": "Nowhere"})}

    assert len(answers) == 1


def test_macs_are_compared_in_constant_time(client, monkeypatch: pytest.MonkeyPatch):
    import hmac

    seen = []
    compare = hmac.compare_digest
    monkeypatch.setattr(
        "orbitlake.page.calendar_links.hmac.compare_digest", lambda a, b: seen.append((a, b)) or compare(a, b)
    )
    path = made(client)
    client.delete("/api/calendar_link")
    client.get(path)

    assert [(len(given), len(expected)) for given, expected in seen] == [(43, 43)]


def test_without_a_login_that_can_vouch_no_link_is_made_and_none_opens(flown: Lake, people: People):
    path = made(client_with(flown, people))
    unvouched = client_with(flown, None)

    assert unvouched.post("/api/calendar_link", json=WANTED).status_code == 409
    assert unvouched.get(path).status_code == 403
    assert (
        client_with(flown, People(people.links, lambda: None)).post("/api/calendar_link", json=WANTED).status_code
        == 409
    )


def test_link_is_made_and_revoked_behind_the_guard(flown: Lake, people: People):
    stranger = client_with(flown, people, guard=refuse)

    assert stranger.post("/api/calendar_link", json=WANTED).status_code == 401
    assert stranger.delete("/api/calendar_link").status_code == 401


def test_other_sites_cannot_have_a_link_made_by_a_form(client):
    """A form of another origin sends cookies, but JSON only after the browser has asked whether it may."""
    import json

    plain = client.post("/api/calendar_link", content=json.dumps(WANTED), headers={"Content-Type": "text/plain"})

    assert plain.status_code == 422


def test_calendar_of_a_site_that_is_gone_is_refused(client, flown: Lake):
    path = made(client, site=AGDE.name)
    (flown.root / "sites.toml").unlink()

    assert client.get(path).status_code == 403
