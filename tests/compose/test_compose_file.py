"""The compose deployment as written: documented, pinned, bounded, closed; what it does is seen in test_cluster.py."""

import hashlib
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cryptography.fernet import Fernet

from orbitlake.embedded.kafka import ARTIFACTS, JARS, SPARK
from orbitlake.settings import DECLARED, from_environment, variable

CHECKOUT = Path(__file__).resolve().parents[2]
COMPOSE = (CHECKOUT / "docker-compose.yml").read_text()
DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()
DEFAULTS = (CHECKOUT / "docker" / "spark-defaults.conf").read_text()
EXAMPLE = (CHECKOUT / ".env.example").read_text()
SERVICES = yaml.safe_load(COMPOSE)["services"]
MORE = ("kafka", "object-store")
"""What runs where its profile is asked for."""
THEIRS = {"postgres", *MORE}
OURS = {name: service for name, service in SERVICES.items() if name not in THEIRS}
SECRETS = {
    "ORBITLAKE_ADMIN_PASSWORD",
    "ORBITLAKE_FERNET_KEY",
    "ORBITLAKE_JWT_SECRET",
    "ORBITLAKE_SESSION_SECRET",
    "ORBITLAKE_DATABASE_PASSWORD",
    "ORBITLAKE_SPARK_SECRET",
}
OPTIONAL_SECRETS = {"ORBITLAKE_STORE_SECRET_KEY"}
"""Made likewise; without them all but their part works."""
MACHINE_MIB = 8 * 1024
MACHINE_WITH_ONE_MORE_MIB = 9 * 1024
UNIT_MIB = {"m": 1, "g": 1024}


def variables() -> dict[str, set[str]]:
    """Each variable of the compose file with what follows its name: `:-default` or `:?message`."""
    found: dict[str, set[str]] = {}
    for name, rest in re.findall(r"\$\{(\w+)([^}]*)\}", COMPOSE):
        found.setdefault(name, set()).add(rest)
    return found


def example() -> dict[str, str]:
    return dict(re.findall(r"^(\w+)=(.*)$", EXAMPLE, re.MULTILINE))


def pins(file: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", (CHECKOUT / file).read_text(), re.MULTILINE))


def mounted_at(volume: str) -> str:
    return volume.removesuffix(":ro").rsplit(":", 1)[-1]


def test_every_variable_is_explained_in_the_example_with_the_same_default():
    assert set(variables()) == set(example())
    for name, rests in variables().items():
        expected = f":?set {name} in .env (make env adds it)" if name in SECRETS else f":-{example()[name]}"
        assert rests == {expected}, name


def test_every_variable_of_the_example_has_a_comment_above_its_group():
    for group in EXAMPLE.strip().split("\n\n"):
        assert group.startswith("#"), group
    assert re.findall(r"^\w+=.*\n\n(?=\w)", EXAMPLE, re.MULTILINE) == []


def test_every_variable_is_among_the_settings_of_the_docs():
    settings = (CHECKOUT / "docs" / "settings.md").read_text()

    assert {name for name in variables() if f"`{name}`" not in settings} == set()


def test_every_setting_of_the_pipeline_reaches_its_tasks():
    settings = {variable(declared) for declared in DECLARED.values()}
    fixed_by_image = {"ORBITLAKE_DATA"}

    assert len(settings) > 8
    assert settings - fixed_by_image <= set(SERVICES["scheduler"]["environment"])
    assert settings - fixed_by_image <= set(SERVICES["initialise"]["environment"])


@pytest.mark.parametrize("name", OURS)
def test_every_command_exists_in_the_image(name: str):
    copied = re.search(r"^COPY (docker/.*) /files/usr/local/bin/$", DOCKERFILE, re.MULTILINE)
    assert copied is not None
    brought = {Path(each).name for each in copied[1].split()}
    commands = [OURS[name]["command"][0]]
    if "healthcheck" in OURS[name]:
        kind, command, *_ = OURS[name]["healthcheck"]["test"]
        assert kind == "CMD"
        commands.append(command)

    for command in commands:
        if command in brought:
            assert os.access(CHECKOUT / "docker" / command, os.X_OK)
        else:
            # The image's virtual environment is made from the same lock as this one.
            assert (Path(sys.executable).parent / command).is_file(), command


def test_versions_are_those_of_the_lock():
    direct, lock = pins("requirements.txt"), pins("constraints.txt")
    installation = (CHECKOUT / "plugins" / "orbitlake" / "embedded" / "installation.py").read_text()

    assert len(direct) > 15
    assert {name: lock.get(name.lower()) for name in direct} == direct
    assert "-r /build/requirements.txt -c /build/constraints.txt" in DOCKERFILE
    assert re.findall(r"uv==([\d.]+)", DOCKERFILE) == re.findall(r"uv==([\d.]+)", installation)


def test_images_carry_versions_and_ours_is_the_one_that_the_dockerfile_labels():
    label = re.search(r'image\.version="([\d.]+)"', DOCKERFILE)

    assert label is not None
    assert {name for name, service in OURS.items() if service["image"] != f"orbitlake:{label[1]}"} == {"simulator"}
    assert OURS["simulator"]["image"] == f"orbitlake-simulator:{label[1]}"
    assert example()["ORBITLAKE_POSTGRES_IMAGE"] == "postgres:16"
    assert example()["ORBITLAKE_PYTHON_IMAGE"] == "python:3.11-slim-bookworm"


def test_images_from_elsewhere_can_be_named_by_digest():
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.MULTILINE)
    name = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", DOCKERFILE, re.MULTILINE)

    assert len(stages) == len(re.findall("^FROM", DOCKERFILE, re.MULTILINE))
    assert {base for base, _ in stages} - {stage for _, stage in stages} == {"${PYTHON_IMAGE}"}
    assert name is not None
    assert name[1] == example()["ORBITLAKE_PYTHON_IMAGE"]
    assert SERVICES["postgres"]["image"] == "${ORBITLAKE_POSTGRES_IMAGE:-postgres:16}"
    assert SERVICES["kafka"]["image"] == "${ORBITLAKE_KAFKA_IMAGE:-apache/kafka:4.1.1}"
    assert SERVICES["object-store"]["image"] == "${ORBITLAKE_OBJECT_STORE_IMAGE:-chrislusf/seaweedfs:4.48}"
    for service in OURS.values():
        assert service["build"]["args"] == {"PYTHON_IMAGE": f"${{ORBITLAKE_PYTHON_IMAGE:-{name[1]}}}"}


def test_each_service_runs_the_target_that_it_is_built_as():
    targets = re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE)

    assert targets[-1] == "pipeline", "what is built where no target is named"
    for name, service in OURS.items():
        assert service["build"]["target"] == ("simulator" if name == "simulator" else "pipeline")


def test_memory_limits_fit_the_machine_together():
    def limit_mib(name: str) -> int:
        amount, unit = re.fullmatch(r"(\d+)([mg])", SERVICES[name]["mem_limit"]).groups()
        return int(amount) * UNIT_MIB[unit]

    # The migration is over before the others start.
    workers = int(example()["ORBITLAKE_SPARK_WORKERS"])
    together = [name for name in SERVICES if name not in ("initialise", *MORE)] + ["spark-worker"] * (workers - 1)
    total = sum(limit_mib(name) for name in together)

    assert workers == 2
    assert total <= MACHINE_MIB
    assert total + max(limit_mib(name) for name in MORE) <= MACHINE_WITH_ONE_MORE_MIB


@pytest.mark.parametrize("name", OURS)
def test_our_containers_can_change_nothing_but_their_data(name: str):
    service = OURS[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "user" not in service
    assert "privileged" not in service
    assert {mounted_at(volume) for volume in service.get("volumes", [])} <= {"/data", "/logs", "/scratch"}


def test_the_database_has_the_capabilities_of_its_start_alone():
    service = SERVICES["postgres"]

    assert service["cap_drop"] == ["ALL"]
    assert set(service["cap_add"]) == {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_the_broker_is_optional_bounded_and_keeps_its_log_in_a_volume_of_its_own():
    service = SERVICES["kafka"]

    assert service["profiles"] == ["kafka"]
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["volumes"] == ["kafka:/var/lib/kafka/data"]
    assert service["environment"]["KAFKA_LOG_DIRS"] == "/var/lib/kafka/data"


def test_the_image_takes_the_jars_that_the_embedded_topology_fetches_by_their_digests():
    listed = [line.split() for line in (CHECKOUT / "docker" / "kafka-jars.sha256").read_text().splitlines()]
    paths = []
    for artifact in ARTIFACTS[SPARK]:
        group, name, version = artifact.split(":")
        paths.append(f"{group.replace('.', '/')}/{name}/{version}/{name}-{version}.jar")

    assert [path for _, path in listed] == paths
    assert f"COPY --from=kafka /jars /opt/venv/{'/'.join(from_environment({}).kafka_jars.parts[-2:])}" in DOCKERFILE
    for digest, path in listed:
        fetched = JARS / SPARK / Path(path).name
        if fetched.is_file():
            assert hashlib.sha256(fetched.read_bytes()).hexdigest() == digest


def test_the_object_store_is_optional_bounded_and_lets_nobody_in_without_a_secret():
    service = SERVICES["object-store"]

    assert service["profiles"] == ["object-store"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["volumes"] == ["object-store:/data"]
    assert "-ip.bind=127.0.0.1" in service["command"]
    assert service["entrypoint"][2].startswith('test -n "$$AWS_SECRET_ACCESS_KEY" &&')
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        holders = {each for each, of in SERVICES.items() if name in of.get("environment", {})}
        assert holders == {"object-store", "scheduler"}


def test_each_purpose_has_a_secret_of_its_own():
    environment = SERVICES["api-server"]["environment"]
    named = [name for value in environment.values() for name in SECRETS if f"${{{name}:" in value]

    assert "ORBITLAKE_SESSION_SECRET" in environment["AIRFLOW__API__SECRET_KEY"]
    assert "ORBITLAKE_JWT_SECRET" in environment["AIRFLOW__API_AUTH__JWT_SECRET"]
    assert len(named) == len(set(named))


def test_the_image_runs_as_a_user_that_is_not_root():
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE) == ["50000:0"]


def test_the_image_is_sent_nothing_but_what_it_copies():
    allowed = set(re.findall(r"^!(\S+)$", (CHECKOUT / ".dockerignore").read_text(), re.MULTILINE))
    tools = re.findall(r"^(plugins/\S+)$", (CHECKOUT / ".dockerignore").read_text(), re.MULTILINE)
    sources = " ".join(re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, re.MULTILINE)).split()

    assert (CHECKOUT / ".dockerignore").read_text().startswith("*\n")
    assert allowed == {source.split("/")[0] for source in sources}
    assert [tool for tool in tools if not (CHECKOUT / tool).exists()] == []


def test_what_the_scripts_of_the_image_import_is_sent_to_it():
    left_out = re.findall(r"^plugins/(\S+)$", (CHECKOUT / ".dockerignore").read_text(), re.MULTILINE)
    scripts = "".join(path.read_text() for path in (CHECKOUT / "docker").iterdir() if path.suffix != ".py")
    imported = {name.replace(".", "/") for name in re.findall(r"from (orbitlake[\w.]*) import", scripts)}

    assert len(imported) >= 2
    assert [name for name in imported if f"{name}/".startswith(tuple(f"{folder}/" for folder in left_out))] == []


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_restarts_rotates_its_log_and_tells_its_health(name: str):
    service = SERVICES[name]

    assert service["restart"] == ("on-failure" if name == "initialise" else "unless-stopped")
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
    assert ("healthcheck" in service) == (name != "initialise")


def test_ports_are_bound_to_loopback_unless_set_otherwise_and_spark_always():
    published = {name: port for name, service in SERVICES.items() for port in service.get("ports", [])}

    assert set(published) == {"api-server", "spark-master", "simulator", *MORE}
    assert published.pop("api-server").startswith("${ORBITLAKE_BIND:-127.0.0.1}:")
    assert all(port.startswith("127.0.0.1:") for port in published.values())


def test_no_secret_has_a_default_or_reaches_the_image():
    assert {name: value for name, value in example().items() if name in SECRETS | OPTIONAL_SECRETS and value} == {}
    assert not any(name in DOCKERFILE for name in SECRETS | OPTIONAL_SECRETS)
    assert not re.search(r"^spark\.authenticate\.secret", DEFAULTS, re.MULTILINE)


def test_make_env_makes_good_secrets_once_for_its_owner_alone(tmp_path: Path):
    (tmp_path / ".env.example").write_text(EXAMPLE)

    def make_env() -> int:
        script = CHECKOUT / "docker" / "make_env.py"
        return subprocess.run([sys.executable, script, tmp_path], capture_output=True, check=False).returncode

    first = make_env()
    made = (tmp_path / ".env").read_text()
    values = dict(re.findall(r"^(\w+)=(.*)$", made, re.MULTILINE))

    assert (first, make_env(), (tmp_path / ".env").read_text()) == (0, 0, made)
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    secrets = SECRETS | OPTIONAL_SECRETS
    assert {name: value for name, value in values.items() if name not in secrets} == {
        name: value for name, value in example().items() if name not in secrets
    }
    assert len({values[name] for name in secrets}) == len(secrets)
    assert min(len(values[name]) for name in secrets) >= 20
    assert min(len(values[name]) for name in ("ORBITLAKE_JWT_SECRET", "ORBITLAKE_SESSION_SECRET")) >= 64
    assert re.fullmatch(r"[\w-]+", values["ORBITLAKE_DATABASE_PASSWORD"], re.ASCII)
    Fernet(values["ORBITLAKE_FERNET_KEY"])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ORBITLAKE_SESSION_SECRET=\n", r"ORBITLAKE_SESSION_SECRET=[\w-]{64,}\n"),
        ('export ORBITLAKE_SESSION_SECRET = ""\n', r"ORBITLAKE_SESSION_SECRET=[\w-]{64,}\n"),
        ("# the last line", r"# the last line\nORBITLAKE_SESSION_SECRET=[\w-]{64,}\n"),
    ],
    ids=["empty", "quoted and empty", "absent"],
)
def test_make_env_fills_in_what_an_older_env_lacks_and_touches_nothing_else(tmp_path: Path, before: str, after: str):
    kept = sorted((SECRETS | OPTIONAL_SECRETS) - {"ORBITLAKE_SESSION_SECRET"})
    others = "".join(f"{name}=kept-{place}\n" for place, name in enumerate(kept))
    (tmp_path / ".env.example").write_text(EXAMPLE)
    (tmp_path / ".env").write_text(f"# mine\nexport EXTRA='a = b'\n{others}{before}")
    script = CHECKOUT / "docker" / "make_env.py"
    told = subprocess.run([sys.executable, script, tmp_path], capture_output=True, text=True, check=True).stdout

    assert told == "added to .env: ORBITLAKE_SESSION_SECRET; the rest stays as it was\n"
    assert re.fullmatch(re.escape(f"# mine\nexport EXTRA='a = b'\n{others}") + after, (tmp_path / ".env").read_text())
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", ".env.example"]
