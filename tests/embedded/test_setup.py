"""`make setup` on machines of strangers: with tiny requirements in a tree of its own, for real but quick."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from orbitlake.embedded import installation
from orbitlake.settings import CHECKOUT

HONCHO = "honcho==2.0.0"
PACKAGE = "plugins/orbitlake"
PARTS = (
    "Makefile",
    "docker/backup",
    "docker/restore",
    f"{PACKAGE}/__init__.py",
    f"{PACKAGE}/settings.py",
    f"{PACKAGE}/embedded/__init__.py",
    f"{PACKAGE}/embedded/setup.sh",
    f"{PACKAGE}/embedded/installation.py",
    f"{PACKAGE}/embedded/java.py",
)
TOOLS = [
    "awk",
    "bash",
    "basename",
    "cat",
    "dirname",
    "make",
    "mkdir",
    "mktemp",
    "mv",
    "rm",
    "sh",
    "sleep",
    "sync",
    "yes",
]
INTERRUPTIONS = int(os.environ.get("ORBITLAKE_TEST_INTERRUPTIONS", "4"))
SEED = 20261127
BASE = getattr(sys, "_base_executable", sys.executable)
"""The Python behind this virtual environment."""


@dataclass
class Tree:
    """A checkout of what the set-up needs, and the environment in which it is called."""

    place: Path
    environment: dict[str, str]

    def make(self, *words: str, **variables: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["make", "-C", str(self.place), *words],
            env=self.environment | variables,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )

    def start(self) -> subprocess.Popen:
        return subprocess.Popen(
            ["make", "-C", str(self.place), "setup"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def works(self) -> bool:
        """Whether the package is in `.venv` and its command runs by the way written into it."""
        command = self.place / ".venv" / "bin" / "honcho"
        return subprocess.run([str(command), "version"], capture_output=True, check=False).returncode == 0


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return planted(tmp_path / "checkout", tmp_path)


def planted(place: Path, tmp_path: Path) -> Tree:
    for part in PARTS:
        (place / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / part, place / part)
    (place / "tests").mkdir()
    (place / "requirements.txt").write_text(f"{HONCHO}  # one of ours\n")
    (place / "constraints.txt").write_text(f"{HONCHO}\n")
    (place / "tests" / "requirements.txt").write_text("# none\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_", "PYTHON"))}
    return Tree(place, kept | {"PIP_CONFIG_FILE": os.devnull})


@pytest.fixture
def fakes(tree: Tree, tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes a command as a script of the shell; nothing else that could be a Python is on the PATH."""
    folder = tmp_path / "path"
    folder.mkdir()
    for name in TOOLS:
        (folder / name).symlink_to(str(shutil.which(name)))
    tree.environment |= {"PATH": str(folder)}

    def write(name: str, script: str) -> Path:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
        return folder / name

    return write


SOUND = f'case "$*" in *installation*) echo "$0 sets up" ;; *) exec "{BASE}" "$@" ;; esac'
"""A Python that tells of itself what ours does, and only names itself where the set-up starts."""
DEAD = "echo 'pyenv: python3.11: command not found' >&2; exit 127"
WITHOUT_ENSUREPIP = f'exec "{BASE}" -I -c \'import sys; sys.modules["ensurepip"] = None; exec(sys.argv[1])\' "$3"'


@pytest.mark.parametrize("hiding", [DEAD, "exit 1", "echo 3.10.2", "yes", "kill -9 $$", WITHOUT_ENSUREPIP])
def test_a_python_that_cannot_be_used_hides_no_other(tree: Tree, fakes, hiding: str):
    fakes("python3.11", hiding)
    other = fakes("python3.12", SOUND)

    done = tree.make("setup")

    assert f"{other} sets up" in done.stdout
    assert done.returncode == 0


def test_python_3_11_is_taken_before_newer_ones(tree: Tree, fakes):
    fakes("python3", SOUND)
    fakes("python3.13", SOUND)
    first = fakes("python3.11", SOUND)

    assert f"{first} sets up" in tree.make("setup").stdout


def test_python_named_comes_first(tree: Tree, fakes, tmp_path: Path):
    fakes("python3.11", SOUND)
    folder = tmp_path / 'a "named" $place'
    folder.mkdir()
    named = fakes("python-of-mine", SOUND).rename(folder / "python")

    assert f"{named} sets up" in tree.make("setup", PYTHON=str(named)).stdout


@pytest.mark.parametrize(
    ("script", "reason"),
    [(None, "is no command"), (DEAD, "pyenv: python3.11: command not found"), ("exit 3", "says: nothing")],
)
def test_a_wrong_python_named_is_told_and_no_other_taken(tree: Tree, fakes, script: str | None, reason: str):
    fakes("python3.11", SOUND)
    if script:
        fakes("mine", script)

    done = tree.make("setup", PYTHON="mine")

    assert done.returncode != 0
    assert re.search(rf"PYTHON=mine .*{reason}", done.stderr)
    assert "sets up" not in done.stdout


def test_without_a_python_the_message_says_what_was_found_and_what_helps(tree: Tree, fakes):
    shim = fakes("python3.11", DEAD)
    bare = fakes("python3", WITHOUT_ENSUREPIP)
    fakes("apt-get", "exit 1")

    done = tree.make("setup")

    assert done.returncode != 0
    assert f"{shim} says: pyenv: python3.11: command not found" in done.stderr
    assert f"{bare} is Python 3." in done.stderr
    assert "without ensurepip" in done.stderr
    assert re.search(r"sudo apt-get install python3\.1[123]-venv", done.stderr)
    assert not (tree.place / ".venv").exists()


@pytest.mark.parametrize("foreign", ["file", "folder"])
def test_what_no_set_up_made_is_named_and_kept(monkeypatch, tmp_path: Path, foreign: str):
    venv = tmp_path / ".venv"
    kept = venv if foreign == "file" else venv / "thesis.txt"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("mine")
    monkeypatch.setattr(installation, "VENV", venv)
    monkeypatch.setattr(installation, "MARK", venv / ".ready")

    with pytest.raises(installation.SetupError, match=r"that no set-up made.*mv \.venv"):
        installation.clear()

    assert kept.read_text() == "mine"


def test_settings_of_pip_reach_uv_and_none_that_leads_elsewhere(tmp_path: Path):
    (tmp_path / "ca.pem").write_text("")
    environ = {
        "PYTHONHOME": "/nowhere",
        "PIP_USER": "1",
        "PIP_TARGET": "/elsewhere",
        "UV_SYSTEM_PYTHON": "1",
        "UV_CONSTRAINT": "/c",
        "VIRTUAL_ENV": "/other",
        "REQUESTS_CA_BUNDLE": str(tmp_path / "ca.pem"),
        "UV_INDEX_MINE_PASSWORD": "secret",
        "HOME": str(tmp_path),
    }
    pip = {
        "INDEX_URL": "https://mirror/simple",
        "EXTRA_INDEX_URL": "https://one/simple\nhttps://two/simple",
        "TRUSTED_HOST": "mirror",
        "PROXY": "http://proxy:3128",
        "TIMEOUT": "90",
        "USER": "true",
        "CONSTRAINT": "/c",
    }

    sources = installation.package_sources(installation.clean_environment(environ), pip)

    wanted = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "https://mirror/simple",
        "UV_DEFAULT_INDEX": "https://mirror/simple",
        "UV_INSECURE_HOST": "mirror",
        "HTTPS_PROXY": "http://proxy:3128",
        "PIP_CERT": str(tmp_path / "ca.pem"),
        "SSL_CERT_FILE": str(tmp_path / "ca.pem"),
        "UV_HTTP_TIMEOUT": "90",
        "UV_INDEX_MINE_PASSWORD": "secret",
    }
    assert {name: sources.get(name) for name in wanted} == wanted
    lost = {
        "PYTHONHOME",
        "PIP_USER",
        "PIP_TARGET",
        "PIP_CONSTRAINT",
        "UV_SYSTEM_PYTHON",
        "UV_CONSTRAINT",
        "VIRTUAL_ENV",
    }
    assert not lost & set(sources)
    assert installation.uv_arguments(sources)[:4] == [
        "--extra-index-url",
        "https://one/simple",
        "--extra-index-url",
        "https://two/simple",
    ]


def test_an_index_of_uv_serves_pip_too():
    sources = installation.package_sources({"UV_DEFAULT_INDEX": "corp=https://mirror/simple", "UV_NO_CACHE": "1"}, {})

    assert sources["PIP_INDEX_URL"] == "https://mirror/simple"
    assert sources["UV_DEFAULT_INDEX"] == "corp=https://mirror/simple"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("error: Failed to fetch: `https://x/`\n  Caused by: dns error\n", "Caused by: dns error. Check the network"),
        ("Collecting\nOSError: [Errno 28] No space left on device\n", "No space left on device. Free some room"),
        ("Traceback\nERROR: something odd\nhint\n", "ERROR: something odd"),
    ],
)
def test_a_step_that_fails_tells_its_reason_in_one_line(said: str, told: str):
    words = [sys.executable, "-c", f"print({said!r}, end=''); raise SystemExit(1)"]

    with pytest.raises(installation.SetupError, match=re.escape(told)) as caught:
        installation.step("try", words, os.environ, None)

    assert "\n" not in str(caught.value)


# Makefile and compose -----------------------------------------------------------------------------------------------


def test_help_lists_every_target(tree: Tree):
    makefile = (CHECKOUT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)

    listed = [line.split()[0] for line in tree.make("-s", "help").stdout.splitlines() if not line.startswith("make")]

    assert phony is not None
    assert sorted(listed) == sorted(phony[1].split())


@pytest.mark.parametrize(("target", "variable"), [("backup", "TO"), ("restore", "FROM")])
def test_a_target_without_its_folder_says_what_is_missing(tree: Tree, target: str, variable: str):
    done = tree.make(target, COMPOSE="false")

    assert done.returncode != 0
    assert f"make {target} {variable}=" in done.stderr


@pytest.mark.parametrize(
    ("to", "made"),
    [
        ("{tmp}/x/y/", "x/y"),
        ("{tmp}/x/y//", "x/y"),
        ("{tmp}/x/y/.", "x/y"),
        ("relative/", "checkout/relative"),
        ("-dash", "checkout/-dash"),
        ("{tmp}/a \"b\" 'c'/", "a \"b\" 'c'"),
        ("~/backups/", "home/backups"),
    ],
)
def test_a_backup_goes_to_the_folder_named_and_comes_back_from_there(
    tree: Tree, fakes, tmp_path: Path, to: str, made: str
):
    fakes("compose", "echo data")
    (tmp_path / "home").mkdir()
    told = {"COMPOSE": "compose", "HOME": str(tmp_path / "home")}
    folder = to.format(tmp=tmp_path)

    back_up = tree.make("backup", TO=folder, **told)
    again = tree.make("backup", TO=folder, **told)
    restore = tree.make("restore", FROM=folder, **told)

    assert back_up.returncode == 0, back_up.stderr
    assert sorted(path.name for path in (tmp_path / made).iterdir()) == ["data.tar", "metadata.dump"]
    assert "exists already" in again.stderr
    assert restore.returncode == 0, restore.stderr
    beside = (tmp_path / made).parent.glob(f"{Path(made).name}.*")
    assert not list(beside)


# For real -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def wheels(tmp_path_factory) -> Path:
    """A folder with the wheels of uv and of the tiny requirements: a package index on this machine."""
    folder = tmp_path_factory.mktemp("wheels")
    words = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), installation.UV, HONCHO]
    if subprocess.run(words, check=False).returncode:
        pytest.skip("no package index: nothing to set up from")
    return folder


@pytest.fixture
def local(tree: Tree, wheels: Path) -> Tree:
    tree.environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    return tree


@pytest.mark.e2e
def test_a_hostile_place_and_environment_do_no_harm_and_a_moved_checkout_is_made_anew(tmp_path: Path, wheels: Path):
    tree = planted(tmp_path / 'it\'s "a" $place, ü' / "checkout", tmp_path)
    (tmp_path / "pip.conf").write_text(f"[global]\nuser = true\nquiet = 3\nno-index = true\nfind-links = {wheels}\n")
    tree.environment |= {
        "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"),
        "PIP_REQUIRE_VIRTUALENV": "1",
        "PIP_TARGET": str(tmp_path / "target"),
        "PIP_CONSTRAINT": str(tmp_path / "missing"),
        "PYTHONHOME": str(tmp_path),
        "PYTHONSTARTUP": str(tmp_path / "missing"),
        "PYTHONWARNINGS": "error",
        "VIRTUAL_ENV": str(tmp_path / "other"),
        "UV_SYSTEM_PYTHON": "1",
        "UV_TARGET": str(tmp_path / "target"),
        "LC_ALL": "C",
        "HOME": os.devnull,
        "TMPDIR": str(tmp_path / "missing"),
        "CDPATH": str(CHECKOUT),
    }
    tree.environment.pop("XDG_CACHE_HOME", None)

    before = os.umask(0o077)
    try:
        first = tree.make("setup")
    finally:
        os.umask(before)
    assert first.returncode == 0, first.stderr
    assert tree.works()
    assert not (tmp_path / "target").exists()
    assert not (tree.place / ".venv" / "cache").exists()

    moved = Tree(tree.place.rename(tmp_path / "moved"), tree.environment)
    second = moved.make("setup")

    assert f"it was made for {tree.place}" in second.stdout
    assert moved.works()
    assert moved.make("setup").stdout.count("making") == 0


def half_made(venv: Path) -> None:
    (venv / "bin").mkdir(parents=True)
    (venv / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (venv / "bin" / "python").symlink_to(sys.executable)


def of_a_lost_python(venv: Path) -> None:
    half_made(venv)
    (venv / "bin" / "python").unlink()
    (venv / "bin" / "python").symlink_to(venv / "uninstalled")


def dangling(venv: Path) -> None:
    venv.symlink_to(venv.parent / "lost")


@pytest.mark.e2e
@pytest.mark.parametrize(
    "damage",
    [
        half_made,
        pytest.param(of_a_lost_python, marks=pytest.mark.long),
        pytest.param(dangling, marks=pytest.mark.long),
        pytest.param(Path.mkdir, marks=pytest.mark.long),
    ],
)
def test_what_an_earlier_set_up_left_is_made_anew(local: Tree, damage: Callable[[Path], None]):
    damage(local.place / ".venv")

    done = local.make("setup")

    assert done.returncode == 0, done.stderr
    assert local.works()


@pytest.mark.long
@pytest.mark.e2e
def test_a_venv_of_another_python_is_made_anew_and_new_packages_come_in_place(local: Tree):
    assert local.make("setup").returncode == 0
    mark = local.place / ".venv" / ".ready"
    (local.place / ".venv" / "mine").write_text("")
    (local.place / "constraints.txt").write_text(f"{HONCHO}  # renewed\n")

    renewed = local.make("setup")
    assert renewed.returncode == 0
    assert (local.place / ".venv" / "mine").exists()

    ours = f"3.{sys.version_info.minor}"
    mark.write_text(mark.read_text().replace(f'"{ours}"', '"3.10"'))
    anew = local.make("setup")

    assert f"it was made of Python 3.10 and now runs {ours}" in anew.stdout
    assert not (local.place / ".venv" / "mine").exists()
    assert local.works()


@pytest.mark.e2e
def test_of_two_at_once_one_waits_and_both_end_well(local: Tree):
    one, other = local.start(), local.start()
    said = [one.communicate()[0], other.communicate()[0]]

    assert [one.returncode, other.returncode] == [0, 0], said
    assert sum("waiting for another" in each for each in said) == 1
    assert sum("making .venv" in each for each in said) == 1
    assert local.works()


@pytest.mark.long
@pytest.mark.e2e
def test_without_a_package_index_one_line_says_so_and_the_next_works(local: Tree):
    nowhere = {
        "PIP_NO_INDEX": "",
        "PIP_FIND_LINKS": "",
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_RETRIES": "0",
    }

    failed = local.make("setup", **nowhere)

    assert failed.returncode != 0
    lines = [line for line in failed.stderr.splitlines() if not re.match(r"make(\[\d+\])?: ", line)]
    assert len(lines) == 1, lines
    assert re.search(r"setup: could not install uv: .*Check the network", lines[0])
    assert local.make("setup").returncode == 0
    assert local.works()


@pytest.mark.long
@pytest.mark.e2e
@pytest.mark.timeout(300 + 120 * INTERRUPTIONS)
def test_an_interruption_at_any_moment_leaves_what_the_next_set_up_mends(local: Tree):
    chance = random.Random(SEED)
    begun = time.monotonic()
    assert local.make("setup").returncode == 0
    length_s = time.monotonic() - begun
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
    for number in range(INTERRUPTIONS):
        if chance.random() < 0.8:
            shutil.rmtree(local.place / ".venv")
        else:
            (local.place / "constraints.txt").write_text(f"{HONCHO}  # renewal {number}\n")
        sent, after_s = signals[number % len(signals)], chance.uniform(0, length_s)
        # The terminal's whole group, or the set-up alone while its steps live on.
        alone = chance.random() < 0.5
        running = local.start()
        try:
            running.wait(after_s)
        except subprocess.TimeoutExpired:
            (os.kill if alone else os.killpg)(running.pid, sent)
        running.communicate()

        done = local.make("setup")

        told = f"interruption {number}: {sent.name} after {after_s:.2f} s of {length_s:.2f}, alone: {alone}"
        assert done.returncode == 0, f"{told}\n{done.stdout}{done.stderr}"
        assert local.works(), told
        assert local.make("setup").stdout.count("making") == 0, told
