"""Which Java is taken, and what is said of one that Spark cannot run on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orbitlake.embedded import java
from orbitlake.embedded.java import JavaError, check_java, find_java
from orbitlake.settings import CHECKOUT

NEW = 'openjdk version "17.0.15" 2025-04-15'
OLD = 'openjdk version "11.0.2" 2019-01-15'


@pytest.fixture(autouse=True)
def no_java(monkeypatch, tmp_path: Path) -> None:
    """A machine without Java: none named, none on the PATH, none in the known places."""
    monkeypatch.setenv("JAVA_HOME", "")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr(java, "KNOWN_PLACES", (f"{tmp_path}/known/*",))


def fake(home: Path, said: str = "", script: str = "") -> Path:
    """A home of Java whose command says this on stderr, or runs a script of the shell."""
    command = home / "bin" / "java"
    command.parent.mkdir(parents=True)
    says = f"echo '{said}' >&2"
    command.write_text(f"#!/bin/sh\n{script or says}\n")
    command.chmod(0o755)
    return home


def on_path(monkeypatch, home: Path) -> None:
    monkeypatch.setenv("PATH", f"{home / 'bin'}{os.pathsep}{os.defpath}")


def test_java_home_comes_before_the_path(monkeypatch, tmp_path: Path):
    home = fake(tmp_path / "home", NEW)
    on_path(monkeypatch, fake(tmp_path / "other", OLD))
    monkeypatch.setenv("JAVA_HOME", str(home))

    assert find_java().home == home


def test_the_path_comes_before_the_known_places(monkeypatch, tmp_path: Path):
    on_path(monkeypatch, fake(tmp_path / "first", NEW))
    fake(tmp_path / "known" / "java-17", NEW)

    assert find_java().command == tmp_path / "first" / "bin" / "java"


@pytest.mark.parametrize("script", [f"echo '{OLD}' >&2", "exit 127", "echo 'Unable to locate a Java Runtime.'; exit 1"])
def test_a_java_of_the_path_that_will_not_do_hides_no_installed_one(monkeypatch, tmp_path: Path, script: str):
    on_path(monkeypatch, fake(tmp_path / "first", script=script))
    home = fake(tmp_path / "known" / "java-17", NEW)
    fake(tmp_path / "known" / "java-11", OLD)

    check_java()

    # By it Spark's scripts go, which know neither the places nor the rule.
    assert os.environ["JAVA_HOME"] == str(home)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (f"echo '{OLD}' >&2", "11\\.0\\.2"),
        ("echo 'java version \"1.8.0_402\"' >&2", "1\\.8\\.0_402"),
        ("echo 'jenv: java: command not found' >&2; exit 127", "jenv: java: command not found"),
        ("exit 0", "nothing"),
        ("head -c 1000 /dev/urandom", "does not tell its version"),
        (f"echo 'Picked up JAVA_TOOL_OPTIONS: -Dx=version \"17\"' >&2; echo '{OLD}' >&2", "11\\.0\\.2"),
        (
            f"[ $1 = --list-modules ] && printf 'java.base@17\\njava.sql@17\\n' || echo '{NEW}'",
            "without java.desktop, .*jdk.unsupported",
        ),
    ],
)
def test_a_java_that_will_not_do_is_named_with_what_it_is(monkeypatch, tmp_path: Path, script: str, reason: str):
    home = fake(tmp_path / "home", script=script)
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.setenv("JAVA_HOME", str(home))

    with pytest.raises(JavaError, match=rf"JAVA_HOME={home} .*{home}/bin/java.*{reason}"):
        check_java()


@pytest.mark.parametrize("options", ["", "-Dname=value", '-Dtold=version "8"'])
@pytest.mark.parametrize("line", [NEW, 'java version "21" 2023-09-19 LTS', 'openjdk version "25-ea" 2025-09-16'])
def test_what_java_says_of_its_options_is_not_its_version(monkeypatch, tmp_path: Path, options: str, line: str):
    monkeypatch.setenv("PATH", os.defpath)
    picked = (
        f"echo 'Picked up JAVA_TOOL_OPTIONS: {options}' >&2; echo 'NOTE: Picked up JDK_JAVA_OPTIONS: {options}' >&2"
    )
    monkeypatch.setenv("JAVA_HOME", str(fake(tmp_path / "home", script=f"{picked}; echo '{line}' >&2")))

    assert find_java().home == tmp_path / "home"


@pytest.mark.parametrize(
    "script", ["sleep 600", "sleep 600 & exit 0", "sleep 600 & sleep 600", "exec sleep 600 >&- 2>&-"]
)
def test_a_java_that_hangs_is_given_up(monkeypatch, tmp_path: Path, script: str):
    monkeypatch.setattr(java, "ANSWER_WITHIN_S", 0.3)
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.setenv("JAVA_HOME", str(fake(tmp_path / "home", script=script)))

    with pytest.raises(JavaError, match=r"did not answer within 0\.3 s|nothing"):
        check_java()


def test_a_java_that_prints_without_end_is_given_up(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.setenv("JAVA_HOME", str(fake(tmp_path / "home", script="yes y")))

    with pytest.raises(JavaError, match="does not tell its version but 'y'"):
        check_java()


@pytest.mark.parametrize("kind", ["missing", "folder", "not executable", "no program", "bin itself"])
def test_a_wrong_java_home_is_named_with_the_file_that_was_looked_for(monkeypatch, tmp_path: Path, kind: str):
    home = tmp_path / "home"
    if kind == "folder":
        (home / "bin" / "java").mkdir(parents=True)
    elif kind != "missing":
        fake(home, NEW)
    if kind == "not executable":
        (home / "bin" / "java").chmod(0o644)
    if kind == "no program":
        (home / "bin" / "java").write_bytes(b"\x7fELF")
    named = home / "bin" if kind == "bin itself" else home
    monkeypatch.setenv("JAVA_HOME", str(named))

    with pytest.raises(JavaError, match=rf"Java 17 .*JAVA_HOME={named} .*{named}/bin/java\b.*unset JAVA_HOME"):
        check_java()


def test_without_any_java_the_message_says_where_was_looked_and_what_helps(monkeypatch, tmp_path: Path):
    on_path(monkeypatch, fake(tmp_path / "old", OLD))

    with pytest.raises(JavaError) as caught:
        check_java()

    for part in ("Java 17", "JAVA_HOME (not set)", "PATH", f"{tmp_path}/old/bin/java", "11.0.2", "install"):
        assert part in str(caught.value)


def test_a_command_runs_with_the_java_found(monkeypatch, tmp_path: Path):
    home = fake(tmp_path / "home", NEW)
    environment = {**os.environ, "JAVA_HOME": f"{home}/", "PYTHONPATH": str(CHECKOUT / "plugins"), "PATH": os.defpath}
    printing = [sys.executable, "-c", "import os; print(os.environ['JAVA_HOME'])"]

    words = [sys.executable, "-m", "orbitlake.embedded.java", *printing]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == str(home)
