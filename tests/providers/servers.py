"""The servers of others that play the provider: aimock and LLMock, each a process of its own on a port of this machine."""

import http.client
import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any


class Server:
    """A process that is there until the `with` block ends."""

    def __init__(self, command: list[str], port: int, health: str, environment: dict[str, str] | None = None) -> None:
        self.port = port
        self._command = command
        self._health = health
        self._environment = {**os.environ, **(environment or {})}

    def __enter__(self) -> "Server":
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            self._command, env=self._environment, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT
        )
        deadline = time.monotonic() + 60
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError(f"{self._command[0]} didn't start:\n{self._said}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.seek(0)
        self._said = self._log.read().decode(errors="replace")[-4000:]
        self._log.close()

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        try:
            connection.request("GET", self._health)
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def aimock(node_modules: Path, fixtures: Path) -> Server:
    """Plays the scripts in `fixtures`. A request that no script expects is answered with an error."""
    port = free_port()
    entry = node_modules / "@copilotkit" / "aimock" / "dist" / "cli.js"
    command = ["node", str(entry), "--port", str(port), "--fixtures", str(fixtures), "--strict", "--log-level", "warn"]
    # Without it, a script for an earlier turn answers a later one.
    return Server(command, port, "/health", {"AIMOCK_STRICT_TURN_INDEX": "1"})


class LLMock(Server):
    """Plays faults, and judges how the client took them."""

    def __init__(self, bin: Path) -> None:
        port = free_port()
        self._bin = bin
        # By itself it calls a tool on every message of the user's, and a delivery is one.
        command = [str(bin / "llmock"), "serve", "--port", str(port), "--tool-mode", "off", "--log-level", "warning"]
        # Slow enough that a client which goes away in the middle of a stream is seen to go.
        command += ["--stream-chunk-delay-ms", "20"]
        super().__init__(command, port, "/health")

    def play(self, behaviors: list[dict[str, Any]]) -> None:
        """From here on these are played, and nothing of before."""
        self._ask("DELETE", "scenario")
        self._ask("POST", "scenario", {"behaviors": behaviors})

    def left(self) -> list[dict[str, Any]]:
        """The behaviours that no request has met."""
        return self._ask("GET", "scenario")["pending"]

    def judged(self) -> list[str]:
        """What it has found against the client, oldest first."""
        findings = sorted(self._ask("GET", "verdict")["findings"], key=lambda finding: finding["requests"])
        return [f"LLMock: {finding['code']}: {finding['title']} {finding['advice']}" for finding in findings]

    def report(self) -> list[str]:
        """What `llmock report` says if it doesn't pass; its warnings count as well."""
        command = [str(self._bin / "llmock"), "report", "--strict", "--url", f"http://127.0.0.1:{self.port}"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        return [] if done.returncode == 0 else [done.stdout, done.stderr]

    def _ask(self, method: str, what: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/_llmock/{what}",
            json.dumps(body).encode() if body is not None else None,
            {"content-type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
