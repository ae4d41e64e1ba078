"""Model calls that fail: LLMock plays the faults and judges the client, for the formats that it speaks.

For Bedrock and Ollama, which it doesn't, the recorder answers in place of aimock, and the judging is done here.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pairing
import program
import servers
from conversations import ROOTS, bodies
from recorder import Recorder, Request
from report import Report, Test

# Where LLMock has the providers.
AT_LLMOCK = {
    "openai": "/v1/",
    "openai-responses": "/v1/",
    "openai-native": "/v1/",
    "anthropic": "/anthropic/v1/",
    "gemini": "/gemini/v1beta/",
}

# No result is late, on a machine that is busy neither: the grace ends when all are there.
QUICK = ["--delays", "get_weather=0.01,search=0.01", "--grace", "3"]
PROSE = "All is well, as far as one can tell from here, and the rest will be known in the morning."
CALL = {"type": "reply", "tool_calls": [{"name": "get_weather", "arguments": {"city": "Nairobi"}}]}
# Long enough for any stream to be cut in the middle of it.
TEXT = {"type": "reply", "text": PROSE, "times": None}


@dataclass(frozen=True)
class Fault:
    name: str  # as a sentence
    behaviors: list[dict[str, Any]]
    modes: tuple[bool, ...] = (False, True)  # plain, streamed
    requests: int = 3  # the call, the one that fails or the one after it, and the last
    succeeds: bool = True
    says: str = ""  # on stderr
    options: list[str] = field(default_factory=list)
    runs: bool = True  # the tool
    without: tuple[str, ...] = ()  # the providers for which it can't be played


def _stream(kind: str, **more: Any) -> list[dict[str, Any]]:
    """The turn that calls is whole; the one that speaks is broken off in its text, and made again."""
    # Faults are taken in their order, one for each stream. A stall of no time is the one that harms none.
    whole = {"type": "stream_fault", "kind": "stall", "stall_seconds": 0, "after_chunks": 0}
    return [CALL, TEXT, whole, {"type": "stream_fault", "kind": kind, "after_chunks": 4, **more}]


FAULTS = [
    Fault("a 429 is waited out for as long as it says", [{"type": "fail", "status": 429, "retry_after": 1}, CALL, TEXT]),
    Fault("a 500 is tried again", [{"type": "fail", "status": 500}, CALL, TEXT]),
    Fault("a 529 is tried again", [{"type": "fail", "status": 529}, CALL, TEXT]),
    Fault("a connection that breaks off in a text is made again", _stream("disconnect"), modes=(True,)),
    Fault("a stream that ends early, cleanly, is not taken for an answer", _stream("truncate"), modes=(True,)),
    Fault("a chunk that can't be read breaks the turn, which is made again", _stream("malformed"), modes=(True,)),
    Fault(
        "a stream that stalls is given up and made again",
        _stream("stall", stall_seconds=30),
        modes=(True,),
        options=["--stall", "1"],
    ),
    Fault(
        "a call that is cut in half is never run",
        [{**CALL, "times": 2}, TEXT, {"type": "stream_fault", "kind": "truncate", "after_chunks": 3}],
        modes=(True,),
        # It sends a call whole, in one chunk.
        without=("gemini",),
    ),
    Fault(
        "malformed arguments are answered with an error and run nothing",
        [CALL, {"type": "tool_fault", "kind": "malformed_arguments"}, TEXT],
        requests=2,
        runs=False,
    ),
    Fault(
        "a tool that doesn't exist is answered with an error",
        [CALL, {"type": "tool_fault", "kind": "unknown_tool"}, TEXT],
        requests=2,
        runs=False,
    ),
    Fault(
        "a 400 is reported with the provider's words and not tried again",
        [{"type": "fail", "status": 400, "message": "the moon is in the wrong quarter", "times": None}],
        requests=1,
        succeeds=False,
        says="the moon is in the wrong quarter",
        runs=False,
    ),
    Fault(
        "a server that stays down is an error, after a few tries",
        [{"type": "fail", "status": 503, "times": None}],
        requests=3,
        succeeds=False,
        says="503",
        runs=False,
    ),
]


def run(report: Report, exe: str, bin: Path, beside: int) -> None:
    """Each provider has a server of its own, which plays one fault after the other, and judges all in the end."""

    def all_of(provider: str) -> None:
        with servers.LLMock(bin) as server:
            played = [
                Test(
                    f"{provider}, {'streamed' if streamed else 'plain'}: {fault.name}",
                    lambda streamed=streamed, fault=fault: _faulty(exe, server, provider, streamed, fault),
                )
                for fault in FAULTS
                if provider not in fault.without
                for streamed in fault.modes
            ]
            report.run(played)
            report.run([Test(f"{provider}: `llmock report` passes", server.report)])

    with ThreadPoolExecutor(beside) as pool:
        list(pool.map(all_of, AT_LLMOCK))


def _faulty(exe: str, server: servers.LLMock, provider: str, streamed: bool, fault: Fault) -> list[str]:
    server.play(fault.behaviors)
    before = server.judged()
    options = [*QUICK, *fault.options]
    # By its prompt LLMock tells one fault's requests from another's.
    prompt = f"How is the weather when {fault.name}, {'streamed' if streamed else 'plain'}?"
    with Recorder(server.port) as recorder:
        base_url = f"http://127.0.0.1:{recorder.port}{AT_LLMOCK[provider]}"
        ended = program.run(exe, provider, base_url, streamed, options, prompt)
        requests = list(recorder.requests)
    found = ended.findings() + bodies(provider, requests)
    if (ended.status == 0) != fault.succeeds:
        found.append(f"it ended with status {ended.status}")
    if fault.says not in ended.stderr:
        found.append(f"stderr doesn't say {fault.says!r}")
    if len(requests) != fault.requests:
        found.append(f"there were {len(requests)} requests, not {fault.requests}")
    started = ended.named("started")
    if len(started) != int(fault.runs):
        found.append(f"{len(started)} tools were started, not {int(fault.runs)}: {started}")
    unmet = [behavior for behavior in server.left() if behavior.get("times") is not None]
    if unmet:
        found.append(f"no request met {unmet}")
    if not found and fault.succeeds:
        found += _ended_well(provider, requests[-1], fault.runs)
        if PROSE not in "".join(str(event.get("text", "")) for event in ended.named("text")):
            found.append("the text of the last answer isn't printed whole")
    found += server.judged()[len(before) :]
    return [*found, *(f"body| {request.raw.decode()[-1500:]}" for request in requests), ended.tail()] if found else []


def _ended_well(provider: str, last: Request, runs: bool) -> list[str]:
    """One call, as if nothing had happened, with its result, or the error that it is answered with."""
    asked, given = pairing.calls(provider, last.body), pairing.answers(provider, last.body)
    if (len(asked), len(given)) != (1, 1):
        return [f"the last request has {len(asked)} calls and {len(given)} answers, not one of each"]
    if runs != ("24.5" in given[0].text):
        return [f"the call is answered with {given[0].text!r}"]
    if not runs and "error" not in given[0].text:
        return [f"the call can't be run and is answered with {given[0].text!r}"]
    return []


# ---------------------------------------------------------------------------------------------------- Bedrock, Ollama


def _answer(status: str, body: str, headers: str = "", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n"
    return f"{head}content-length: {size}\r\n{headers}\r\n{body}".encode()


REFUSED = json.dumps({"message": "Too many requests", "error": "too many requests"})
SOME = json.dumps({"model": "qwen3", "message": {"role": "assistant", "content": "All is"}, "done": False})

# The answer, and the seconds that it asks the client to wait.
IN_PLACE = {
    "a 429 is waited out for as long as it says": (_answer("429 Too Many Requests", REFUSED, "retry-after: 1\r\n"), 1.0),
    "a 500 is tried again": (_answer("500 Internal Server Error", REFUSED), 0.0),
}

# Streamed it ends cleanly, and without its end; plain before the length that it has promised.
BROKEN = {
    ("bedrock", False): _answer("200 OK", '{"output": {"message": {"role": "assistant", "content": [{"text": "All', length=4096),
    ("bedrock", True): _answer("200 OK", ""),
    ("ollama", False): _answer("200 OK", '{"message": {"role": "assistant", "content": "All', length=4096),
    ("ollama", True): _answer("200 OK", SOME + "\n"),
}


def in_place(exe: str, server: servers.Server) -> list[Test]:
    found = []
    for (provider, streamed), broken in BROKEN.items():
        for name, (answer, wait) in {**IN_PLACE, "an answer that breaks off is made again": (broken, 0.0)}.items():
            found.append(
                Test(
                    f"{provider}, {'streamed' if streamed else 'plain'}: {name}",
                    lambda provider=provider, streamed=streamed, answer=answer, wait=wait: _in_place(
                        exe, server, provider, streamed, answer, wait
                    ),
                )
            )
    return found


def _in_place(exe: str, server: servers.Server, provider: str, streamed: bool, answer: bytes, wait: float) -> list[str]:
    headers = {"x-aimock-context": "parallel", "x-test-id": f"fault-{provider}-{streamed}-{hash(answer)}"}
    with Recorder(server.port, headers, [answer]) as recorder:
        base_url = f"http://127.0.0.1:{recorder.port}{ROOTS[provider]}"
        ended = program.run(exe, provider, base_url, streamed, QUICK, "Compare the three.")
        requests = list(recorder.requests)
    found = ended.findings() + bodies(provider, requests)
    if ended.status != 0:
        found.append(f"it ended with status {ended.status}")
    if len(requests) != 3:
        found.append(f"there were {len(requests)} requests, not 3")
    elif (waited := requests[1].at - requests[0].at) < wait:
        found.append(f"it asked again after {waited:.2f} s, and should wait for {wait} s")
    return [*found, ended.tail()] if found else []
