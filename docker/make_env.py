"""Write .env from .env.example with secrets of its own, for its owner's eyes only.

In a .env that exists the secrets that are missing or empty are filled in, as after an upgrade that brings a new one;
every other line stays as it is.
"""

import os
import re
import secrets
import sys
from base64 import urlsafe_b64encode
from pathlib import Path

SECRETS = {
    "ORBITLAKE_ADMIN_PASSWORD": secrets.token_urlsafe(15),
    "ORBITLAKE_FERNET_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    "ORBITLAKE_JWT_SECRET": secrets.token_urlsafe(64),
    "ORBITLAKE_SESSION_SECRET": secrets.token_urlsafe(64),
    "ORBITLAKE_DATABASE_PASSWORD": secrets.token_urlsafe(32),
    "ORBITLAKE_SPARK_SECRET": secrets.token_urlsafe(32),
    "ORBITLAKE_STORE_SECRET_KEY": secrets.token_urlsafe(32),
}
ASSIGNMENT = re.compile(r"""\s*(?:export\s+)?(\w+)\s*=\s*(["']?)(.*?)\2\s*""")


def filled(text: str) -> tuple[str, list[str]]:
    """Return `text` with a value for each secret that has none, and the names of those."""
    lines, missing = text.splitlines(), dict(SECRETS)
    for line in lines:
        assignment = ASSIGNMENT.fullmatch(line)
        if assignment and assignment[3]:
            missing.pop(assignment[1], None)
    names = list(missing)
    for place, line in enumerate(lines):
        assignment = ASSIGNMENT.fullmatch(line)
        if assignment and assignment[1] in missing:
            lines[place] = f"{assignment[1]}={missing.pop(assignment[1])}"
    lines += [f"{name}={value}" for name, value in missing.items()]
    return "".join(f"{line}\n" for line in lines), names


def main(folder: Path) -> int:
    """Make or complete `folder`/.env and say on standard output what was done."""
    # Where .env is a link, what it leads to is replaced.
    target = (folder / ".env").resolve()
    is_new = not target.exists()
    content, names = filled((folder / ".env.example" if is_new else target).read_text())
    if not names:
        print(".env has every secret and stays as it is: new ones would lock out what the old ones made")
        return 0
    aside = target.with_name(f"{target.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as sink:
        sink.write(content)
        sink.flush()
        os.fsync(sink.fileno())
    aside.replace(target)
    if is_new:
        print("made .env: the web UI's user is admin, with the password in it")
    else:
        print(f"added to .env: {', '.join(names)}; the rest stays as it was")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
