"""What would stand in the way of a start, found before anything is changed."""

import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from orbitlake.embedded.roots import TopologyError

VARIABLE: Final = re.compile(r"\$\{?[A-Za-z]*[A-Z_]\w*\}?")
"""What could be a variable of the environment that the processes get; `$` alone and `$x` cannot."""


def check_path(path: Path, what: str) -> None:
    """Raise TopologyError where the path holds what Java's class path or Airflow's settings would take apart."""
    if os.pathsep in str(path):
        raise TopologyError(f"{what} cannot be {path}: {os.pathsep!r} separates the folders of Java's class path")
    if "%" in str(path):
        raise TopologyError(f"{what} cannot be {path}: Airflow's configuration file takes '%' for a reference")
    if found := VARIABLE.search(str(path)):
        raise TopologyError(f"{what} cannot be {path}: Airflow takes {found[0]!r} for the value of a variable")
    if not str(path).isprintable():
        raise TopologyError(f"{what} cannot be {str(path)!r}: it holds signs that cannot be printed")


def check_permits_programs(folder: Path) -> None:
    """Raise TopologyError where no program may run from a folder: Spark loads native libraries from there."""
    if os.statvfs(folder).f_flag & getattr(os, "ST_NOEXEC", 0):
        raise TopologyError(f"{folder} lies on a file system mounted noexec, from which Spark cannot load libraries")


def check_ports(wanted: Mapping[str, tuple[int, str]]) -> None:
    """Raise TopologyError where a port, given by its setting with what it is for, is taken or wanted twice."""
    for name, (port, purpose) in wanted.items():
        same = [other for other, (number, _) in wanted.items() if number == port and other != name]
        if same:
            raise TopologyError(f"port {port} is wanted by {name} and by {', '.join(same)}: set one of them")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise TopologyError(
                    f"port {port}, wanted for {purpose}, is taken ({error.strerror}): free it or set {name}"
                ) from error
