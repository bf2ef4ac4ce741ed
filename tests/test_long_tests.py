"""`make test-long` collects the files that hold a long test, and no others: none of them may be missed."""

import re
import subprocess

import pytest
from tests.conftest import LONG_FILES

from orbitlake.settings import CHECKOUT


def test_the_files_that_make_test_long_names_are_all_that_hold_a_long_test(request: pytest.FixtureRequest):
    (command,) = re.findall(r"-m long \$\$\((.*)\)$", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)
    named = subprocess.run(["bash", "-c", command], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    held = request.config.stash[LONG_FILES]

    assert set(named.split()) >= held
