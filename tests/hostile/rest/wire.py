"""A client that puts a request on the wire exactly as written, however broken it is, and reads one answer."""

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass

import h11

from .case import Case


class NoAnswerError(Exception):
    """The connection ended, or the deadline passed, before one whole answer came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back; `surplus` is anything the server said after its answer was complete."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    surplus: bytes = b""

    def header(self, name: str) -> str:
        """Give the values of a header joined with commas, or an empty string."""
        return ", ".join(value for key, value in self.headers if key == name.lower())

    @property
    def text(self) -> str:
        """Everything a reader of the answer sees, to search it."""
        lines = [f"{name}: {value}" for name, value in self.headers]
        return "\n".join([*lines, "", self.body.decode("utf-8", "replace")])


def encode(case: Case, *, path: str, headers: list[tuple[str, str]], host: str) -> bytes:
    """Write a case out, adding Host, Content-Length and Connection where it neither sets nor omits them."""
    taken = {name.lower() for name, _ in headers} | case.omitted
    lines = [f"{case.method} {path} {case.version}"]
    if "host" not in taken:
        lines.append(f"Host: {host}")
    lines += [f"{name}: {value}" for name, value in headers]
    if not taken & {"content-length", "transfer-encoding"} and (case.body or case.method in {"POST", "PUT"}):
        lines.append(f"Content-Length: {len(case.body)}")
    if "connection" not in taken:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + case.body


async def exchange(host: str, port: int, request: bytes, deadline_s: float = 20) -> Answer:
    """Send bytes on a connection of their own and read the answer, also while still sending."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.setblocking(False)
        await loop.sock_connect(connection, (host, port))
        sending = asyncio.ensure_future(_send(connection, request))
        try:
            async with asyncio.timeout(deadline_s):
                return await _receive(connection, head=request.startswith(b"HEAD "))
        except TimeoutError as error:
            raise NoAnswerError(f"no whole answer within {deadline_s:g} s") from error
        except (OSError, h11.RemoteProtocolError) as error:
            raise NoAnswerError(f"the answer broke off: {error!r}") from error
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending


async def _send(connection: socket.socket, request: bytes) -> None:
    # A server may refuse and close before it has read everything; its answer is what counts.
    with suppress(ConnectionError):
        await asyncio.get_running_loop().sock_sendall(connection, request)


async def _receive(connection: socket.socket, *, head: bool) -> Answer:
    parser = h11.Connection(h11.CLIENT)
    # h11 only has to know whether a body may follow; what really was sent need not be HTTP.
    parser.send(h11.Request(method="HEAD" if head else "GET", target="/", headers=[("Host", "of-no-account")]))
    parser.send(h11.EndOfMessage())
    response: h11.Response | None = None
    body = bytearray()
    while True:
        match parser.next_event():
            case h11.NEED_DATA:
                parser.receive_data(await asyncio.get_running_loop().sock_recv(connection, 65_536))
            case h11.Response() as response:
                pass
            case h11.Data(data=data):
                body += data
            case h11.EndOfMessage() if response is not None:
                headers = tuple((name.decode().lower(), value.decode("latin-1")) for name, value in response.headers)
                surplus = parser.trailing_data[0]
                return Answer(status=response.status_code, headers=headers, body=bytes(body), surplus=surplus)
            case h11.ConnectionClosed():
                raise NoAnswerError("the connection was closed without an answer")
