"""The Java that Spark runs on: JAVA_HOME if it is set, else `java` on the PATH, else where installers put it.

`python -m orbitlake.embedded.java` prints it; with a command behind, runs that command with JAVA_HOME set to it, and
with the options by which Java starts quickly.
The set-up runs this file before any package is installed: the standard library alone.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orbitlake.settings import SettingError

JAVA_NEEDED: Final = 17
ANSWER_WITHIN_S: Final = 30
"""Per question; on a busy machine Java takes seconds to start."""
ANSWER_BYTES: Final = 1 << 16
"""More than any Java says of itself."""
MODULES_NEEDED: Final = ("java.desktop", "java.sql", "jdk.incubator.vector", "jdk.security.auth", "jdk.unsupported")
"""Without each of these, and what they bring along, no query of Spark 4.2 ran (tried with runtimes made by jlink)."""
KNOWN_PLACES: Final = (
    "/usr/lib/jvm/*",
    "/usr/lib64/jvm/*",
    "/usr/java/*",
    "/opt/java/*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "/opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
    "/usr/local/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
    "~/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "~/.sdkman/candidates/java/*",
    "~/.jenv/versions/*",
    "~/.asdf/installs/java/*",
    "~/.local/share/mise/installs/java/*",
    "~/.jdks/*",
)
"""Homes of Java: Linux packages, macOS, Homebrew, SDKMAN, jenv, asdf, mise, IntelliJ."""

ARCHIVE: Final = Path(sys.prefix, "spark.jsa")
"""Spark's classes as spark_classes.py keeps them."""


class JavaError(SettingError):
    """No Java that Spark can run on; the message says what was looked for, where, what was found and what helps."""


@dataclass(frozen=True)
class Java:
    """A Java that answered: its command, and its home where it told one that holds a bin/java."""

    command: Path
    home: Path | None


def check_java() -> None:
    """Set JAVA_HOME, by which Spark's scripts go, to the Java found. Raises JavaError."""
    home = find_java().home
    if home is not None:
        os.environ["JAVA_HOME"] = str(home)


def find_java() -> Java:
    """Return the first Java 17 or newer; a JAVA_HOME that is set is the only one tried. Raises JavaError."""
    home = os.environ.get("JAVA_HOME", "")
    if home:
        try:
            return Java(examined(Path(home, "bin", "java")).command.absolute(), Path(home).absolute())
        except JavaError as error:
            raise JavaError(
                f"Spark needs Java {JAVA_NEEDED} or newer, and JAVA_HOME={home} is none: {error}. Set JAVA_HOME to a"
                " folder that holds bin/java, or `unset JAVA_HOME` to use `java` of the PATH"
            ) from error
    found = []
    on_path = shutil.which("java")
    for command in [Path(on_path)] if on_path else []:
        try:
            return examined(command)
        except JavaError as error:
            found.append(f"on the PATH {error}")
    for command in installed():
        try:
            return Java(examined(command).command, command.parent.parent)
        except JavaError as error:
            found.append(str(error))
    raise JavaError(
        f"Spark needs Java {JAVA_NEEDED} or newer. Looked for JAVA_HOME (not set), `java` on the PATH and in"
        f" {', '.join(place for place in KNOWN_PLACES if place[0] == '~' or Path(place.split('*')[0]).is_dir())}."
        f" Found {'; '.join(found) or 'none'}. Install it: {install_command()}"
    )


def installed() -> list[Path]:
    """Commands of the Javas in the known places, the version that is tested first."""
    homes: set[Path] = set()
    user = os.environ.get("HOME", "")
    for place in KNOWN_PLACES:
        if place.startswith("~") and not user:
            continue
        with suppress(OSError):
            homes.update(Path("/").glob(place.replace("~", user, 1).lstrip("/")))
    tested_first = sorted(homes, key=lambda home: (str(JAVA_NEEDED) not in str(home), home))
    commands = [home / "bin" / "java" for home in tested_first]
    return [command for command in commands if command.is_file()]


def examined(command: Path) -> Java:
    """Return a Java after asking it for its version, home and modules. Raises JavaError with what is wrong with it."""
    if not command.is_file():
        raise JavaError(f"there is no file {command}")
    said = answer([str(command), "-XshowSettings:properties", "-version"])
    # Lines such as "Picked up JAVA_TOOL_OPTIONS: …" may come before, and hold anything.
    version = re.search(r'^\s*(?!Picked up|NOTE:)\S+ version "(?:1\.)?(\d+)[^"]*"', said, re.MULTILINE)
    if version is None:
        lines = [line for line in said.splitlines() if line.strip() and not re.match("Picked up|NOTE:", line)]
        raise JavaError(f"{command} does not tell its version but {short(lines[0]) if lines else 'nothing'}")
    if int(version[1]) < JAVA_NEEDED:
        raise JavaError(f"{command} is {short(version[0])}")
    modules = set(re.findall(r"^([\w.]+)@", answer([str(command), "--list-modules"]), re.MULTILINE))
    missing = [module for module in MODULES_NEEDED if module not in modules]
    # One that lists none cannot be judged by it.
    if "java.base" in modules and missing:
        raise JavaError(f"{command} is a runtime without {', '.join(missing)}, which Spark loads")
    told = re.search(r"^\s*java\.home = (.+?)\s*$", said, re.MULTILINE)
    home = Path(told[1]) if told else None
    return Java(command, home if home and (home / "bin" / "java").is_file() else None)


def answer(words: list[str]) -> str:
    """Return what a command prints, bounded in time and length. Raises JavaError where it cannot run or hangs."""
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise JavaError(f"{words[0]} cannot run ({error.strerror})") from error
    late = threading.Event()

    def end() -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)

    def give_up() -> None:
        late.set()
        end()

    timer = threading.Timer(ANSWER_WITHIN_S, give_up)
    timer.start()
    with process:
        try:
            # It may print without end.
            said = process.stdout.read(ANSWER_BYTES) if process.stdout else b""
        finally:
            timer.cancel()
            # It may have closed its output and sleep.
            end()
    if late.is_set():
        raise JavaError(f"{words[0]} did not answer within {ANSWER_WITHIN_S} s")
    return said.decode(errors="replace")


def short(line: str) -> str:
    """The printable start of a line, for a message."""
    printable = "".join(sign if sign.isprintable() else "?" for sign in line.strip())
    return repr(printable if len(printable) <= 120 else f"{printable[:120]}…")


def install_command() -> str:
    """The command that installs a Java which Spark can run on, by this machine's package manager."""
    for manager, command in (
        ("apt-get", f"sudo apt-get install {apt_package()}"),
        ("dnf", "sudo dnf install java-21-openjdk-headless"),
        ("apk", f"sudo apk add openjdk{JAVA_NEEDED}-jre"),
        ("pacman", f"sudo pacman -S jre{JAVA_NEEDED}-openjdk"),
        ("zypper", f"sudo zypper install java-{JAVA_NEEDED}-openjdk"),
    ):
        if shutil.which(manager):
            return command
    return f"brew install openjdk@{JAVA_NEEDED}"


def apt_package() -> str:
    """The oldest Java that will do of those in this release of Debian or Ubuntu; the tested one where none is known."""
    for major in (JAVA_NEEDED, 21, 25):
        name = f"openjdk-{major}-jre-headless"
        if shutil.which("apt-cache"):
            with suppress(JavaError):
                if re.search(r"Candidate: \d", answer(["apt-cache", "policy", name])):
                    return name
    return f"openjdk-{JAVA_NEEDED}-jre-headless"


def quick_start() -> list[str]:
    """Options by which a short session of Spark takes a quarter of the processor time; what is heavy is not Java's.

    Java's first compiler alone, a garbage collector without threads of its own, and the archive of classes where set-up
    made one; without a word where it does not fit.
    """
    archive = [f"-XX:SharedArchiveFile={ARCHIVE}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]
    return ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", *(archive if ARCHIVE.is_file() else [])]


def java_options(*options: str) -> str:
    """Options as Java's launcher reads them from JDK_JAVA_OPTIONS."""
    # A quotation mark stands between the other kind of them.
    return " ".join('"' + option.replace('"', """"'"'\"""") + '"' for option in options)


def main() -> int:
    """Print the Java found, or run a command with it; returns the exit code."""
    try:
        check_java()
    except JavaError as error:
        print(f"orbitlake: {error}", file=sys.stderr)
        return 1
    if len(sys.argv) > 1:
        os.environ["JDK_JAVA_OPTIONS"] = java_options(*quick_start())
        os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606
    print(os.environ.get("JAVA_HOME") or shutil.which("java"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
