"""Conversations against aimock, and what their request bodies are found to be."""

import json
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from collections.abc import Iterator

import pairing
import program
import servers
import shapes
from recorder import Recorder, Request
from report import Test
from scenarios import SCENARIOS, Scenario, Seen, fixtures

# Where a base URL ends, after the port: as the providers' own do.
ROOTS = {
    "openai": "/v1/",
    "openai-responses": "/v1/",
    "openai-native": "/v1/",
    "anthropic": "/v1/",
    "gemini": "/v1beta/",
    "bedrock": "/",
    "ollama": "/",
}

# Of Bedrock's stream aimock's differs in one thing: it announces a block of text, as Bedrock does only for calls.
MODES = [(provider, streamed) for provider in program.PROVIDERS for streamed in (False, True)]


@dataclass
class Recorded:
    """The requests of one conversation that went as it should, for `teeth` to break."""

    provider: str
    requests: list[Request]


@contextmanager
def aimock(node_modules: Path) -> Iterator[servers.Server]:
    with tempfile.TemporaryDirectory() as folder:
        scripts = Path(folder) / "scripts.json"
        scripts.write_text(fixtures(SCENARIOS))
        with servers.aimock(node_modules, scripts) as server:
            yield server


def tests(exe: str, server: servers.Server, recorded: list[Recorded]) -> list[Test]:
    """A test for each conversation, provider and mode. What was sent is put into `recorded`."""
    return [
        Test(
            f"{provider}, {'streamed' if streamed else 'plain'}: {scenario.name}",
            lambda provider=provider, streamed=streamed, scenario=scenario: _converse(
                exe, server, recorded, provider, streamed, scenario
            ),
        )
        for scenario in SCENARIOS
        for provider, streamed in MODES
        if provider not in scenario.without
    ]


def _converse(
    exe: str, server: servers.Server, recorded: list[Recorded], provider: str, streamed: bool, scenario: Scenario
) -> list[str]:
    ident = f"{scenario.context}-{provider}-{streamed}"
    with Recorder(server.port, {"x-aimock-context": scenario.context, "x-test-id": ident}) as recorder:
        base_url = f"http://127.0.0.1:{recorder.port}{ROOTS[provider]}"
        run = program.run(exe, provider, base_url, streamed, scenario.options, scenario.prompt)
        requests = [request for request in recorder.requests if request.method == "POST"]
    found = run.findings()
    if run.status != 0:
        found.append(f"it ended with status {run.status}")
    for name in ("error", "turn_failed"):
        # An empty turn after results is asked once more: the scenario that has one is played on purpose.
        found += [
            f"event `{name}`: {json.dumps(event)[:300]}"
            for event in run.named(name)
            if not (scenario.context == "silent" and event.get("error") == "the model's turn was empty")
        ]
    if any(request.streamed != streamed for request in requests):
        found.append(f"a request is {'plain' if streamed else 'streamed'} that should be {'streamed' if streamed else 'plain'}")
    found += bodies(provider, requests, continuous=not scenario.pruned)
    if len(requests) < 2:
        found.append(f"there were {len(requests)} requests")
    elif not found:
        found += scenario.check(Seen(provider, run, [request.body for request in requests]))
    if found:
        return [*found, *_shown(requests), run.tail()]
    recorded.append(Recorded(provider, requests))
    return []


def bodies(provider: str, requests: list[Request], continuous: bool = True) -> list[str]:
    """Findings in the requests, each with the request it is in."""
    found = []
    for place, request in enumerate(requests):
        path = request.path.partition("?")[0]
        here = shapes.findings(provider, request.body, path, request.streamed) + pairing.findings(provider, request.body)
        if place > 0 and continuous:
            here += pairing.continuity(provider, requests[place - 1].body, request.body)
        found += [f"request {place}: {finding}" for finding in here]
    return found


def _shown(requests: list[Request]) -> list[str]:
    """The requests' histories, cut to a length that can be read."""
    lines = []
    for place, request in enumerate(requests):
        text = request.raw.decode(errors="replace")
        lines.append(f"body {place}| {request.method} {request.path} {text if len(text) < 3000 else text[:600] + ' … ' + text[-2400:]}")
    return lines
