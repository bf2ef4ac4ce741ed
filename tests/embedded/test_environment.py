"""What of the caller's environment reaches the processes."""

from dataclasses import replace
from pathlib import Path

import pytest

from orbitlake.embedded.environment import for_airflow, passed_on, proxies
from orbitlake.embedded.java import java_options
from orbitlake.embedded.topology import PORTS, Topology, loopback
from orbitlake.settings import from_environment


def environment(tmp_path: Path, **given: str) -> dict[str, str]:
    settings = replace(from_environment({}), data=tmp_path / "data")
    ports = dict.fromkeys(PORTS, 20_000)
    return Topology(run=tmp_path / "run", settings=settings, ports=ports, given=given).environment()


@pytest.mark.parametrize(
    "name",
    [
        *("SPARK_SUBMIT_OPTS", "PYSPARK_SUBMIT_ARGS", "HADOOP_CONF_DIR", "YARN_CONF_DIR", "HIVE_CONF_DIR"),
        *("AIRFLOW__CORE__AUTH_MANAGER", "AIRFLOW_CONFIG", "AIRFLOW_CONN_OTHER", "PYTHONSTARTUP", "PYTHONHOME"),
        *("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH", "LD_PRELOAD", "PGHOST", "BASH_ENV", "ENV", "VIRTUAL_ENV"),
    ],
)
def test_what_is_meant_for_others_is_left_out(tmp_path: Path, name: str):
    assert name not in environment(tmp_path, **{name: "of another"})


@pytest.mark.parametrize(
    "name", ["SPARK_HOME", "SPARK_CONF_DIR", "PYSPARK_DRIVER_PYTHON", "AIRFLOW_HOME", "HOME", "TMPDIR", "LC_ALL", "TZ"]
)
def test_what_we_need_is_ours_whatever_the_caller_has(tmp_path: Path, name: str):
    assert environment(tmp_path, **{name: "of another"})[name] == environment(tmp_path)[name] != "of another"


def test_what_the_caller_sets_of_airflow_by_our_names_wins(tmp_path: Path):
    given = {"ORBITLAKE_AIRFLOW__CORE__PARALLELISM": "12", "ORBITLAKE_AIRFLOW_CONN_HOOK": "http://x"}

    got = environment(tmp_path, **given)

    assert got["AIRFLOW__CORE__PARALLELISM"] == "12"
    assert got["AIRFLOW_CONN_HOOK"] == "http://x"
    assert for_airflow({"ORBITLAKE_AIRFLOW_PORT": "1", "AIRFLOW__CORE__PARALLELISM": "9"}) == {}


def test_loopback_is_reached_without_the_proxy_in_both_spellings():
    got = proxies({"http_proxy": "http://proxy:3128", "HTTPS_PROXY": "proxy:3128", "NO_PROXY": "example.org, ::1"})

    assert got["http_proxy"] == "http://proxy:3128"
    assert got["HTTPS_PROXY"] == "proxy:3128"
    assert got["no_proxy"] == got["NO_PROXY"] == "example.org,::1,127.0.0.1,localhost"


def test_no_proxy_for_anything_stays_so():
    assert proxies({"no_proxy": "*"}) == {"no_proxy": "*", "NO_PROXY": "*"}


def test_socks_is_left_out():
    assert "ALL_PROXY" not in proxies({"ALL_PROXY": "socks5://127.0.0.1:9"})


def test_our_own_talk_to_loopback_knows_neither_proxy_nor_netrc(monkeypatch, tmp_path: Path):
    (tmp_path / ".netrc").write_text("default login a password b\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with loopback() as http:
        merged = http.merge_environment_settings("http://127.0.0.1:8080", {}, None, None, None)

        assert not merged["proxies"]
        assert not http.trust_env


def test_settings_of_ours_pass():
    assert passed_on({"ORBITLAKE_ALERTS": "log"})["ORBITLAKE_ALERTS"] == "log"


def test_credentials_of_a_store_pass_where_one_is_named_and_not_otherwise():
    given = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_LAMBDA_RUNTIME_API": "c"}
    credentials = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}

    assert not credentials & set(passed_on(given))
    assert set(given) & set(passed_on({**given, "ORBITLAKE_PUBLISH_URL": "s3://a/b"})) == credentials


def test_java_option_is_quoted_as_its_launcher_reads_it():
    assert java_options("-Dx=/a b") == '"-Dx=/a b"'
    assert java_options('-Dx=/a "b') == '''"-Dx=/a "'"'"b"'''
