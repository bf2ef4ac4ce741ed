"""DuckDB over what is published: the views of the lake, read by the manifest through Arrow, as of one moment."""

from collections.abc import Iterable, Sequence
from datetime import date
from urllib.parse import unquote

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from orbitlake.lake import LakeError
from orbitlake.lake.paths import day_of_folder, issue_folder
from orbitlake.publishing.manifest import NAME, Entry, Manifest
from orbitlake.publishing.store import Store
from orbitlake.tables import Table


class PublishedViews:
    """The views of what is published, all as of one manifest: the newest at the last look."""

    def __init__(self, store: Store, tables: Sequence[Table], since: date | None, issue: str | None) -> None:
        self._store, self._tables, self._since, self._issue = store, tables, since, issue
        self._seen: str | None = ""

    def define(self, database: duckdb.DuckDBPyConnection) -> None:
        """Define the views by the manifest, where it is another one than before. Raises LakeError, StoreError."""
        if (seen := self._store.version(NAME)) == self._seen:
            return
        manifest = manifest_of(self._store)
        for table in self._tables:
            objects = objects_of(manifest, table, self._since, self._issue)
            database.register(f"published_{table.name}", dataset_of(self._store, table, objects))
            columns = ", ".join([*table.folder_keys, *table.column_names])
            sql = f"CREATE OR REPLACE VIEW {table.name} AS SELECT {columns} FROM published_{table.name}"  # noqa: S608
            database.execute(sql)
        self._seen = seen


def manifest_of(store: Store) -> Manifest:
    """Return what is published; nothing where there is no manifest. Raises ManifestError."""
    content = store.read(NAME)
    return Manifest.decode(content) if content else Manifest()


def urls_of(store: Store, table: Table, since: date | None) -> list[str]:
    """Return the URLs of a table's objects, in order."""
    return [f"{store.url}/{path}" for path in sorted(objects_of(manifest_of(store), table, since, None))]


def objects_of(manifest: Manifest, table: Table, since: date | None, issue: str | None) -> dict[str, Entry]:
    """Return a table's objects, without earlier days or other issues. Raises LakeError on those of another version."""
    wanted = f"issue={issue_folder(issue)}" if issue and "issue" in table.partition_by else None
    found = {}
    for path, entry in manifest.objects.items():
        _, name, *folders, _ = path.split("/")
        days = [day for folder in folders if (day := day_of_folder(folder))]
        if name != table.name or (wanted and wanted not in folders) or (since and any(day < since for day in days)):
            continue
        if entry.version != table.version:
            raise LakeError(f"{path}: version {entry.version} of {name}, this program knows version {table.version}")
        found[path] = entry
    return found


def dataset_of(store: Store, table: Table, objects: dict[str, Entry]) -> ds.Dataset | pa.Table:
    """Return the rows of some objects, each as long as the manifest says: what replaces it meanwhile is not seen.

    Arrow takes that length of objects; of a file it asks for the present one, and finds the newest rows of each.
    """
    keys = table.folder_keys
    kinds: dict[str, pa.DataType] = {"date": pa.date32()}
    schema = pa.schema([pa.field(key, kinds.get(key, pa.string())) for key in keys] + list(table.schema))
    if not objects:
        return schema.empty_table()
    form = ds.ParquetFileFormat()
    fragments = [
        form.make_fragment(
            store.path(path), store.filesystem, partition_expression=expression_of(path, keys), file_size=entry.bytes
        )
        for path, entry in sorted(objects.items())
    ]
    return ds.FileSystemDataset(fragments, schema, form, store.filesystem)


def expression_of(path: str, keys: Iterable[str]) -> pc.Expression | None:
    """Return what holds for all rows of an object, by its folders."""
    folders = dict(folder.split("=", 1) for folder in path.split("/") if "=" in folder)
    found = None
    for key in keys:
        value = date.fromisoformat(folders[key]) if key == "date" else unquote(folders[key])
        one = pc.field(key) == pa.scalar(value)
        found = one if found is None else found & one
    return found
