"""The archive of Spark's classes: Java takes them from it, and one that does not fit is left unused without a word."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from orbitlake.embedded import spark_classes
from orbitlake.embedded.java import ARCHIVE, find_java, quick_start
from orbitlake.embedded.spark import for_spark

needs_archive = pytest.mark.skipif(not ARCHIVE.is_file(), reason=f"there is no {ARCHIVE}: `make setup` makes it")


@needs_archive
def test_spark_starts_from_the_archive(tmp_path):
    log = tmp_path / "classes.log"
    environment = os.environ | for_spark(tmp_path, f"-Xlog:class+load:file={log}")
    subprocess.run([Path(sys.executable).parent / "spark-submit", "--version"], env=environment, check=True)
    assert re.search(r"org\.apache\.spark\.\S+ source: shared objects file \(top\)", log.read_text())


@needs_archive
def test_classes_of_another_place_leave_it_unused_without_a_word(tmp_path):
    words = [find_java().command, *quick_start(), "-cp", tmp_path, "-version"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert "warning" not in done.stderr


def test_a_session_that_fails_leaves_no_archive_and_says_why(tmp_path, monkeypatch, capfd):
    archive = tmp_path / "spark.jsa"
    archive.write_text("of an earlier set-up")
    monkeypatch.setattr(spark_classes, "ARCHIVE", archive)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "no-java"))
    assert not spark_classes.make()
    assert "no-java" in capfd.readouterr().err
    assert not list(tmp_path.iterdir())
