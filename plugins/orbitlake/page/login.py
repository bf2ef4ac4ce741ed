"""Who may see the page: whoever Airflow lets read its assets, by the cookie of its UI or a bearer token."""

from airflow.api_fastapi.core_api.security import requires_access_asset

may_read_assets = requires_access_asset(method="GET")
"""A dependency: 401 without a valid login, 403 for a user without the right."""
