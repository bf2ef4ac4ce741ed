#!/usr/bin/env bash
# Find a Python for .venv and let installation.py make it; at once when it is ready. Called by `make setup`; PYTHON: the one to use.
set -euo pipefail
unset CDPATH
cd -- "$(dirname -- "$0")/../../.."

# Variables meant for other programs must not steer this one.
wanted=${PYTHON:-}
for name in $(compgen -e PYTHON) __PYVENV_LAUNCHER__; do unset "$name"; done
export PYTHONPATH=plugins PYTHONNOUSERSITE=1 PYTHONUTF8=1

found=  # what each candidate is, for the message
install="sudo apt-get install python3.11 python3.11-venv"
if command -v brew >/dev/null; then install="brew install python@3.11"
elif ! command -v apt-get >/dev/null; then install="pyenv install 3.11"; fi

# try PATH: whether it is a Python that can make a virtual environment; then $version is its version and $python the one to run.
try() {
  local line first='' lines=0 lacks base
  version='' python=$1
  # Bounded: a shim may wait for ever, or print without end.
  while [ "$lines" -lt 50 ] && IFS= read -r -t 20 line; do
    case $line in "This is Python "*) read -r version lacks base <<< "${line#This is Python }"; break ;; esac
    [ -n "$first" ] || first=$line
    lines=$((lines + 1))
  done < <(exec "$1" -I -c '
import sys
try:
    import ensurepip, venv
    lacks = "nothing"
except ImportError as error:
    lacks = error.name
# Out of an active virtual environment, which may be the very one to replace.
base = getattr(sys, "_base_executable", "") if sys.prefix != sys.base_prefix else ""
print("This is Python %d.%d" % sys.version_info[:2], lacks, base)' < /dev/null 2>&1)
  # Bash 3.2 does not know the process behind `<(…)`.
  [ -n "$version" ] || kill -9 "$(set +u && echo "$!")" 2>/dev/null || true
  case $version in
    3.11 | 3.12 | 3.13) ;;
    '') found+="; $1 says: ${first:-nothing}"; return 1 ;;
    *) found+="; $1 is Python $version"; return 1 ;;
  esac
  if [ "$lacks" != nothing ]; then
    found+="; $1 is Python $version without $lacks"
    if command -v apt-get >/dev/null; then install="sudo apt-get install python$version-venv"; fi
    return 1
  fi
  [ -z "$base" ] || python=$base
}

version=
if [ -n "$wanted" ]; then
  command=$(type -P -- "$wanted") || command=
  if [ -z "$command" ]; then
    echo "setup: PYTHON=$wanted is no command: name a Python 3.11, 3.12 or 3.13, or \`unset PYTHON\`" >&2
    exit 1
  elif ! try "$command"; then
    echo "setup: PYTHON=$wanted cannot be used: ${found#; }; name a Python 3.11, 3.12 or 3.13, or get one: $install" >&2
    exit 1
  fi
fi

# shellcheck disable=SC2086  # no version, no word
if [ -x .venv/bin/python ] && .venv/bin/python -m orbitlake.embedded.installation --check $version 2>/dev/null; then
  exit 0
fi

if [ -z "$wanted" ]; then
  usable=
  # Every one of a name on the PATH: behind a dead shim may lie a Python.
  while IFS= read -r command; do
    if try "$command"; then usable=yes; break; fi
  done < <(for name in python3.11 python3.12 python3.13 python3 python; do type -aP "$name" || true; done | awk '!seen[$0]++')
  if [ -z "$usable" ]; then
    found=${found#; }
    echo "setup: no Python 3.11, 3.12 or 3.13 that can make a virtual environment. Looked on the PATH for python3.11, python3.12," \
      "python3.13, python3, python; found ${found:-none}. Get one: $install; or name one: make setup PYTHON=/path/to/python3.11" >&2
    exit 1
  fi
  version=
fi
# shellcheck disable=SC2086
exec "$python" -m orbitlake.embedded.installation $version
