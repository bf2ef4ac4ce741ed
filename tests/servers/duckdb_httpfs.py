"""DuckDB with its extension for S3: the newest release for which a package carries one, beside ours, in a folder."""

from tests.servers.folder import SERVERS, install

VERSION = "1.5.5"
FOLDER = SERVERS / "duckdb-httpfs"
EXTENSION = FOLDER / "duckdb_extension_httpfs" / "extensions" / f"v{VERSION}" / "httpfs.duckdb_extension"


def fetch() -> None:
    """Fetch both where they are absent. Raises NotToBeHadError."""
    if not EXTENSION.is_file():
        install(FOLDER, f"duckdb=={VERSION}", f"duckdb-extension-httpfs=={VERSION}")
