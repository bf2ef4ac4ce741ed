"""Renew the tables of docs/prediction.md from real files: `PYTHONPATH=plugins python -m tools.prediction [FOLDER]`."""

import argparse
import os
from pathlib import Path

from tools.prediction.page import DEFAULT_DATA, PAGE, renewed

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(os.environ.get("ORBITLAKE_REAL_DATA") or DEFAULT_DATA)
    parser.add_argument("folder", type=Path, nargs="?", default=default, help="oem/iss/ and multi/ below it")
    PAGE.write_text(renewed(PAGE.read_text(), parser.parse_args().folder))
