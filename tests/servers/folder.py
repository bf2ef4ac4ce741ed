"""Where such servers lie: below .venv, in nobody's set-up, and absent without harm."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parents[2]
SERVERS: Final = CHECKOUT / ".venv" / "servers"
WITHIN_S: Final = 600


class NotToBeHadError(Exception):
    """Why there is no such server here."""


def install(folder: Path, *packages: str) -> None:
    """Install Python packages into a folder of their own, all or nothing. Raises NotToBeHadError."""
    uv = Path(sys.executable).with_name("uv")
    aside = folder.with_name(f"{folder.name}.aside")
    shutil.rmtree(aside, ignore_errors=True)
    run(str(uv), "pip", "install", "-q", "--python", sys.executable, "--target", str(aside), *packages)
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)


def run(*command: str, cwd: Path | None = None) -> None:
    """Run a program that fetches something. Raises NotToBeHadError with the last line that it says."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=WITHIN_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotToBeHadError(f"{command[0]} {error}") from error
    if done.returncode:
        said = (done.stderr + done.stdout).strip().splitlines() or ["no reason given"]
        raise NotToBeHadError(f"{Path(command[0]).name}: {said[-1]}")
