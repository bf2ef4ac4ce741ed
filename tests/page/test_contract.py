"""The API against its own description: what OpenAPI allows is answered as described, what it forbids is refused."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from tests.page.conftest import NOW, PASSING, people_of

from orbitlake.lake import Lake
from orbitlake.page.app import create_app

EXAMPLES = 12
PATHS = create_app(lambda: None).openapi()["paths"]
ASKED = [path for path, operations in PATHS.items() if "get" in operations]
REFUSED = 422
NO_SITE = 404
"""No description knows the sites: most that it allows are none of them."""


@pytest.fixture
def described(filled: Lake) -> schemathesis.BaseSchema:
    """The description as the API itself hands it out."""
    return schemathesis.openapi.from_asgi("/api/openapi.json", create_app(lambda: None, filled.root, lambda: NOW))


@pytest.fixture
def described_of_passes(flown: Lake) -> schemathesis.BaseSchema:
    """The same of a lake with a whole issue and its passes."""
    app = create_app(lambda: None, flown.root, lambda: PASSING, people=people_of("ada"))
    return schemathesis.openapi.from_asgi("/api/openapi.json", app)


def statuses_of(described: schemathesis.BaseSchema, path: str, mode: GenerationMode, method: str = "GET") -> set[int]:
    """Ask a path what its description suggests; every check that schemathesis has judges each answer."""
    statuses = set()

    @settings(max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=described[path][method].as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        statuses.add(case.call_and_validate().status_code)

    ask()
    return statuses


def names_a_site(path: str) -> bool:
    return any(each["name"] == "site" for each in PATHS[path]["get"].get("parameters", ()))


@pytest.mark.parametrize("path", [path for path in ASKED if "/exports/" not in path and not names_a_site(path)])
def test_request_that_keeps_to_the_description_is_answered_as_described(described, path: str):
    assert statuses_of(described, path, GenerationMode.POSITIVE) == {200}


@pytest.mark.parametrize("path", [path for path in ASKED if "/exports/" in path or names_a_site(path)])
def test_request_about_passes_or_files_is_answered_as_described(described_of_passes, path: str):
    statuses = statuses_of(described_of_passes, path, GenerationMode.POSITIVE)

    assert statuses <= {200, NO_SITE} if names_a_site(path) else statuses == {200}


@pytest.mark.parametrize(("method", "answers"), [("POST", {200, NO_SITE}), ("DELETE", {204})])
def test_link_is_made_and_revoked_as_described(described_of_passes, method: str, answers: set[int]):
    assert statuses_of(described_of_passes, "/api/calendar_link", GenerationMode.POSITIVE, method) <= answers


@pytest.mark.parametrize("path", [path for path in ASKED if "parameters" in PATHS[path]["get"]])
def test_request_that_breaks_the_description_is_refused(described, path: str):
    """A parameter that the description does not know is no breach, and ignored."""
    statuses = statuses_of(described, path, GenerationMode.NEGATIVE)

    assert REFUSED in statuses
    assert statuses <= {200, 404, REFUSED}
