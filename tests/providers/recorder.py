"""A reverse proxy of one conversation: it keeps the exact bytes of each request's body, and passes on the answer's.

What comes back is passed on byte by byte, and so is the way in which the server ends it: a connection that is reset, a
stream that stops halfway or stalls is the same to the client as without the proxy.
"""

import asyncio
import json
import threading
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Request:
    method: str
    path: str  # with the query
    raw: bytes
    at: float

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.raw)

    @property
    def streamed(self) -> bool:
        route = self.path.partition("?")[0]
        if route.endswith((":streamGenerateContent", "/converse-stream")):
            return True
        return bool(self.body.get("stream"))


class Recorder:
    """Records what goes to `port` of this machine, to which it adds `headers`.

    `instead` are answers (whole HTTP responses) that the first requests get without the server being asked.
    """

    def __init__(self, port: int, headers: dict[str, str] | None = None, instead: list[bytes] | None = None) -> None:
        self.requests: list[Request] = []
        self._port = port
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items()).encode()
        self._instead = list(instead or [])
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self.port = 0

    def __enter__(self) -> "Recorder":
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=5)

    def _serve(self) -> None:
        async def main() -> None:
            self._stop = asyncio.Event()
            server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await self._stop.wait()
            server.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(main())
        self._loop.close()

    async def _connection(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        there: asyncio.StreamWriter | None = None
        relay: asyncio.Task[None] | None = None
        try:
            while True:
                head = await client.readuntil(b"\r\n\r\n")
                first, _, rest = head.partition(b"\r\n")
                fields = dict(_field(line) for line in rest.split(b"\r\n") if line)
                body = await client.readexactly(int(fields.get(b"content-length", b"0")))
                method, path = first.decode().split(" ")[:2]
                self.requests.append(Request(method, path, body, time.monotonic()))
                if self._instead:
                    back.write(self._instead.pop(0))
                    await back.drain()
                    back.close()
                    return
                if there is None:
                    server, there = await asyncio.open_connection("127.0.0.1", self._port)
                    relay = asyncio.create_task(_relay(server, back))
                there.write(first + b"\r\n" + self._headers + rest + body)
                await there.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except asyncio.CancelledError:
            # The recording ends. To be cancelled quietly is all that is wanted of it.
            pass
        finally:
            # The client has said all it will say on this connection. A server that is still answering must notice.
            if there is not None:
                there.close()
            if relay is not None:
                relay.cancel()
            back.close()


async def _relay(server: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
    try:
        while chunk := await server.read(65536):
            back.write(chunk)
            await back.drain()
        back.close()
    except ConnectionError:
        back.transport.abort()


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name.strip().lower(), value.strip()
