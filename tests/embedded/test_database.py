"""The topology's own PostgreSQL: as root or not, in any folder, for those alone who know its password."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg2
import pytest

from orbitlake.embedded import database
from orbitlake.embedded.database import AS_ANOTHER, Database, free_port
from orbitlake.embedded.roots import TopologyError

WITHIN_S = 60
ENVIRONMENT = {"PATH": os.environ["PATH"], "TZ": "UTC", "LC_ALL": "C"}


@pytest.fixture(params=range(len(AS_ANOTHER)) if os.geteuid() == 0 else [None])
def one(request, tmp_path: Path, monkeypatch):
    """A database that runs, in a folder that is its owner's alone and whose name a shell would take apart."""
    database.prefix.cache_clear()
    if request.param is not None:
        monkeypatch.setattr(database, "AS_ANOTHER", AS_ANOTHER[request.param :][:1])
        try:
            database.prefix()
        except TopologyError:
            pytest.skip(f"{AS_ANOTHER[request.param][0]} is not permitted here")
    folder = tmp_path / 'it\'s "$x" ü'
    folder.mkdir(mode=0o700)
    package = database.programs().parents[1]
    for source in (package, package.with_name(f"{package.name}.libs")):
        if source.is_dir():
            shutil.copytree(source, folder / source.name, ignore=database.OTHER_VERSION)
    programs = folder / database.programs().relative_to(package.parent)
    monkeypatch.setattr(database, "programs", lambda: programs)
    made = Database(folder / "database", "secret", free_port())
    made.make(ENVIRONMENT, folder / "initdb.log")
    server = subprocess.Popen(made.command, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + WITHIN_S
        while subprocess.run(made.check, env=ENVIRONMENT, check=False).returncode:
            assert time.monotonic() < deadline
            assert server.poll() is None
            time.sleep(0.1)
        yield made
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(WITHIN_S)
        database.prefix.cache_clear()


def connect(made: Database, **other: object):
    return psycopg2.connect(made.url.replace("+psycopg2", ""), **other)


def test_database_keeps_utf_8_and_refuses_who_does_not_know_the_password(one: Database):
    with connect(one) as known, known.cursor() as cursor:
        cursor.execute("SELECT 'ü', current_setting('server_encoding'), current_setting('timezone')")
        assert cursor.fetchone() == ("ü", "UTF8", "UTC")

    with pytest.raises(psycopg2.OperationalError, match="password"):
        connect(one, password="wrong")
    with pytest.raises(psycopg2.OperationalError, match="no password"):
        connect(one, password="", passfile="/nonexistent")


def test_database_that_is_there_is_kept_without_the_number_of_a_dead_server(tmp_path: Path):
    folder = tmp_path / "database"
    folder.mkdir()
    (folder / "PG_VERSION").write_text("18")
    (folder / "postmaster.pid").write_text("1")

    Database(folder, "secret", 1).make(ENVIRONMENT, tmp_path / "log")

    assert [file.name for file in folder.iterdir()] == ["PG_VERSION"]


def test_failed_making_names_the_reason_and_leaves_no_half_of_a_database(tmp_path: Path):
    folder = tmp_path / "database"

    with pytest.raises(TopologyError, match="PostgreSQL could not make"):
        Database(folder, "", 1).make(ENVIRONMENT, tmp_path / "log")

    assert not folder.exists()
    assert not folder.with_suffix(".password").exists()
