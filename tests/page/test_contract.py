"""The API against its own description: what OpenAPI allows is answered as described, what it forbids is refused."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from tests.page.conftest import NOW

from orbitlake.lake import Lake
from orbitlake.page.app import create_app

EXAMPLES = 12
PATHS = create_app(lambda: None).openapi()["paths"]
REFUSED = 422


@pytest.fixture
def described(filled: Lake) -> schemathesis.BaseSchema:
    """The description as the API itself hands it out."""
    return schemathesis.openapi.from_asgi("/api/openapi.json", create_app(lambda: None, filled.root, lambda: NOW))


def statuses_of(described: schemathesis.BaseSchema, path: str, mode: GenerationMode) -> set[int]:
    """Ask a path what its description suggests; every check that schemathesis has judges each answer."""
    statuses = set()

    @settings(max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=described[path]["GET"].as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        statuses.add(case.call_and_validate().status_code)

    ask()
    return statuses


@pytest.mark.parametrize("path", PATHS)
def test_request_that_keeps_to_the_description_is_answered_as_described(described, path: str):
    assert statuses_of(described, path, GenerationMode.POSITIVE) == {200}


@pytest.mark.parametrize("path", [path for path, operations in PATHS.items() if "parameters" in operations["get"]])
def test_request_that_breaks_the_description_is_refused(described, path: str):
    """A parameter that the description does not know is no breach, and ignored."""
    statuses = statuses_of(described, path, GenerationMode.NEGATIVE)

    assert REFUSED in statuses
    assert statuses <= {200, 404, REFUSED}
