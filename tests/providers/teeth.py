"""The checks must find what is wrong: bodies that were sent and are right, broken on purpose.

Each breakage is one that a renderer with a fault makes. One that no check finds is a failure of the checks.
"""

import copy
from collections.abc import Callable
from typing import Any

import pairing
import shapes
from conversations import Recorded
from recorder import Request
from report import Test

Body = dict[str, Any]


def tests(recorded: list[Recorded]) -> list[Test]:
    """For each provider and breakage a test, on a body of the provider's with two answers or more."""
    found = []
    for provider in sorted({each.provider for each in recorded}):
        request = _richest(provider, [request for each in recorded if each.provider == provider for request in each.requests])
        path = request.path.partition("?")[0]
        for name, (apply, by) in BREAKAGES.items():
            if _applies(provider, name):
                found.append(
                    Test(
                        f"{provider}: {name} is found",
                        lambda provider=provider, request=request, path=path, apply=apply, by=by: _found(
                            provider, request, path, apply, by
                        ),
                    )
                )
    return found


def _found(provider: str, request: Request, path: str, apply: Callable[[str, Body], None], by: str) -> list[str]:
    body = copy.deepcopy(request.body)
    apply(provider, body)
    if body == request.body:
        return ["the body was not changed"]
    if by == "shape":
        findings = shapes.findings(provider, body, path, request.streamed)
    else:
        findings = [finding for finding in pairing.findings(provider, body) if not finding.startswith("turnsafe")]
        # It knows two formats by itself, in which it must agree.
        if provider in ("openai", "anthropic") and by == "turnsafe" and not pairing.by_turnsafe(provider, body):
            return ["`turnsafe` doesn't find it", str(body)[:4000]]
    return [] if findings else ["nothing is found", str(body)[:4000]]


# ---------------------------------------------------------------------------------------------------------- breakages


def _drop(provider: str, body: Body) -> None:
    """An acknowledgement that is never sent."""
    holder, places = _answers(provider, body)
    del holder[places[0]]


def _twice(provider: str, body: Body) -> None:
    holder, places = _answers(provider, body)
    holder.insert(places[0] + 1, copy.deepcopy(holder[places[0]]))


def _late(provider: str, body: Body) -> None:
    """A late result that is sent as one more answer to its call, at the end."""
    holder, places = _answers(provider, body)
    answer = copy.deepcopy(holder[places[0]])
    history = _history(provider, body)
    if holder is history:
        history.append(answer)
    else:
        history.append({**_user(provider, ""), _content(provider): [answer]})


def _between(provider: str, body: Body) -> None:
    """What the user says meanwhile, put between the calls and their answers."""
    history = _history(provider, body)
    holder, places = _answers(provider, body)
    at = places[0] if holder is history else next(i for i, m in enumerate(history) if m.get(_content(provider)) is holder)
    history.insert(at, _user(provider, "And meanwhile?"))


def _text_first(provider: str, body: Body) -> None:
    holder, _ = _answers(provider, body)
    holder.insert(0, _user(provider, "Here you are.")[_content(provider)][0])


def _text_after(provider: str, body: Body) -> None:
    holder, _ = _answers(provider, body)
    holder.append(_user(provider, "Go on, please.")[_content(provider)][0])


def _stranger(provider: str, body: Body) -> None:
    """An answer to a call that nobody made."""
    holder, places = _answers(provider, body)
    answer = holder[places[0]]
    if provider == "openai":
        answer["tool_call_id"] = "call_unknown"
    elif provider in ("openai-responses", "openai-native"):
        answer["call_id"] = "call_unknown"
    elif provider == "anthropic":
        answer["tool_use_id"] = "toolu_unknown"
    elif provider == "bedrock":
        answer["toolResult"]["toolUseId"] = "tooluse_unknown"
    elif provider == "gemini":
        answer["functionResponse"]["name"] = "unknown"
    elif provider == "ollama":
        answer["tool_name"] = "unknown"


def _unknown_field(provider: str, body: Body) -> None:
    """Deep inside: what is closed at the root alone would not see it."""
    holder, places = _answers(provider, body)
    answer = holder[places[0]]
    {"bedrock": answer.get("toolResult"), "gemini": answer.get("functionResponse")}.get(provider, answer)["is_late"] = True


def _wrong_type(provider: str, body: Body) -> None:
    holder, places = _answers(provider, body)
    answer = holder[places[0]]
    key = {"openai-responses": "output", "openai-native": "output", "gemini": "response"}.get(provider, "content")
    {"bedrock": answer.get("toolResult"), "gemini": answer.get("functionResponse")}.get(provider, answer)[key] = 7


def _last_word(provider: str, body: Body) -> None:
    """The model's turn at the end: asked again when nothing is new."""
    told = _user(provider, "I am done.")
    told["role"] = "model" if provider == "gemini" else "assistant"
    if provider in ("openai-responses", "openai-native"):
        told = {"role": "assistant", "content": "I am done."}
    _history(provider, body).append(told)


def _no_tools(_: str, body: Body) -> None:
    body.pop("toolConfig")


# The name, how it is done, and which checks must find it. `turnsafe` beside ours where it knows the rule.
BREAKAGES: dict[str, tuple[Callable[[str, Body], None], str]] = {
    "an acknowledgement that is dropped": (_drop, "turnsafe"),
    "a call that is answered twice": (_twice, "turnsafe"),
    "a late result that is sent as a second answer": (_late, "turnsafe"),
    "a message between calls and answers": (_between, "turnsafe"),
    "text before the answers": (_text_first, "turnsafe"),
    "text after the answers": (_text_after, "ours"),
    "an answer to a call that nobody made": (_stranger, "turnsafe"),
    "a last word of the model's": (_last_word, "ours"),
    "a history with tools and no `toolConfig`": (_no_tools, "ours"),
    "a field that the provider doesn't know": (_unknown_field, "shape"),
    "a value of a wrong type": (_wrong_type, "shape"),
}


def _applies(provider: str, name: str) -> bool:
    if name in ("text before the answers", "text after the answers"):
        return provider in pairing.IN_BLOCKS
    if name == "a history with tools and no `toolConfig`":
        return provider == "bedrock"
    # There a call may stay open, and anything may stand between it and its answer.
    if name in ("an acknowledgement that is dropped", "a message between calls and answers"):
        return provider != "openai-native"
    return True


# ------------------------------------------------------------------------------------------------ places in the bodies


def _richest(provider: str, requests: list[Request]) -> Request:
    """A request with as many answers as any, of which the first has company."""
    return max(requests, key=lambda request: (len(pairing.answers(provider, request.body)), len(request.raw)))


def _history(provider: str, body: Body) -> list[Any]:
    return body[{"gemini": "contents", "openai-responses": "input", "openai-native": "input"}.get(provider, "messages")]


def _content(provider: str) -> str:
    return "parts" if provider == "gemini" else "content"


def _answers(provider: str, body: Body) -> tuple[list[Any], list[int]]:
    """The list that holds the first answers, and their places in it."""
    history = _history(provider, body)
    if provider in pairing.IN_BLOCKS:
        key = {"anthropic": "type", "bedrock": "toolResult", "gemini": "functionResponse"}[provider]
        for message in history:
            blocks = message.get(_content(provider))
            places = [
                at
                for at, block in enumerate(blocks if isinstance(blocks, list) else [])
                if (block.get("type") == "tool_result" if provider == "anthropic" else key in block)
            ]
            if places:
                return blocks, places
    else:
        places = [
            at
            for at, item in enumerate(history)
            if item.get("role") == "tool" or item.get("type") == "function_call_output"
        ]
        if places:
            return history, places
    raise AssertionError("the body has no answers")


def _user(provider: str, text: str) -> Body:
    if provider == "gemini":
        return {"role": "user", "parts": [{"text": text}]}
    if provider == "bedrock":
        return {"role": "user", "content": [{"text": text}]}
    if provider == "anthropic":
        return {"role": "user", "content": [{"type": "text", "text": text}]}
    return {"role": "user", "content": text}
