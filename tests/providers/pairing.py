"""Order and pairing of calls and answers in a request body: what no server for tests checks, and every provider does.

Each provider's body is read into one form, `Message`s of `Part`s. The rules are those of the vendors' pages; where
`turnsafe` knows the format it is asked as well, and for the other formats it is asked about the same history in the
format next to it.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import turnsafe

# The answers to calls are blocks of the one message after them; elsewhere each is a message (an item) of its own.
IN_BLOCKS = ("anthropic", "bedrock", "gemini")

# The program's tools that run in the background.
BACKGROUND = ("get_weather", "search")


@dataclass(frozen=True)
class Part:
    kind: str  # "text", "call", "answer", "reasoning" or "other"
    id: str = ""  # of the call, or of the call that is answered
    name: str = ""
    text: str = ""


@dataclass
class Message:
    role: str  # "system", "user", "assistant" or "tool"
    parts: list[Part] = field(default_factory=list)

    def of(self, kind: str) -> list[Part]:
        return [part for part in self.parts if part.kind == kind]


def findings(provider: str, body: dict[str, Any]) -> list[str]:
    """What is wrong with the order or the pairing of `body`."""
    messages = read(provider, body)
    found = list(_open_calls(messages)) if provider == "openai-native" else list(_closed_calls(provider, messages))
    found += _ids(provider, messages)
    found += _ends(provider, messages)
    found += _of_the_provider(provider, body, messages)
    if provider != "openai-native":
        found += by_turnsafe(provider, body)
    return found


def by_turnsafe(provider: str, body: dict[str, Any]) -> list[str]:
    """The verdict of `turnsafe`, of which a warning counts as well."""
    if provider in ("openai", "anthropic"):
        history = body["messages"]
    else:
        history = _translated(provider, read(provider, body))
    known = "anthropic" if provider in IN_BLOCKS else "openai"
    return [f"turnsafe: {violation}" for violation in turnsafe.validate(history, provider=known).violations]


def user_texts(provider: str, body: dict[str, Any]) -> str:
    """All that the model is told in the user's role."""
    return "\n".join(part.text for message in read(provider, body) if message.role == "user" for part in message.of("text"))


def answers(provider: str, body: dict[str, Any]) -> list[Part]:
    return [part for message in read(provider, body) for part in message.of("answer")]


def calls(provider: str, body: dict[str, Any]) -> list[Part]:
    return [part for message in read(provider, body) for part in message.of("call")]


# -------------------------------------------------------------------------------------------------------------- rules


def _closed_calls(provider: str, messages: list[Message]) -> Any:
    """Every call has exactly one answer, directly after it."""
    answered: set[int] = set()
    for place, message in enumerate(messages):
        asked = message.of("call") if message.role == "assistant" else []
        if not asked:
            continue
        zone = _zone(provider, messages, place)
        given = [part.id for at in zone for part in messages[at].of("answer")]
        answered.update(zone)
        for call in asked:
            if given.count(call.id) == 0:
                yield f"pairing: call {call.id} ({call.name}) of message {place} has no answer directly after it"
            if given.count(call.id) > 1:
                yield f"pairing: call {call.id} ({call.name}) of message {place} is answered {given.count(call.id)} times"
        for stray in sorted(set(given) - {call.id for call in asked}):
            yield f"pairing: an answer after message {place} is for {stray}, which that message doesn't call"
        if len(given) != len(asked):
            yield f"pairing: message {place} has {len(asked)} calls and {len(given)} answers directly after it"
        if provider == "gemini":
            names = [part.name for at in zone for part in messages[at].of("answer")]
            if sorted(names) != sorted(call.name for call in asked):
                yield f"pairing: the answers after message {place} are of {names}, the calls of {[c.name for c in asked]}"
    for place, message in enumerate(messages):
        if message.of("answer") and place not in answered:
            late = ", ".join(part.id for part in message.of("answer"))
            yield f"pairing: message {place} answers {late}, and doesn't follow a message that calls"
        if provider in IN_BLOCKS and message.of("answer") and message.of("text"):
            first = message.parts[0].kind
            what = "text before answers" if first == "text" else "answers and text in one message"
            yield f"order: message {place} has {what}"


def _open_calls(messages: list[Message]) -> Any:
    """A call may stay open. Its answer comes at any time after it, and once."""
    asked: set[str] = set()
    given: set[str] = set()
    for place, message in enumerate(messages):
        for part in message.parts:
            if part.kind == "call":
                asked.add(part.id)
            elif part.kind == "answer":
                if part.id not in asked:
                    yield f"pairing: item {place} answers {part.id}, which isn't called before it"
                if part.id in given:
                    yield f"pairing: item {place} answers {part.id} a second time"
                given.add(part.id)
    # Only calls of tools that run in the background may wait.
    for place, message in enumerate(messages):
        zone = _zone("openai-native", messages, place)
        at_once = {part.id for at in zone for part in messages[at].of("answer")}
        for call in message.of("call"):
            if call.name not in BACKGROUND and call.id not in at_once:
                yield f"pairing: call {call.id} ({call.name}) of item {place} has no answer directly after it"


def _zone(provider: str, messages: list[Message], place: int) -> list[int]:
    if provider in IN_BLOCKS:
        return [place + 1] if place + 1 < len(messages) and messages[place + 1].role in ("user", "tool") else []
    zone = []
    while (place := place + 1) < len(messages) and messages[place].role == "tool":
        zone.append(place)
    return zone


def _ids(provider: str, messages: list[Message]) -> list[str]:
    ids = [part.id for message in messages for part in message.of("call")]
    found = [f"pairing: {twice} is the id of {ids.count(twice)} calls" for twice in sorted(set(ids)) if ids.count(twice) > 1]
    if "" in ids:
        found.append("pairing: a call has no id")
    if provider in ("openai-responses", "openai-native"):
        items = [part.id for message in messages for part in message.of("answer") if part.id.startswith("fc_")]
        found += [f"pairing: {item} is the id of an item, not of a call" for item in items]
    return found


def _ends(provider: str, messages: list[Message]) -> list[str]:
    spoken = [message for message in messages if message.role != "system"]
    if not spoken:
        return ["order: nothing is said"]
    found = []
    if spoken[-1].role == "assistant":
        found.append("order: the assistant has the last word, so that there is nothing to answer")
    if provider in IN_BLOCKS and (spoken[0].role != "user" or spoken[0].of("answer")):
        found.append("order: the history must begin with what the user says")
    for place, message in enumerate(messages):
        if not message.parts:
            found.append(f"order: message {place} ({message.role}) is empty")
        if any(not part.text.strip() for part in message.of("text")) and provider in IN_BLOCKS:
            found.append(f"order: message {place} ({message.role}) has an empty text")
    return found


def _of_the_provider(provider: str, body: dict[str, Any], messages: list[Message]) -> list[str]:
    found = []
    if provider in ("bedrock", "gemini"):
        for place in range(1, len(messages)):
            if messages[place].role == messages[place - 1].role:
                found.append(f"order: messages {place - 1} and {place} are both of {messages[place].role}; roles must alternate")
    if provider == "bedrock" and any(m.of("call") or m.of("answer") for m in messages) and "toolConfig" not in body:
        found.append("order: the history has tool blocks, so that `toolConfig` is required")
    if provider in ("openai-responses", "openai-native"):
        items = body["input"] if isinstance(body["input"], list) else []
        for place, item in enumerate(items):
            after = items[place + 1] if place + 1 < len(items) else {}
            follows = after.get("type") in ("reasoning", "function_call") or after.get("role") == "assistant"
            if item.get("type") == "reasoning" and not follows:
                found.append(f"order: the reasoning of item {place} isn't followed by what it led to")
        if body.get("previous_response_id") and any(message.of("call") for message in messages):
            found.append("order: with `previous_response_id` the calls must not be sent again")
    if provider == "openai-native":
        # Tools that run in the background are declared so; the `task` tool is answered at once.
        for tool in body.get("tools", []):
            if tool.get("async", False) != (tool["name"] in BACKGROUND):
                found.append(f"order: the tool {tool['name']} says that it is `async`: {tool.get('async', False)}")
    return found


# --------------------------------------------------------------------------------------------------- from one request to the next


def continuity(provider: str, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What keeps `after` from beginning with the bytes of `before`, which is what prompt caches live on.

    Cache markers move, and are left out. The last message may have grown where roles must alternate.
    """
    found = []
    for key in ("tools", "toolConfig", "system", "systemInstruction", "instructions"):
        if _bytes(before.get(key)) != _bytes(after.get(key)):
            found.append(f"prefix: `{key}` is not the same in two consecutive requests")
    old, new = _history(provider, before), _history(provider, after)
    for place, message in enumerate(old):
        if place >= len(new):
            found.append(f"prefix: message {place} of the request before is gone")
            break
        if _bytes(message) == _bytes(new[place]):
            continue
        if place == len(old) - 1 and _grown(_bare(message), _bare(new[place])):
            continue
        found.append(f"prefix: message {place} was {_bytes(message)[:300]} and is now {_bytes(new[place])[:300]}")
        break
    return found


def _history(provider: str, body: dict[str, Any]) -> list[Any]:
    key = {"gemini": "contents", "openai-responses": "input", "openai-native": "input"}.get(provider, "messages")
    history = body[key]
    return history if isinstance(history, list) else [history]


def _grown(old: Any, new: Any) -> bool:
    for key in ("content", "parts"):
        if isinstance(old, dict) and isinstance(old.get(key), list) and isinstance(new.get(key), list):
            return old.get("role") == new.get("role") and new[key][: len(old[key])] == old[key]
    return False


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        bare = {key: _bare(each) for key, each in value.items() if key != "cache_control"}
        # At Anthropic a text is short for one block of it, and it takes a block to hold a marker.
        if isinstance(bare.get("content"), str) and set(bare) == {"role", "content"}:
            bare["content"] = [{"type": "text", "text": bare["content"]}]
        return bare
    if isinstance(value, list):
        return [_bare(each) for each in value if not (isinstance(each, dict) and set(each) == {"cachePoint"})]
    return value


def _bytes(value: Any) -> str:
    # Not sorted: the order of keys is part of what is cached.
    return json.dumps(_bare(value))


# ------------------------------------------------------------------------------------------------------------ reading


def read(provider: str, body: dict[str, Any]) -> list[Message]:
    return {
        "openai": _read_chat,
        "openai-responses": _read_responses,
        "openai-native": _read_responses,
        "anthropic": _read_anthropic,
        "gemini": _read_gemini,
        "bedrock": _read_bedrock,
        "ollama": _read_ollama,
    }[provider](body)


def _texts(content: Any) -> list[Part]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [Part("text", text=content)]
    return [Part("text", text=block["text"]) if "text" in block else Part("other") for block in content]


def _read_chat(body: dict[str, Any]) -> list[Message]:
    messages = []
    for raw in body["messages"]:
        role = "system" if raw["role"] in ("system", "developer") else raw["role"]
        if role == "tool":
            messages.append(Message("tool", [Part("answer", raw.get("tool_call_id", ""), text=json.dumps(raw.get("content")))]))
            continue
        parts = _texts(raw.get("content"))
        for call in raw.get("tool_calls") or []:
            parts.append(Part("call", call.get("id", ""), call["function"]["name"], call["function"]["arguments"]))
        messages.append(Message(role, parts))
    return messages


def _read_ollama(body: dict[str, Any]) -> list[Message]:
    """The wire has no ids: calls are numbered, and answers belong to the calls before them in their order."""
    messages: list[Message] = []
    number, waiting = 0, []
    for raw in body["messages"]:
        if raw["role"] == "tool":
            ident, name = waiting.pop(0) if waiting else ("none", "")
            if raw.get("tool_name") not in (None, name):
                ident = f"{ident} by the name of {raw['tool_name']}"
            messages.append(Message("tool", [Part("answer", ident, name, json.dumps(raw.get("content")))]))
            continue
        parts = _texts(raw.get("content"))
        if raw.get("thinking"):
            parts.insert(0, Part("reasoning", text=raw["thinking"]))
        if raw["role"] != "tool":
            waiting = []
        for call in raw.get("tool_calls") or []:
            number += 1
            function = call["function"]
            parts.append(Part("call", f"call {number}", function["name"], json.dumps(function["arguments"])))
            waiting.append((f"call {number}", function["name"]))
        messages.append(Message(raw["role"], parts))
    return messages


def _read_responses(body: dict[str, Any]) -> list[Message]:
    """Items, put together as chat messages are: what the model says and calls in one go is one message."""
    messages: list[Message] = []

    def add(role: str, part: Part) -> None:
        if role == "assistant" and messages and messages[-1].role == role:
            messages[-1].parts.append(part)
        else:
            messages.append(Message(role, [part]))

    items = body["input"]
    for raw in [{"role": "user", "content": items}] if isinstance(items, str) else items:
        kind = raw.get("type", "message")
        if kind == "function_call":
            add("assistant", Part("call", raw["call_id"], raw["name"], raw["arguments"]))
        elif kind == "function_call_output":
            add("tool", Part("answer", raw["call_id"], text=json.dumps(raw["output"])))
        elif kind == "reasoning":
            add("assistant", Part("reasoning"))
        elif kind == "message":
            role = "system" if raw["role"] in ("system", "developer") else raw["role"]
            texts = _texts(raw["content"])
            if role != "assistant":
                messages.append(Message(role, texts))
            for part in texts if role == "assistant" else []:
                add(role, part)
        else:
            add("assistant", Part("other"))
    return messages


def _read_anthropic(body: dict[str, Any]) -> list[Message]:
    def part(block: dict[str, Any]) -> Part:
        kind = block["type"]
        if kind == "text":
            return Part("text", text=block["text"])
        if kind == "tool_use":
            return Part("call", block["id"], block["name"], json.dumps(block["input"]))
        if kind == "tool_result":
            return Part("answer", block["tool_use_id"], text=json.dumps(block.get("content")))
        return Part("reasoning" if kind in ("thinking", "redacted_thinking") else "other")

    messages = []
    for raw in body["messages"]:
        content = raw["content"]
        parts = [Part("text", text=content)] if isinstance(content, str) else [part(block) for block in content]
        messages.append(Message(raw["role"], parts))
    return messages


def _read_bedrock(body: dict[str, Any]) -> list[Message]:
    def part(block: dict[str, Any]) -> Part:
        if "text" in block:
            return Part("text", text=block["text"])
        if use := block.get("toolUse"):
            return Part("call", use["toolUseId"], use["name"], json.dumps(use["input"]))
        if result := block.get("toolResult"):
            return Part("answer", result["toolUseId"], text=json.dumps(result["content"]))
        return Part("reasoning" if "reasoningContent" in block else "other")

    return [
        Message(raw["role"], [part(block) for block in raw["content"] if "cachePoint" not in block])
        for raw in body["messages"]
    ]


def _read_gemini(body: dict[str, Any]) -> list[Message]:
    """Ids are optional on this wire; without them answers belong to the calls before them in their order."""
    messages: list[Message] = []
    number, waiting = 0, []
    for raw in body["contents"]:
        role = {"model": "assistant", "function": "tool"}.get(raw.get("role", "user"), raw.get("role", "user"))
        message = Message(role)
        if role == "assistant":
            waiting = []
        for part in raw.get("parts") or []:
            if call := part.get("functionCall"):
                number += 1
                ident = call.get("id") or f"call {number}"
                waiting.append(ident)
                message.parts.append(Part("call", ident, call["name"], json.dumps(call.get("args"))))
            elif answer := part.get("functionResponse"):
                ident = answer.get("id") or (waiting.pop(0) if waiting else "none")
                message.parts.append(Part("answer", ident, answer["name"], json.dumps(answer.get("response"))))
            elif "text" in part:
                message.parts.append(Part("reasoning" if part.get("thought") else "text", text=part["text"]))
            else:
                message.parts.append(Part("other"))
        messages.append(message)
    return messages


def _translated(provider: str, messages: list[Message]) -> list[dict[str, Any]]:
    """The history in the format, of those that `turnsafe` knows, which is next to the provider's."""
    history: list[dict[str, Any]] = []
    for message in messages:
        if provider in IN_BLOCKS:
            blocks: list[dict[str, Any]] = []
            for part in message.parts:
                if part.kind == "text":
                    blocks.append({"type": "text", "text": part.text})
                elif part.kind == "call":
                    blocks.append({"type": "tool_use", "id": part.id, "name": part.name, "input": {}})
                elif part.kind == "answer":
                    blocks.append({"type": "tool_result", "tool_use_id": part.id, "content": part.text})
            history.append({"role": "user" if message.role == "tool" else message.role, "content": blocks})
        elif message.role == "tool":
            history.append({"role": "tool", "tool_call_id": message.parts[0].id, "content": message.parts[0].text})
        else:
            texts = "".join(part.text for part in message.of("text"))
            chat: dict[str, Any] = {"role": message.role, "content": texts or None}
            if asked := message.of("call"):
                chat["tool_calls"] = [
                    {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.text}}
                    for call in asked
                ]
            history.append(chat)
    return history
