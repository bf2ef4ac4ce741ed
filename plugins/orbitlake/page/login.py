"""Who may see the page: whoever Airflow lets read its assets, by the cookie of its UI or a bearer token."""

# ruff: noqa: AIR311 - the SDK's Variable asks the supervisor of a task; a server asks the database

from typing import Annotated, Any, Final

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import AssetDetails
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.core_api.security import get_user, requires_access_asset
from airflow.configuration import conf
from airflow.models import Variable
from fastapi import Depends

from orbitlake.page.calendar_links import CalendarLinks, Claims
from orbitlake.page.calendars import People

LASTING: Final = frozenset({"sub", "role", "teams"})
"""Claims that say who someone is. Others, such as the tokens of an identity provider, belong in no link."""

may_read_assets = requires_access_asset(method="GET")
"""A dependency: 401 without a valid login, 403 for a user without the right."""


def login_url(back_to: str) -> str:
    """Return the address of Airflow's login, whichever auth manager it has, that leads back afterwards."""
    return get_auth_manager().get_url_login(next_url=back_to)


def people() -> People | None:
    """Return what calendar links need of the login; None where Airflow has no key of its own to sign them with."""
    secret = conf.get("api_auth", "jwt_secret", fallback="")
    return People(CalendarLinks(secret, VariableNonces(), may_still_read), claims_of) if secret else None


def claims_of(user: Annotated[BaseUser, Depends(get_user)]) -> Claims | None:
    """Return who is asking; None where that could not be asked about again later, without a session."""
    claims: dict[str, Any] = get_auth_manager().serialize_user(user)
    return claims if set(claims) <= LASTING and may_still_read(claims) else None


def may_still_read(claims: Claims) -> bool:
    """Say whether a person exists and may read assets now: not what held when a link was made."""
    manager = get_auth_manager()
    try:
        # FAB looks the account up and raises ValueError where it is gone or not active.
        user = manager.deserialize_user(dict(claims))
        if isinstance(manager, SimpleAuthManager):
            # It believes the claims: who its users are, and what they may, is in the settings.
            user = {each.username: each for each in manager.get_users()}[claims["sub"]]
        return manager.is_authorized_asset(method="GET", user=user, details=AssetDetails())
    except (ValueError, KeyError, TypeError):
        return False


class VariableNonces:
    """The random texts that links hang on, as variables of Airflow: deleting one revokes a person's links."""

    PREFIX: Final = "orbitlake_calendar_links_"

    def get(self, person: str) -> str | None:
        """Return the text of a person, None where there is none."""
        found = Variable.get(self.PREFIX + person, None)
        return None if found is None else str(found)

    def put(self, person: str, nonce: str) -> None:
        """Keep the text of a person."""
        Variable.set(self.PREFIX + person, nonce, "Calendar links of one person: deleting this revokes them.")

    def drop(self, person: str) -> None:
        """Forget the text of a person, where there is one."""
        Variable.delete(self.PREFIX + person)
