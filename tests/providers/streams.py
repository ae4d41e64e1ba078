"""Streams that compatible servers send, each seen in public reports: which calls run, and how they are answered.

A server of this file plays the exact bytes. Its first answer is the case's, each later one is a text. The tools of
the program stand in for those of the reports: `get_weather` for one that acts, `search` for one that has a default.
"""

import json
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

import pairing
import program
from conversations import ROOTS
from report import Test

Call = tuple[str, str]  # the tool, and its argument

PARIS, OSLO, ROME = ("get_weather", "Paris"), ("get_weather", "Oslo"), ("get_weather", "Rome")
SNOW = ("search", "snow")
# What the result of a call is recognised by.
RESULTS = {PARIS: "drizzle", OSLO: "-3.5", ROME: "19.5", SNOW: "Packing for snow"}
# Late results would be told elsewhere; the grace ends when all are there.
QUICK = ["--delays", "get_weather=0.01,search=0.01", "--grace", "3", "--retries", "1"]


@dataclass(frozen=True)
class Case:
    name: str  # as a sentence
    events: list[dict[str, Any]]
    runs: list[Call]
    fails: bool = False  # the turn, which is then asked for again
    bom: bool = False


def _city(call: Call) -> str:
    return json.dumps({"query" if call[0] == "search" else "city": call[1]})


# ----------------------------------------------------------------------------------------------- OpenAI Chat Completions


def _chat(*chunks: list[dict[str, Any]], reason: str = "tool_calls") -> list[dict[str, Any]]:
    """A stream with these contents of `tool_calls`, one chunk each."""
    whole = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None}, *({"tool_calls": calls} for calls in chunks)]
    events = [{**whole, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    return [*events, {**whole, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}]


def _function(call: Call, **more: Any) -> dict[str, Any]:
    return {**more, "type": "function", "function": {"name": call[0], "arguments": _city(call)}}


def _again(index: int, ident: Any, name: str, arguments: str) -> dict[str, Any]:
    return {"index": index, "id": ident, "function": {"name": name, "arguments": arguments}}


def _fragment(index: int, name: str, arguments: str, **more: Any) -> dict[str, Any]:
    return {**more, "index": index, "function": {"name": name, "arguments": arguments}}


CHAT = [
    Case("a: a call without an index runs", _chat([_function(PARIS, id="c1")]), [PARIS]),
    Case("a: a call with the index null runs", _chat([_function(PARIS, id="c1", index=None)]), [PARIS]),
    Case("a: two calls without an index run", _chat([_function(PARIS, id="c1")], [_function(OSLO, id="c2")]), [PARIS, OSLO]),
    Case(
        "b: two calls under one id run",
        _chat([_function(PARIS, index=0, id="dup")], [_function(OSLO, index=1, id="dup")]),
        [PARIS, OSLO],
    ),
    Case(
        "b: two calls under an empty id run",
        _chat([_function(PARIS, index=0, id="")], [_function(OSLO, index=1, id="")]),
        [PARIS, OSLO],
    ),
    Case(
        "c: the name again, with no id, is no second call",
        _chat([_function(PARIS, index=0, id="c1")], [_again(0, None, "get_weather", "")]),
        [PARIS],
    ),
    Case(
        "d: the name in every fragment is one call",
        _chat(
            [_fragment(0, "get_weather", "", id="c1")],
            [_fragment(0, "get_weather", '{"city":')],
            [_fragment(0, "get_weather", '"Paris"}')],
        ),
        [PARIS],
    ),
    Case(
        "e: arguments as an object are taken",
        _chat([{"index": 0, "id": "c1", "function": {"name": "search", "arguments": {"query": "snow"}}}]),
        [SNOW],
    ),
    Case(
        "f: three calls with index 0 run",
        _chat(*([_function(call, index=0, id=f"c{place}")] for place, call in enumerate((PARIS, OSLO, ROME)))),
        [PARIS, OSLO, ROME],
    ),
    Case("calls as the reason, without a call, are an error", _chat(), [], fails=True),
    Case("a byte order mark is no trouble", _chat([_function(PARIS, index=0, id="c1")]), [PARIS], bom=True),
]


# ------------------------------------------------------------------------------------------------------ OpenAI Responses


def _item(call: Call, **more: Any) -> dict[str, Any]:
    return {"type": "function_call", "name": call[0], "arguments": _city(call), **more}


def _done(index: int | None, item: dict[str, Any]) -> dict[str, Any]:
    place = {} if index is None else {"output_index": index}
    return {"type": "response.output_item.done", **place, "item": item}


def _responses(*events: dict[str, Any], output: tuple[dict[str, Any], ...] = (), **more: Any) -> list[dict[str, Any]]:
    whole = {"id": "resp_1", "object": "response", "status": "completed", "output": list(output), **more}
    return [*events, {"type": "response.completed", "response": whole}]


_ONE, _TWO = _item(PARIS, id="fc_1", call_id="c1"), _item(OSLO, id="fc_2", call_id="c2")

RESPONSES = [
    Case("two items at one index run", _responses(_done(0, _ONE), _done(0, _TWO)), [PARIS, OSLO]),
    Case("items without an index run", _responses(_done(None, _ONE), _done(None, _TWO)), [PARIS, OSLO]),
    Case("an item that is done twice runs once", _responses(_done(0, _ONE), _done(0, _ONE), output=(_ONE,)), [PARIS]),
    Case(
        "an index that is not the last one is no second call",
        _responses(_done(3, _ONE), _done(5, _TWO), output=(_ONE, _TWO)),
        [PARIS, OSLO],
    ),
    Case(
        "arguments as an object are taken",
        _responses(_done(0, {**_ONE, "arguments": {"city": "Paris"}}), output=(_ONE,)),
        [PARIS],
    ),
    Case("two calls under one id run", _responses(_done(0, _ONE), _done(1, {**_TWO, "call_id": "c1"})), [PARIS, OSLO]),
    Case("calls without ids run", _responses(_done(0, _item(PARIS)), _done(1, _item(OSLO, call_id=""))), [PARIS, OSLO]),
    Case("calls as the reason, without a call, are an error", _responses(finish_reason="tool_calls"), [], fails=True),
    Case(
        "a call that is announced and never done is an error",
        _responses({"type": "response.output_item.added", "output_index": 0, "item": {**_ONE, "arguments": ""}}),
        [],
        fails=True,
    ),
    Case("a byte order mark is no trouble", _responses(_done(0, _ONE)), [PARIS], bom=True),
]


# ----------------------------------------------------------------------------------------------------- Anthropic Messages


def _start(index: int, call: Call, ident: str, whole: bool) -> dict[str, Any]:
    block = {"type": "tool_use", "id": ident, "name": call[0], "input": json.loads(_city(call)) if whole else {}}
    return {"type": "content_block_start", "index": index, "content_block": block}


def _piece(index: int, text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": text}}


def _stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def _messages(*events: dict[str, Any], reason: str = "tool_use") -> list[dict[str, Any]]:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None}
    message |= {"stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}}
    end = {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": {"output_tokens": 1}}
    return [{"type": "message_start", "message": message}, *events, end, {"type": "message_stop"}]


ANTHROPIC = [
    Case("the whole input at the start of a block is taken", _messages(_start(0, PARIS, "toolu_1", True), _stop(0)), [PARIS]),
    Case(
        "two calls under one id run",
        _messages(
            *(_start(0, PARIS, "toolu_1", False), _piece(0, _city(PARIS)), _stop(0)),
            *(_start(1, OSLO, "toolu_1", False), _piece(1, _city(OSLO)), _stop(1)),
        ),
        [PARIS, OSLO],
    ),
    Case(
        "blocks that are interleaved keep their pieces",
        _messages(
            *(_start(0, PARIS, "toolu_1", False), _start(1, OSLO, "toolu_2", False), _piece(0, '{"city":')),
            *(_piece(1, '{"city": "O'), _piece(0, '"Paris"}'), _piece(1, 'slo"}'), _stop(1), _stop(0)),
        ),
        [PARIS, OSLO],
    ),
    Case("calls as the reason, without a call, are an error", _messages(), [], fails=True),
]

SAID = "All is well."


def _said(provider: str) -> list[dict[str, Any]]:
    """A turn that says `SAID`."""
    if provider == "openai":
        events = _chat(reason="stop")
        events[0]["choices"][0]["delta"]["content"] = SAID
        return events
    if provider == "anthropic":
        block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        piece = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": SAID}}
        return _messages(block, piece, _stop(0), reason="end_turn")
    content = [{"type": "output_text", "text": SAID, "annotations": []}]
    return _responses(_done(0, {"type": "message", "id": "msg_1", "role": "assistant", "content": content}))


def _bytes(provider: str, events: list[dict[str, Any]], bom: bool = False) -> bytes:
    named = provider != "openai"
    lines = [(f"event: {event['type']}\n" if named else "") + f"data: {json.dumps(event)}\n\n" for event in events]
    end = "data: [DONE]\n\n" if provider == "openai" else ""
    return ("\ufeff" if bom else "").encode() + "".join([*lines, end]).encode()


class Played:
    """A server that plays one stream, and then texts. It keeps the bodies of the requests."""

    def __init__(self, provider: str, case: Case) -> None:
        self.bodies: list[dict[str, Any]] = []
        first, later = _bytes(provider, case.events, case.bom), _bytes(provider, _said(provider))
        played, lock = self, Lock()

        class Playing(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("content-length", "0"))))
                with lock:
                    played.bodies.append(body)
                    answer = first if len(played.bodies) == 1 else later
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Playing)
        self.port = self._server.server_port

    def __enter__(self) -> "Played":
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def tests(exe: str) -> list[Test]:
    played = [("openai", CHAT), ("openai-responses", RESPONSES), ("openai-native", RESPONSES), ("anthropic", ANTHROPIC)]
    return [
        Test(f"{provider}, streamed: {case.name}", lambda provider=provider, case=case: _run(exe, provider, case))
        for provider, cases in played
        for case in cases
    ]


def _run(exe: str, provider: str, case: Case) -> list[str]:
    with Played(provider, case) as server:
        base_url = f"http://127.0.0.1:{server.port}{ROOTS[provider]}"
        ended = program.run(exe, provider, base_url, True, QUICK, "How is it there?", limit=30)
    found = ended.findings()
    if ended.status != 0:
        found.append(f"it ended with status {ended.status}")
    if bool(ended.named("turn_failed")) != case.fails:
        found.append(f"the turn {'has not failed' if case.fails else 'has failed'}: {ended.named('turn_failed')}")
    if case.runs or not case.fails:
        found += _ran(ended, case.runs)
        found += _answered(provider, server.bodies[-1], case.runs)
    elif ended.named("started"):
        found.append(f"a call was started: {ended.named('started')}")
    if not any(SAID in str(event.get("text", "")) for event in ended.named("turn_ended")):
        found.append("the text behind the results isn't told")
    shown = [f"body {place}| {json.dumps(body)[-1500:]}" for place, body in enumerate(server.bodies)]
    return [*found, *shown, ended.tail()] if found else []


def _ran(ended: program.Run, wanted: list[Call]) -> list[str]:
    """Each call runs once, with its own arguments."""
    arguments = {event["task"]: event["arguments"] for event in ended.named("call")}
    started: Counter[Call] = Counter()
    for event in ended.named("started"):
        given = arguments.get(event["task"])
        given = json.loads(given) if isinstance(given, str) else given
        started[event["tool"], str(next(iter((given or {}).values()), None))] += 1
    return [] if started == Counter(wanted) else [f"{dict(started)} were started, and should be {wanted}"]


def _answered(provider: str, last: dict[str, Any], wanted: list[Call]) -> list[str]:
    """Each call is in the last request, with its result, under an id of its own or of the server's."""
    asked, given = pairing.calls(provider, last), pairing.answers(provider, last)
    found = []
    if (len(asked), len(given)) != (len(wanted), len(wanted)):
        found.append(f"there are {len(asked)} calls and {len(given)} answers, not {len(wanted)} of each")
    if Counter(call.id for call in asked) != Counter(answer.id for answer in given):
        found.append(f"the calls are {[call.id for call in asked]}, and the answers are for {[answer.id for answer in given]}")
    for call in wanted:
        if sum(RESULTS[call] in answer.text for answer in given) != 1:
            found.append(f"the result of {call} isn't in exactly one answer")
    return found
