"""Messages reach a broker and are acknowledged by it, or an error says why not; nothing waits for ever."""

import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from tests.pass_alerts.brokers import mosquitto, real_broker, small_broker

from orbitlake.alerts import ChannelError
from orbitlake.mqtt import Publication, publish
from orbitlake.settings import SettingError, Settings, from_environment

HELLO = Publication("orbitlake/test", "hello", is_retained=True)
SECRET = "s3cret"


def settings(port: int, scheme: str = "mqtt", host: str = "127.0.0.1", **more: str) -> Settings:
    return from_environment(
        {"ORBITLAKE_MQTT_URL": f"{scheme}://{host}:{port}"}
        | {f"ORBITLAKE_MQTT_{name.upper()}": value for name, value in more.items()}
    )


def retained(port: int, count: int, **login: str) -> dict[str, str]:
    """Return what a new subscriber of a broker is sent at once."""
    from paho.mqtt.subscribe import simple

    found: list = []
    auth = {"username": login["user"], "password": login["password"]} if login else None

    def ask() -> None:
        answer = simple("#", qos=1, msg_count=count, hostname="127.0.0.1", port=port, auth=auth)
        found.extend(answer if isinstance(answer, list) else [answer])

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(20)
    return {each.topic: each.payload.decode() for each in found}


def test_what_is_published_is_taken_in_order_and_ends_well():
    many = [Publication(f"orbitlake/{number}", "x" * number) for number in range(120)]
    with small_broker() as broker:
        publish(settings(broker.port), [HELLO, *many], will=Publication("orbitlake/status", "offline"))
        for _ in range(200):
            if broker.ended_well:
                break
            time.sleep(0.01)

        assert broker.taken[0] == ("orbitlake/test", "hello", True)
        assert [topic for topic, _, _ in broker.taken[1:]] == [each.topic for each in many]
        assert broker.ended_well == 1


@pytest.mark.parametrize(
    ("broker", "reason"),
    [
        ({"answers": False}, "did not answer within 0.5 s"),
        ({"acknowledges": False}, "did not acknowledge within 0.5 s"),
        ({"code": 5}, "the broker refused: Not authorized"),
    ],
)
def test_a_broker_that_does_not_take_it_is_an_error_within_the_bound(broker: dict, reason: str):
    with small_broker(**broker) as running, pytest.raises(ChannelError, match=reason) as error:
        publish(settings(running.port, user="iss", password=SECRET), [HELLO], timeout_s=0.5)

    assert SECRET not in str(error.value)


def test_a_tls_handshake_that_nobody_answers_ends():
    with socket.create_server(("127.0.0.1", 0)) as deaf, pytest.raises(ChannelError, match="cannot be reached"):
        publish(settings(deaf.getsockname()[1], "mqtts"), [HELLO], timeout_s=1)


def test_a_port_that_nobody_listens_at_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    with pytest.raises(ChannelError, match="cannot be reached: ConnectionRefusedError"):
        publish(settings(port), [HELLO])


def test_without_a_broker_the_error_names_the_setting():
    with pytest.raises(ChannelError, match="ORBITLAKE_MQTT_URL"):
        publish(from_environment({}), [HELLO])


@pytest.mark.parametrize(
    "url", ["http://host", "host:1883", "mqtt://", "mqtt://iss:s3cret@host", "mqtt://host/x", "mqtt://host:0"]
)
def test_what_is_no_broker_is_refused_without_being_shown(url: str):
    with pytest.raises(SettingError, match="ORBITLAKE_MQTT_URL is no broker") as error:
        from_environment({"ORBITLAKE_MQTT_URL": url})

    assert SECRET not in str(error.value)


@pytest.mark.parametrize("topic", ["a/#", "a//b", "/a", "a/", "a b", "$SYS", "+"])
def test_a_topic_that_cannot_be_is_refused(topic: str):
    with pytest.raises(SettingError, match="ORBITLAKE_MQTT_TOPIC is"):
        from_environment({"ORBITLAKE_MQTT_TOPIC": topic})


def test_the_password_is_not_shown_where_settings_are_printed():
    assert SECRET not in repr(settings(1883, password=SECRET))


def test_mosquitto_takes_and_keeps_what_is_published(tmp_path: Path):
    with real_broker(tmp_path, "allow_anonymous true") as port:
        publish(settings(port), [HELLO, Publication("orbitlake/event", "once")])
        publish(settings(port), [Publication("orbitlake/late", "x", is_retained=True)])

        assert retained(port, 2) == {"orbitlake/test": "hello", "orbitlake/late": "x"}


def test_mosquitto_asks_for_the_password(tmp_path: Path):
    mosquitto()
    if not (tool := shutil.which("mosquitto_passwd")):
        pytest.skip("no mosquitto_passwd here")
    subprocess.run([tool, "-b", "-c", str(tmp_path / "users"), "iss", SECRET], check=True, capture_output=True)
    with real_broker(tmp_path, "allow_anonymous false", f"password_file {tmp_path / 'users'}") as port:
        with pytest.raises(ChannelError, match="refused") as error:
            publish(settings(port, user="iss", password="wrong"), [HELLO])
        publish(settings(port, user="iss", password=SECRET), [HELLO])

        assert "wrong" not in str(error.value)
        assert retained(port, 1, user="iss", password=SECRET) == {"orbitlake/test": "hello"}


def test_mosquitto_is_reached_by_tls_where_its_certificate_holds(tmp_path: Path):
    mosquitto()
    for name in ("broker", "other"):
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"),
                *("-addext", "subjectAltName=DNS:localhost"),
                *("-keyout", str(tmp_path / f"{name}.key"), "-out", str(tmp_path / f"{name}.crt")),
            ],
            check=True,
            capture_output=True,
        )
    keys = f"certfile {tmp_path / 'broker.crt'}", f"keyfile {tmp_path / 'broker.key'}"
    with real_broker(tmp_path, "allow_anonymous true", *keys) as port:
        publish(settings(port, "mqtts", "localhost", ca=str(tmp_path / "broker.crt")), [HELLO])
        with pytest.raises(ChannelError, match="SSLCertVerificationError"):
            publish(settings(port, "mqtts", "localhost", ca=str(tmp_path / "other.crt")), [HELLO])
        with pytest.raises(ChannelError, match="SSLCertVerificationError"):
            publish(settings(port, "mqtts", ca=str(tmp_path / "broker.crt")), [HELLO])
    with pytest.raises(ChannelError, match="ORBITLAKE_MQTT_CA cannot be used: FileNotFoundError"):
        publish(settings(port, "mqtts", ca=str(tmp_path / "absent.crt")), [HELLO])
