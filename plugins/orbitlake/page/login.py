"""Who may see the page: whoever Airflow lets read its assets, by the cookie of its UI or a bearer token."""

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import requires_access_asset

may_read_assets = requires_access_asset(method="GET")
"""A dependency: 401 without a valid login, 403 for a user without the right."""


def login_url(back_to: str) -> str:
    """Return the address of Airflow's login, whichever auth manager it has, that leads back afterwards."""
    return get_auth_manager().get_url_login(next_url=back_to)
