"""Make `.venv` from the lock, and see to Java: what an earlier set-up left unfinished, or made elsewhere, is made anew.

Started by setup.sh in a Python that need hold no package: the standard library alone.
"""

import argparse
import ast
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from orbitlake.embedded.java import JavaError, apt_package, find_java
from orbitlake.settings import CHECKOUT

UV: Final = "uv==0.13.8"
VENV: Final = CHECKOUT / ".venv"
PYTHON: Final = VENV / "bin" / "python"
MARK: Final = VENV / ".ready"
"""What is installed, of what and where; UNFINISHED from a set-up's first moment to its last."""
UNFINISHED: Final = "unfinished\n"
OUTDATED: Final = "its packages are not those of the lock"
OWN_CACHE: Final = VENV / "cache"
"""uv's cache, where there is no home folder to keep it in."""
REQUIREMENTS: Final = ("requirements.txt", "tests/requirements.txt")
LOCK: Final = "constraints.txt"
NETWORK: Final = re.compile(
    r"failed to fetch|could not fetch|connection|to connect|timed out|timeout|dns error|name resolution|SSL|certificate"
    r"|proxy|no matching distribution",
    re.IGNORECASE,
)
FULL: Final = re.compile(r"No space left|Errno 28|quota exceeded|File too large", re.IGNORECASE)
# Where packages come from is for people to set; where they go, and which, is not.
KEPT_OF_PIP: Final = (
    "INDEX_URL",
    "EXTRA_INDEX_URL",
    "NO_INDEX",
    "FIND_LINKS",
    "TRUSTED_HOST",
    "CERT",
    "CLIENT_CERT",
    "PROXY",
    "TIMEOUT",
    "DEFAULT_TIMEOUT",
    "RETRIES",
    "CACHE_DIR",
    "KEYRING_PROVIDER",
)
KEPT_OF_UV: Final = re.compile(
    r"UV_(DEFAULT_INDEX|INDEX(_.*)?|EXTRA_INDEX_URL|FIND_LINKS|INSECURE_HOST|KEYRING_PROVIDER|CONFIG_FILE|NO_CONFIG|OFFLINE"
    r"|CACHE_DIR|NO_CACHE|LINK_MODE|NATIVE_TLS|SYSTEM_CERTS|HTTP_.*|REQUEST_TIMEOUT|CONCURRENT_.*)"
)


class SetupError(RuntimeError):
    """The set-up cannot go on; the message says what failed and what helps."""


class Interrupted(BaseException):
    """A signal asks for the end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main() -> int:
    """Run the set-up, or with --check only look; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m orbitlake.embedded.installation", description=__doc__)
    parser.add_argument(
        "version", nargs="?", help="the Python that .venv must be of, such as 3.12; none: any supported"
    )
    parser.add_argument("--check", action="store_true", help="do nothing; exit 0 if .venv is ready")
    arguments = parser.parse_args()
    if arguments.check:
        return 0 if flaw(arguments.version) is None else 1
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Under nohup the last is ignored, and stays so.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        with only_one() as lock:
            set_up(arguments.version, lock)
    except (SetupError, JavaError) as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"setup: {error.strerror}: {error.filename or VENV}{advice(str(error))}", file=sys.stderr)
        return 1
    except Interrupted as error:
        print("setup: interrupted; the next `make setup` begins anew", file=sys.stderr)
        return 128 + error.number
    return 0


def interrupt(number: int, _: FrameType | None) -> NoReturn:
    """Handle a signal: end in order, and no second time."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted(number)


@contextmanager
def only_one() -> Iterator[int]:
    """Hold the lock of `.venv`, waiting for another set-up; gives its descriptor, which the steps inherit.

    A set-up that was killed may leave a step running; its lock is free when that has ended.
    """
    # The folder itself is locked, so that no file is left over; of a link, the folder where the environment truly is.
    lock = os.open(VENV.resolve().parent if VENV.exists() else CHECKOUT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("setup: waiting for another `make setup` of this checkout to end", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            # Some network file systems: better unguarded than not at all.
            print(f"setup: cannot lock {CHECKOUT} ({error.strerror}): run one `make setup` at a time", file=sys.stderr)
        yield lock
    finally:
        os.close(lock)


def set_up(version: str | None, lock: int) -> None:
    """Bring `.venv` to what the lock says, under the lock of `only_one`. Raises SetupError, JavaError or OSError."""
    wrong = flaw(version)
    if wrong is None:
        return
    if os.pathsep in str(VENV):
        raise SetupError(f"Python makes no virtual environment below a path with '{os.pathsep}': move {CHECKOUT}")
    provide_java()
    environment = clean_environment(os.environ)
    if wrong == OUTDATED:
        MARK.write_text(UNFINISHED)
    else:
        if os.path.lexists(VENV):
            print(f"making .venv anew: {wrong}")
        clear()
        print(f"making .venv with Python {sys.version.split()[0]} ({sys.executable})", flush=True)
        # In two steps, for venv keeps to itself why pip could not come.
        step("make .venv", [sys.executable, "-I", "-m", "venv", "--without-pip", str(VENV)], environment, lock)
        ensurepip = [str(PYTHON), "-I", "-m", "ensurepip", "--upgrade", "--default-pip"]
        step("put pip into .venv", ensurepip, environment, lock)
    sources = package_sources(environment, pip_configuration(environment, lock))
    # pip brings uv, and uv the rest in a tenth of pip's time.
    pip = [str(PYTHON), "-I", "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input", UV]
    step("install uv", pip, sources, lock)
    print(f"installing the packages of {LOCK}", flush=True)
    uv = [str(VENV / "bin" / "uv"), "pip", "install", "-q", "-p", str(PYTHON), "-c", LOCK]
    step("install the packages", [*uv, *uv_arguments(sources), *of_each("-r", REQUIREMENTS)], sources, lock)
    verify(environment, lock)
    ours = environment | {"PYTHONPATH": str(CHECKOUT / "plugins")}
    try:
        step("keep Spark's classes at hand", [str(PYTHON), "-m", "orbitlake.embedded.spark_classes"], ours, lock)
    except SetupError as error:
        print(f"setup: {error}; Spark starts slower without them, and works", file=sys.stderr)
    shutil.rmtree(OWN_CACHE, ignore_errors=True)
    finished = MARK.with_name(".ready.new")
    finished.write_text(json.dumps(mark(version_of_venv() or ""), indent=1) + "\n")
    finished.replace(MARK)


# What is there ------------------------------------------------------------------------------------------------------


def mark(python: str) -> dict[str, str]:
    """What `.ready` says of an environment that is whole."""
    digest = hashlib.sha256(UV.encode())
    for name in (*REQUIREMENTS, LOCK):
        digest.update((CHECKOUT / name).read_bytes())
    return {"location": str(VENV.resolve()), "python": python, "packages": digest.hexdigest()}


def flaw(version: str | None) -> str | None:
    """Why `.venv` must be made anew, OUTDATED where new packages are enough, None where it is ready."""
    if not VENV.is_dir():
        return "it is no folder"
    try:
        said = json.loads(MARK.read_text())
    except (OSError, ValueError):
        said = None
    if not isinstance(said, dict):
        return "an earlier set-up did not finish it"
    runs = version_of_venv()
    wanted = mark(runs or "")
    if said.get("location") != wanted["location"]:
        return f"it was made for {said.get('location')}"
    if runs is None:
        return "its Python does not run any more"
    if said.get("python") != runs:
        return f"it was made of Python {said.get('python')} and now runs {runs}"
    if version is not None and runs != version:
        return f"it is of Python {runs}, not {version}"
    return None if said == wanted else OUTDATED


def version_of_venv() -> str | None:
    """The version of the Python in `.venv`, such as 3.11; None where it does not run."""
    words = [
        str(PYTHON),
        "-I",
        "-c",
        "import sys; print('%d.%d' % sys.version_info[:2], sys.prefix != sys.base_prefix)",
    ]
    try:
        said = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False).stdout.split()
    except (OSError, subprocess.TimeoutExpired):
        return None
    return said[0] if len(said) == 2 and said[1] == "True" else None


def clear() -> None:
    """Leave an empty folder `.venv` with the mark of an unfinished one. Raises SetupError where it is none of ours."""
    if VENV.is_symlink() and not VENV.exists():
        VENV.unlink()
    made_by_venv = MARK.exists() or (VENV / "pyvenv.cfg").exists()
    if VENV.exists() and not made_by_venv and (VENV.is_file() or any(each.is_file() for each in VENV.rglob("*"))):
        kind = "a file" if VENV.is_file() else "a folder"
        raise SetupError(f"{VENV} is {kind} that no set-up made: move it away: mv .venv .venv.before")
    VENV.mkdir(exist_ok=True)
    MARK.write_text(UNFINISHED)
    for entry in VENV.iterdir():
        if entry == MARK:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def verify(environment: Mapping[str, str], lock: int) -> None:
    """Raise SetupError unless every direct dependency is in `.venv` itself, whatever a configuration said."""
    listing = (
        "import json, sys; from importlib.metadata import distributions;"
        "own = [place for place in sys.path if place.startswith(sys.prefix)];"
        "print(json.dumps([f'{each.name}=={each.version}' for each in distributions(path=own)]))"
    )
    said = json.loads(step("look into .venv", [str(PYTHON), "-I", "-c", listing], environment, lock))
    there = {normal(each) for each in said}
    text = "\n".join((CHECKOUT / name).read_text() for name in REQUIREMENTS)
    elsewhere = [pin for pin in re.findall(r"^[\w.-]+==[\w.]+", text, re.MULTILINE) if normal(pin) not in there]
    if elsewhere:
        raise SetupError(
            f"the packages were not installed into {VENV}: it lacks {', '.join(elsewhere[:5])}. Look for `target`,"
            " `prefix` or `system` in uv.toml, or run: UV_NO_CONFIG=1 make setup"
        )


def normal(pin: str) -> str:
    """Return NAME==VERSION with the name as package indexes compare it."""
    name, _, version = pin.partition("==")
    return f"{re.sub('[-_.]+', '-', name).lower()}=={version}"


# Steps --------------------------------------------------------------------------------------------------------------


def step(what: str, words: list[str], environment: Mapping[str, str], lock: int | None) -> str:
    """Run a command, to its end or the set-up's, and return what it prints. Raises SetupError with its reason."""
    kept = () if lock is None else (lock,)
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=dict(environment),
            cwd=CHECKOUT,
            pass_fds=kept,
            process_group=0,
        )
    except OSError as error:
        raise SetupError(f"could not {what}: {words[0]} cannot run ({error.strerror})") from error
    try:
        said, _ = process.communicate()
    except Interrupted:
        # Its children too: one left over would write into what the next set-up makes.
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        raise
    if process.returncode:
        log = VENV / "setup.log"
        with suppress(OSError):
            log.write_text(said)
        ended = f"it ended with {process.returncode}"
        raise SetupError(f"could not {what}: {cause(said) or ended}{advice(said)}")
    return said


def cause(said: str) -> str:
    """The line of a failed command's output that tells most."""
    lines = [line.strip(" ╰─▶├│×") for line in said.splitlines() if line.strip(" ╰─▶├│×")]
    full = [line for line in lines if FULL.search(line)]
    errors = [line for line in lines if re.match("error", line, re.IGNORECASE)]
    chosen = full[-1:] or errors[-1:] or lines[:1]
    deepest = [line for line in lines if line.startswith("Caused by")]
    return " ".join(dict.fromkeys([*chosen, *deepest[-1:]]))[:500]


def advice(said: str) -> str:
    """What helps against a failure that shows these words, behind a stop; empty where nothing is known to."""
    if FULL.search(said):
        free = shutil.disk_usage(CHECKOUT).free >> 20
        return f". Free some room ({free} MB are left at {CHECKOUT}; a set-up takes 2,200), then run: make setup"
    if NETWORK.search(said):
        if truthy(os.environ.get("PIP_NO_INDEX", "")):
            return ". PIP_NO_INDEX keeps pip from a package index: `unset PIP_NO_INDEX`, or set PIP_FIND_LINKS"
        return (
            ". Check the network, HTTPS_PROXY and the package index (PIP_INDEX_URL or pip.conf), then run: make setup"
        )
    return f". All it said: {VENV / 'setup.log'}" if said.count("\n") > 1 and (VENV / "setup.log").exists() else ""


def provide_java() -> None:
    """Find a Java for Spark, or install one, as root on Debian or Ubuntu. Raises JavaError or SetupError."""
    try:
        find_java()
    except JavaError:
        if os.environ.get("JAVA_HOME") or os.geteuid() != 0 or not shutil.which("apt-get"):
            raise
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
        step("ask for Debian's packages", [*apt, "update"], environment, None)
        print(f"installing Java ({apt_package()})", flush=True)
        step("install Java", [*apt, "install", "-y", apt_package()], environment, None)
        find_java()


# Environment --------------------------------------------------------------------------------------------------------


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without what steers Python, pip or uv elsewhere, and with a TMPDIR that is there."""
    strange = re.compile("PYTHON|PIP_|UV_|VIRTUAL_ENV|CONDA_PREFIX|__PYVENV_LAUNCHER__")
    kept = {name: value for name, value in environ.items() if not strange.match(name)}
    kept |= {name: value for name, value in environ.items() if KEPT_OF_UV.fullmatch(name) and value}
    return kept | {"TMPDIR": tempfile.gettempdir(), "PYTHONNOUSERSITE": "1"}


def pip_configuration(environment: Mapping[str, str], lock: int) -> dict[str, str]:
    """The settings of pip.conf files and of PIP_ variables, in upper case: INDEX_URL and so on."""
    shown = dict(environment)
    if "PIP_CONFIG_FILE" in os.environ:
        shown["PIP_CONFIG_FILE"] = os.environ["PIP_CONFIG_FILE"]
    # Thrice verbose, against a `quiet` in the file.
    words = [str(PYTHON), "-I", "-m", "pip", "--disable-pip-version-check", "config", "list", "-vvv"]
    said = step("read pip's configuration", words, shown, lock)
    found = {}
    for section in ("global", "install"):
        for key, value in re.findall(rf"^{section}\.([\w-]+)=('.*'|\".*\")$", said, re.MULTILINE):
            found[key.upper().replace("-", "_")] = str(ast.literal_eval(value))
    return found | {name[4:]: value for name, value in os.environ.items() if name.startswith("PIP_") and value}


def package_sources(environment: Mapping[str, str], pip: Mapping[str, str]) -> dict[str, str]:
    """The environment in which pip and uv read packages from where people said, and put them into `.venv` alone."""
    found = dict(environment) | {f"PIP_{name}": pip[name] for name in KEPT_OF_PIP if name in pip}
    # Settings for pip are meant for uv too, and the other way round.
    bundles = [found.get(name, "") for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")]
    certificate = found.get("PIP_CERT") or next((each for each in bundles if each and Path(each).exists()), "")
    index = found.get("UV_DEFAULT_INDEX") or found.get("UV_INDEX_URL") or ""
    proxy = found.get("PIP_PROXY", "")
    timeout = found.get("PIP_TIMEOUT") or found.get("PIP_DEFAULT_TIMEOUT") or ""
    same = {
        "PIP_CERT": certificate,
        "SSL_CERT_FILE": certificate,
        "SSL_CLIENT_CERT": found.get("PIP_CLIENT_CERT", ""),
        # An index of uv may have a name before its address.
        "PIP_INDEX_URL": re.sub(r"^[\w-]+=(?=\w+:)", "", index),
        "UV_DEFAULT_INDEX": "" if index else found.get("PIP_INDEX_URL", ""),
        "UV_INSECURE_HOST": " ".join(found.get("PIP_TRUSTED_HOST", "").split()),
        "UV_HTTP_TIMEOUT": timeout if timeout.isdecimal() else "",
        "UV_KEYRING_PROVIDER": "subprocess" if found.get("PIP_KEYRING_PROVIDER") == "subprocess" else "",
        **({} if has_proxy(found) else {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy}),
        **({} if cache_is_writable(found) else {"UV_CACHE_DIR": str(OWN_CACHE)}),
    }
    return {name: value for name, value in same.items() if value} | found | {"PIP_CONFIG_FILE": os.devnull}


def uv_arguments(sources: Mapping[str, str]) -> list[str]:
    """What uv knows no variable for, of pip's settings."""
    extra = sources.get("PIP_EXTRA_INDEX_URL", "").split()
    links = [each for each in sources.get("PIP_FIND_LINKS", "").split() if "://" in each or Path(each).exists()]
    return [
        *(["--no-index"] if truthy(sources.get("PIP_NO_INDEX", "")) else []),
        *of_each("--find-links", links),
        *of_each("--extra-index-url", extra),
        # pip takes a version from whichever index has it.
        *(["--index-strategy", "unsafe-best-match"] if extra and "UV_INDEX_STRATEGY" not in sources else []),
    ]


def of_each(option: str, values: list[str] | tuple[str, ...]) -> list[str]:
    """Return the option before each value."""
    return [word for value in values for word in (option, value)]


def has_proxy(environ: Mapping[str, str]) -> bool:
    """Whether the environment names a proxy, in either case."""
    names = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
    return any(environ.get(name) or environ.get(name.lower()) for name in names)


def cache_is_writable(environ: Mapping[str, str]) -> bool:
    """Whether uv can keep its cache where it would; with no home folder, or one not to be written, it would fail."""
    if environ.get("UV_CACHE_DIR") or environ.get("UV_NO_CACHE"):
        return True
    home = environ.get("HOME")
    base = environ.get("XDG_CACHE_HOME") or (f"{home}/.cache" if home else "")
    if not base:
        return False
    try:
        Path(base, "uv").mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=Path(base, "uv")):
            return True
    except OSError:
        return False


def truthy(value: str) -> bool:
    """Whether pip reads a setting as true."""
    return value.strip().lower() in ("1", "true", "yes", "on", "y", "t")


if __name__ == "__main__":
    sys.exit(main())
