"""How a text gets to people: the log, a webhook, an e-mail, an MQTT broker; the connections are Airflow's."""

import html
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from airflow.sdk import BaseNotifier
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException, AirflowRuntimeError

LOG: Final = logging.getLogger(__name__)
TIMEOUT_S: Final = 10


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent: a line for a person, the same for a program, how loud a log says it, and a topic of MQTT.

    The topic is below that of the settings. `payload` is what goes there, by default the body.
    """

    text: str
    body: Mapping[str, Any]
    level: int
    topic: str


def send(channel: str, letter: Letter) -> None:
    """Give a letter to `log`, `mqtt`, `webhook:<connection>` or `smtp:<connection>`. Raises ChannelError."""
    from orbitlake.alerts import ChannelError

    kind, _, connection = channel.partition(":")
    way = {"log": ToLog, "mqtt": ToBroker, "webhook": ToWebhook, "smtp": ToMail}[kind]
    try:
        way(letter, connection)({})
    except (OSError, ValueError, AirflowException, AirflowRuntimeError) as error:
        # Its text may name the connection's URL, whose path can be a secret.
        raise ChannelError(type(error).__name__) from None


class Way(BaseNotifier):
    """One letter on its way."""

    def __init__(self, letter: Letter, connection: str) -> None:
        super().__init__()
        self.letter, self.connection = letter, connection


class ToLog(Way):
    """A line of the log of whoever sends it."""

    def notify(self, _context: Any) -> None:
        LOG.log(self.letter.level, "%s", self.letter.text)


class ToWebhook(Way):
    """JSON, posted to the host of a connection; its password, where there is one, as bearer token."""

    def notify(self, _context: Any) -> None:
        import requests

        from orbitlake.alerts import ChannelError

        given = connection_of(self.connection)
        url = given.host or ""
        if "://" not in url:
            url = f"{given.schema or 'https'}://{url}" + (f":{given.port}" if given.port else "")
        headers = {"Authorization": f"Bearer {given.password}"} if given.password else {}
        answer = requests.post(
            url, json=dict(self.letter.body), headers=headers, timeout=TIMEOUT_S, allow_redirects=False
        )
        if answer.status_code >= 300:
            raise ChannelError(f"its host answered {answer.status_code}")


class ToMail(Way):
    """An e-mail to the `to` of a connection's extra, by default to its own `from_email`."""

    def notify(self, context: Any) -> None:
        from airflow.providers.smtp.notifications.smtp import SmtpNotifier

        from orbitlake.alerts import ChannelError

        extra = connection_of(self.connection).extra_dejson
        to = extra.get("to") or extra.get("from_email")
        if not to:
            raise ChannelError("its connection's extra names neither `to` nor `from_email`")
        first, *_ = self.letter.text.splitlines()
        # What an alert quotes is no template of ours.
        mail = SmtpNotifier(to=to, smtp_conn_id=self.connection)
        mail.subject, mail.html_content = f"orbitlake: {first}"[:200], f"<p>{html.escape(self.letter.text)}</p>"
        mail.notify(context)


class ToBroker(Way):
    """JSON, published to the broker of ORBITLAKE_MQTT_URL and acknowledged by it."""

    def notify(self, _context: Any) -> None:
        import json

        from orbitlake.mqtt import Publication, publish
        from orbitlake.settings import from_environment

        settings = from_environment()
        topic = f"{settings.mqtt_topic}/{self.letter.topic}"
        publish(settings, [Publication(topic, json.dumps(dict(self.letter.body)))])


def connection_of(name: str) -> Any:
    """The connection of that name. Raises ChannelError where there is none."""
    from airflow.sdk import Connection

    from orbitlake.alerts import ChannelError

    try:
        return Connection.get(name)
    except AirflowNotFoundException:
        raise ChannelError(f"Airflow has no connection {name!r}") from None
