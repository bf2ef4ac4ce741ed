"""Stands between server and app and spoils the answers that the fault board says are to be spoiled."""

import asyncio
from collections.abc import Mapping
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orbitlake.simulator.faults import POSITION_FAULTS, ActiveFault, FaultBoard, FaultKind

POSITION_FAULTS_KEY: Final = "orbitlake.position_faults"
HTML: Final = "text/html; charset=utf-8"
PAGE: Final = "<html>\n<head><title>{0}</title></head>\n<body>\n<center><h1>{0}</h1></center>\n</body>\n</html>\n"
XML_ERROR: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    "<Error><Code>InternalError</Code><Message>We encountered an internal error. Please try again.</Message></Error>"
)


class FaultGate:
    """ASGI middleware. Faults of position travel on to the app in the scope; all others are dealt with here."""

    def __init__(self, app: ASGIApp, board: FaultBoard, untouched: frozenset[str]) -> None:
        self.app = app
        self.board = board
        self.untouched = untouched

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self.untouched:
            await self.app(scope, receive, send)
            return
        striking = self.board.striking(scope["path"])
        scope[POSITION_FAULTS_KEY] = [active for active in striking if active.fault.kind in POSITION_FAULTS]
        transport = [active for active in striking if active.fault.kind not in POSITION_FAULTS]
        if not transport:
            await self.app(scope, receive, send)
            return
        fault = transport[0].fault
        match fault.kind:
            case FaultKind.TIMEOUT:
                if await _client_stays(receive, fault.lasting_s):
                    await self.app(scope, receive, send)
            case FaultKind.TRUNCATED_BODY:
                await self._break_off(scope, receive, send)
            case _:
                await _false_answer(transport[0])(scope, receive, send)

    async def _break_off(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the app's headers and the first half of its body; the server then closes the connection."""
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self.app(scope, receive, keep)
        body = b"".join(message.get("body", b"") for message in answer)
        await send(answer[0])
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})


def _false_answer(active: ActiveFault) -> Response:
    match active.fault.kind:
        case FaultKind.RATE_LIMITED:
            retry = {"Retry-After": str(round(active.fault.lasting_s))}
            return _page(429, "429 Too Many Requests", retry)
        case FaultKind.SERVER_ERROR_XML:
            return Response(XML_ERROR, 500, media_type="application/xml")
        case FaultKind.BAD_GATEWAY_HTML:
            return _page(502, "502 Bad Gateway")
        case FaultKind.HTML_OK:
            return _page(200, "Application error")
        case other:
            raise ValueError(f"{other} has no answer of its own")


def _page(status: int, title: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(PAGE.format(title), status, headers, media_type=HTML)


async def _client_stays(receive: Receive, seconds: float) -> bool:
    """Wait; say whether the client still listens. One that leaves ends the wait, so that a server can stop."""

    async def until_gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    try:
        await asyncio.wait_for(until_gone(), seconds)
    except TimeoutError:
        return True
    return False
