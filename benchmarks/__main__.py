"""Run every benchmark of this folder, one after the other: `make bench`, or `python -m benchmarks oem dags`.

With `--small` each does as little as shows that it works, and no figure is judged: what CI runs.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main(arguments: list[str]) -> int:
    """Run the named benchmarks, all of them by default; returns how many ended otherwise than well."""
    scripts = {script.stem.removeprefix("bench_"): script for script in sorted(HERE.glob("bench_*.py"))}
    wanted = [argument for argument in arguments if argument != "--small"]
    environment = os.environ | ({"ORBITLAKE_BENCH_SMALL": "1"} if "--small" in arguments else {})
    unknown = sorted(set(wanted) - set(scripts))
    if unknown:
        print(f"no benchmark named {', '.join(unknown)}: choose from {', '.join(scripts)}", file=sys.stderr)
        return 2
    failed = 0
    for name in wanted or scripts:
        print(f"== {name}", flush=True)
        failed += bool(subprocess.run([sys.executable, str(scripts[name])], env=environment, check=False).returncode)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
