"""The program under test: `examples/async_conversation`, run once with the key of its provider in the environment."""

import json
import os
import subprocess
import time
from dataclasses import dataclass
from typing import Any

# Looks like a key, and must turn up nowhere but in the headers of requests.
KEY = "sk-canary-4be1c07f93d25a86"

# The variables from which the key is read, and the model that is asked for: one that the adapters take for an
# ordinary one, but for `openai-native`, whose calls may stay open.
PROVIDERS = {
    "openai": (["OPENAI_API_KEY"], "gpt-5-mini"),
    "openai-responses": (["OPENAI_API_KEY"], "gpt-5-mini"),
    "openai-native": (["OPENAI_API_KEY"], "gpt-6-astra"),
    "anthropic": (["ANTHROPIC_API_KEY"], "claude-sonnet-4-5"),
    "gemini": (["GEMINI_API_KEY", "GOOGLE_API_KEY"], "gemini-2.5-flash"),
    "bedrock": (["BEDROCK_API_KEY", "AWS_BEARER_TOKEN_BEDROCK"], "anthropic.claude-sonnet-4-5-20250929-v1:0"),
    "ollama": (["OLLAMA_API_KEY"], "qwen3"),
}


@dataclass(frozen=True)
class Run:
    command: list[str]
    status: int | None  # none: it was still running at the limit
    stdout: str
    stderr: str
    seconds: float

    @property
    def events(self) -> list[dict[str, Any]]:
        """What it printed, a JSON object a line. A line that isn't one is an event named `unreadable`."""
        events = []
        for line in self.stdout.splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                event = None
            events.append(event if isinstance(event, dict) else {"event": "unreadable", "line": line})
        return events

    def named(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event.get("event") == name]

    def findings(self) -> list[str]:
        """What must hold of every run, however it ends."""
        found = [f"stdout has a line that is no event: {event['line'][:200]!r}" for event in self.named("unreadable")]
        if "canary" in self.stdout + self.stderr:
            found.append("the key is in the output")
        if self.status is None:
            found.append(f"it was still running after {self.seconds:.0f} s")
        if "panicked at" in self.stderr:
            found.append("it panicked")
        return found

    def tail(self) -> str:
        shown = [f"$ {' '.join(self.command)}", f"status {self.status}, {self.seconds:.1f} s"]
        shown += [f"stdout| {line[:400]}" for line in self.stdout.splitlines()[-25:]]
        shown += [f"stderr| {line[:400]}" for line in self.stderr.splitlines()[-15:]]
        return "\n".join(shown)


def run(
    program: str,
    provider: str,
    base_url: str,
    streamed: bool,
    options: list[str],
    prompt: str,
    limit: float = 45,
    more: dict[str, str] | None = None,
) -> Run:
    """Runs the program to its end, or for `limit` seconds, with the key and `more` in its environment."""
    variables, model = PROVIDERS[provider]
    command = [program, "--provider", provider, "--base-url", base_url, "--model", model]
    command += ["--stream" if streamed else "--no-stream", *options, "--prompt", prompt]
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH", "RUST_BACKTRACE") if name in os.environ}
    environment = kept | {name: KEY for name in variables} | (more or {})
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    status: int | None
    try:
        stdout, stderr = process.communicate(timeout=limit)
        status = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        stdout, stderr = process.communicate()
        status = None
    return Run(command, status, stdout, stderr, time.monotonic() - started)
