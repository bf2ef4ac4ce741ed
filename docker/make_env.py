"""Write .env from .env.example with secrets of its own, for its owner's eyes only; one that exists is left alone."""

import os
import secrets
import sys
from base64 import urlsafe_b64encode
from pathlib import Path

SECRETS = {
    "ORBITLAKE_ADMIN_PASSWORD": secrets.token_urlsafe(15),
    "ORBITLAKE_FERNET_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    "ORBITLAKE_JWT_SECRET": secrets.token_urlsafe(64),
    "ORBITLAKE_DATABASE_PASSWORD": secrets.token_urlsafe(32),
    "ORBITLAKE_SPARK_SECRET": secrets.token_urlsafe(32),
}


def main(folder: Path) -> int:
    """Make `folder`/.env; returns 1, with a line on stderr, where there is one already."""
    lines = (folder / ".env.example").read_text().splitlines()
    content = "".join(f"{line}{SECRETS.get(line.removesuffix('='), '')}\n" for line in lines)
    try:
        handle = os.open(folder / ".env", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        print(
            ".env exists already and stays as it is: new secrets would lock out what the old ones made", file=sys.stderr
        )
        return 1
    with os.fdopen(handle, "w") as sink:
        sink.write(content)
    print("made .env: the web UI's user is admin, with the password in it")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
