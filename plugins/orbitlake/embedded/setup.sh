#!/usr/bin/env bash
# Make the virtual environment from the lock, and see to Java. Called by `make setup`.
set -euo pipefail
cd "$(dirname "$0")/../../.."

java_major() { java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p'; }

if ! command -v java >/dev/null || [ "$(java_major)" -lt 17 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing Java 17 (openjdk-17-jre-headless)"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq openjdk-17-jre-headless >/dev/null
  else
    echo "Spark needs Java 17: install it with 'sudo apt-get install openjdk-17-jre-headless' (macOS: 'brew install openjdk@17'), then run make again" >&2
    exit 1
  fi
fi

version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
case $version in
  3.11 | 3.12 | 3.13) ;;
  *) echo "Python $version is not supported: set PYTHON to a Python 3.11, 3.12 or 3.13" >&2; exit 1 ;;
esac

# pip brings uv, and uv the rest in a tenth of pip's time; a package index set for pip is meant for uv too.
[ -x .venv/bin/python ] || "$PYTHON" -m venv .venv
.venv/bin/python -m pip install -q --disable-pip-version-check uv==0.13.8
index=${PIP_INDEX_URL:-$(.venv/bin/python -m pip config get global.index-url 2>/dev/null || true)}
[ -z "$index" ] || export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$index}
echo "installing the packages of constraints.txt for Python $version"
.venv/bin/uv pip install -q -p .venv/bin/python -r requirements.txt -r tests/requirements.txt -c constraints.txt
