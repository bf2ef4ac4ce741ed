"""Links to one calendar each, which a calendar program reads without a login: signed, bound to a person, revocable."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from orbitlake.page.pass_queries import Wanted

PURPOSE: Final = b"orbitlake calendar link 1"
"""Makes the key one of its own: what is signed with it opens nothing else, and nothing else signed opens a calendar."""
LONGEST_TOKEN: Final = 1_024
NONCE_BYTES: Final = 16
MAC_CHARACTERS: Final = 43

Claims = Mapping[str, Any]
"""What the login's own token says of a person, as far as it tells who that is: `sub`, and maybe a role."""


class Nonces(Protocol):
    """A random text for each person who has links; without it, or with another one, the links are void."""

    def get(self, person: str) -> str | None:
        """Return the text of a person, None where there is none."""

    def put(self, person: str, nonce: str) -> None:
        """Keep the text of a person."""

    def drop(self, person: str) -> None:
        """Forget the text of a person, where there is one."""


class LinkError(ValueError):
    """A link is not valid: altered, of another calendar, revoked, or of someone who may no longer read."""


@dataclass(frozen=True)
class CalendarLinks:
    """Makes and checks tokens. `may_read` says whether a person may still read the page, by the claims of the token."""

    secret: str
    nonces: Nonces
    may_read: Callable[[Claims], bool]

    def token(self, claims: Claims, asked: Wanted) -> str:
        """Return the token for a person and a calendar; the same until the person's links are revoked."""
        person = person_of(claims)
        nonce = self.nonces.get(person)
        if nonce is None:
            nonce = secrets.token_urlsafe(NONCE_BYTES)
            self.nonces.put(person, nonce)
        return f"{_encoded(_json(claims))}.{self._mac(claims, nonce, asked)}"

    def check(self, token: str, asked: Wanted) -> None:
        """Raise LinkError unless this is the token of someone who may read, for this calendar."""
        try:
            claims, mac = _parts(token)
            nonce = self.nonces.get(person_of(claims))
        except (ValueError, KeyError, TypeError, RecursionError):
            raise LinkError from None
        # Without a nonce the comparison is made all the same, with one that nobody knows.
        expected = self._mac(claims, nonce or secrets.token_urlsafe(NONCE_BYTES), asked)
        if not hmac.compare_digest(mac.encode(), expected.encode()) or nonce is None or not self.may_read(claims):
            raise LinkError

    def revoke(self, claims: Claims) -> None:
        """Make all links of a person void."""
        self.nonces.drop(person_of(claims))

    def _mac(self, claims: Claims, nonce: str, asked: Wanted) -> str:
        key = hmac.digest(self.secret.encode(), PURPOSE, hashlib.sha256)
        told = [dict(claims), nonce, asked.site, asked.visible, float(asked.min_elevation_deg)]
        return _encoded(hmac.digest(key, _json(told), hashlib.sha256))


def person_of(claims: Claims) -> str:
    """Return a name for a person that can be part of a key: letters and digits. Raises KeyError without `sub`."""
    return hashlib.sha256(str(claims["sub"]).encode()).hexdigest()[:32]


def _parts(token: str) -> tuple[dict[str, Any], str]:
    """Return claims and MAC of a token. Raises ValueError for what is none."""
    told, dot, mac = token.partition(".")
    if len(token) > LONGEST_TOKEN or not dot or len(mac) != MAC_CHARACTERS or not token.isascii():
        raise ValueError("not a token")
    claims = json.loads(base64.b64decode(told + "=" * (-len(told) % 4), altchars=b"-_", validate=True))
    if not isinstance(claims, dict):
        raise ValueError("not a token")
    return claims, mac


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
