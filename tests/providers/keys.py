"""A wrong key: a clear error, a status that isn't 0, and the key nowhere in the output, though the provider echoes it."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import program
from conversations import ROOTS
from report import Test


def tests(exe: str) -> list[Test]:
    return [
        Test(
            f"{provider}, {'streamed' if streamed else 'plain'}: a wrong key is a clear error, without the key in it",
            lambda provider=provider, streamed=streamed: _refused(exe, provider, streamed),
        )
        for provider in program.PROVIDERS
        for streamed in (False, True)
    ]


def _refused(exe: str, provider: str, streamed: bool) -> list[str]:
    asked: list[str] = []

    class Refusing(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", "0")))
            # Every place in which one of the providers wants the key.
            sent = " ".join(filter(None, (self.headers.get(n) for n in ("authorization", "x-api-key", "x-goog-api-key"))))
            asked.append(f"{sent} {self.path}")
            said = f"Incorrect API key provided: {sent} ({self.path})"
            body = json.dumps({"type": "error", "message": said, "error": {"type": "authentication_error", "message": said}})
            self.send_response(401)
            self.send_header("content-type", "application/json")
            self.send_header("x-echo", sent.replace("Bearer ", ""))
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        base_url = f"http://127.0.0.1:{server.server_port}{ROOTS[provider]}"
        run = program.run(exe, provider, base_url, streamed, [], "Say hello.", limit=30, more={"RUST_LOG": "trace"})
    finally:
        server.shutdown()
        server.server_close()
    found = run.findings()
    if run.status in (0, None):
        found.append(f"the status is {run.status}")
    if len(asked) != 1:
        found.append(f"the provider was asked {len(asked)} times: a wrong key stays wrong, and once is needed to know it")
    # Ollama's own server has no keys; where the adapter sends none, there is nothing to leak.
    elif program.KEY not in asked[0] and provider != "ollama":
        found.append(f"the key of {program.PROVIDERS[provider][0]} isn't sent")
    said = run.stderr.lower()
    if "401" not in said and "key" not in said and "unauthorized" not in said and "authentication" not in said:
        found.append(f"stderr doesn't say what is wrong: {run.stderr[:500]!r}")
    return [*found, run.tail()] if found else []
