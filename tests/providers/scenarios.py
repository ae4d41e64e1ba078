"""The conversations that aimock plays: what it says, what the user and the tools do meanwhile, and what must come of it."""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pairing
from program import Run

# What a tool's result is recognised by: an argument that stands nowhere else.
PARIS, NAIROBI, OSLO, TIDES = "Paris", "Nairobi", "Oslo", "tide tables"


@dataclass
class Seen:
    """A run, and the request bodies that it sent, oldest first."""

    provider: str
    run: Run
    bodies: list[dict[str, Any]]

    def first_late(self, mark: str, call: str) -> int | None:
        """The first request in which a call's late result is told."""
        return next((place for place, body in enumerate(self.bodies) if self.late(body, mark, call)), None)

    def late(self, body: dict[str, Any], mark: str, call: str) -> str:
        """A call's late result as `body` tells it: the row of a delivery, or its output where calls stay open.

        There it is a row as well for a call that was pruned away, to which an output would be one without a call.
        """
        tasks = [f'"task":"{event["task"]}"' for event in self.run.named("call") if mark in json.dumps(event["arguments"])]
        rows = [row for row in pairing.user_texts(self.provider, body).splitlines() if row.startswith("{")]
        rows = [row for row in rows if mark in row or any(task in row for task in tasks)]
        if self.provider == "openai-native":
            rows += [answer.text for answer in pairing.answers(self.provider, body) if answer.id == call]
        return "\n".join(rows)

    def answer(self, body: dict[str, Any], mark: str) -> str:
        """How the call with `mark` in its arguments is answered in `body`."""
        asked = [call.id for call in pairing.calls(self.provider, body) if mark in call.text]
        given = [answer.text for answer in pairing.answers(self.provider, body) if answer.id in asked]
        return "\n".join(given)

    def acknowledged(self, body: dict[str, Any], mark: str) -> bool:
        """Whether that answer only says that the call goes on, or the call is open."""
        answer = self.answer(body, mark)
        if self.provider == "openai-native":
            return answer == ""
        return re.search(r'"task\\*"', answer) is not None and re.search(r'"(running|queued)\\*"', answer.replace("\\", "")) is not None

    def said(self, text: str) -> int | None:
        """The first request that has `text` in the user's role."""
        told = (pairing.user_texts(self.provider, body) for body in self.bodies)
        return next((place for place, texts in enumerate(told) if text in texts), None)


@dataclass(frozen=True)
class Scenario:
    name: str  # as a sentence
    context: str  # by which aimock tells the scripts apart
    prompt: str
    options: list[str]
    script: list[dict[str, Any]]
    check: Callable[[Seen], list[str]]
    pruned: bool = False
    without: tuple[str, ...] = ()  # the providers for which it makes no sense


def call(ident: str, tool: str, **arguments: str) -> dict[str, Any]:
    return {"id": ident, "name": tool, "arguments": arguments}


def turn(number: int, response: dict[str, Any]) -> dict[str, Any]:
    """What the model says when it has spoken `number` times."""
    return {"match": {"turnIndex": number}, "response": response}


def on(said: str, answered: bool, response: dict[str, Any]) -> dict[str, Any]:
    """What the model says to a user's message, and after it: when its calls are answered."""
    return {"match": {"userMessage": said, "hasToolResult": answered}, "response": response}


def otherwise(text: str = "Noted.") -> dict[str, Any]:
    return {"match": {}, "response": {"content": text}}


def fixtures(scenarios: list["Scenario"]) -> str:
    scripts = []
    for scenario in scenarios:
        for entry in scenario.script:
            scripts.append({**entry, "match": {**entry["match"], "context": scenario.context}})
    return json.dumps({"fixtures": scripts}, indent=1)


# ------------------------------------------------------------------------------------------------------------- checks


def _out_of_order(seen: Seen) -> list[str]:
    found = _once(seen, (PARIS, "call_paris"), (TIDES, "call_tides"))
    if not found and not seen.first_late(TIDES, "call_tides") < seen.first_late(PARIS, "call_paris"):
        found.append("the result that was ready first is not the one that is told first")
    # Where calls stay open nothing is acknowledged, and the model is asked when there is something to tell.
    for mark in () if seen.provider == "openai-native" else (PARIS, TIDES):
        if not seen.acknowledged(seen.bodies[1], mark):
            found.append(f"the call for {mark} isn't acknowledged: {seen.answer(seen.bodies[1], mark)!r}")
    return found


def _user_between(seen: Seen) -> list[str]:
    found = _once(seen, (NAIROBI, "call_nairobi"))
    said = seen.said("What should I pack?")
    if said is None:
        return [*found, "the user's message never reaches the model"]
    if seen.late(seen.bodies[said], NAIROBI, "call_nairobi"):
        found.append("the user's message waited for the result")
    if "What should I pack?" not in pairing.user_texts(seen.provider, seen.bodies[-1]):
        found.append("the user's message is forgotten")
    return found


def _said_at_once(seen: Seen) -> list[str]:
    found = _once(seen, (OSLO, "call_oslo"))
    if seen.said("What should I pack?") is None:
        found.append("the user's message never reaches the model")
    return found


def _deferred(seen: Seen) -> list[str]:
    found = _once(seen, (TIDES, "call_tides"))
    answer = seen.answer(seen.bodies[1], OSLO)
    if "snow" not in answer:
        found.append(f"the model is asked with {answer!r} for the call that has ended")
    if len(seen.bodies) != 3:
        found.append(f"two results cost {len(seen.bodies) - 1} requests, not 2")
    return found


def _failed(seen: Seen) -> list[str]:
    answer = seen.answer(seen.bodies[-1], "Atlantis")
    found = [] if "no station" in answer else [f"the model isn't told the error: {answer!r}"]
    # Bedrock has a flag for it as well, but only some of its models take it.
    if seen.provider == "anthropic" and '"is_error": true' not in json.dumps(seen.bodies[-1]):
        found.append("the answer isn't flagged as an error")
    return found


def _parallel(seen: Seen) -> list[str]:
    found = []
    if len(seen.bodies) != 2:
        found.append(f"three quick calls cost {len(seen.bodies)} requests, not 2")
    for mark in (PARIS, OSLO, TIDES):
        answer = seen.answer(seen.bodies[1], mark)
        if not answer or seen.acknowledged(seen.bodies[1], mark):
            found.append(f"the call for {mark} isn't answered with its result: {answer!r}")
        if seen.provider != "openai-native" and seen.first_late(mark, "") is not None:
            found.append(f"the result for {mark} is told a second time")
    return found


def _grace(seen: Seen) -> list[str]:
    found = _once(seen, (TIDES, "call_tides"))
    if seen.acknowledged(seen.bodies[1], PARIS) or not seen.answer(seen.bodies[1], PARIS):
        found.append(f"the quick call isn't answered with its result: {seen.answer(seen.bodies[1], PARIS)!r}")
    if not seen.acknowledged(seen.bodies[1], TIDES):
        found.append(f"the slow call isn't acknowledged: {seen.answer(seen.bodies[1], TIDES)!r}")
    if seen.provider != "openai-native" and seen.first_late(PARIS, "") is not None:
        found.append("the result of the quick call is told a second time")
    return found


def _cancelled(seen: Seen) -> list[str]:
    found = _once(seen, (OSLO, "call_oslo"))
    told = seen.late(seen.bodies[-1], OSLO, "call_oslo")
    if told and "cancelled" not in told:
        found.append(f"the model isn't told that the task was cancelled: {told!r}")
    if seen.run.seconds > 15:
        found.append(f"the task that was cancelled ran on: {seen.run.seconds:.0f} s")
    return found


def _pruned(seen: Seen) -> list[str]:
    found = []
    if not seen.run.named("pruned"):
        found.append("nothing was pruned: there is no event `pruned`")
    lengths = [len(json.dumps(body)) for body in seen.bodies]
    if all(shorter >= longer for longer, shorter in zip(lengths, lengths[1:])):
        found.append(f"no request is shorter than the one before it: {lengths}")
    place = seen.first_late(NAIROBI, "call_nairobi")
    if place is None:
        found.append("the result of the call that was open while the conversation was pruned is never told")
    elif len(told := seen.late(seen.bodies[-1], NAIROBI, "call_nairobi").splitlines()) > 1:
        found.append(f"that result is told {len(told)} times in the last request")
    return found


def _reasoned(seen: Seen) -> list[str]:
    found = _once(seen, (OSLO, "call_oslo"))
    for place, body in enumerate(seen.bodies[1:], 1):
        asking = next((message for message in pairing.read(seen.provider, body) if message.of("call")), None)
        kinds = [part.kind for part in asking.parts] if asking else []
        if kinds != ["reasoning", "call"]:
            found.append(f"request {place}: the turn that called comes back as {kinds}, and was reasoning, then a call")
        # The thought and its signature; at OpenAI the encrypted form, which aimock makes of the item's id.
        kept = [THOUGHT, SIGNATURE] if seen.provider == "anthropic" else [base64.b64encode(b"aimock-encrypted-reasoning:").decode()]
        found += [f"request {place}: {text!r} of the reasoning is gone" for text in kept if text not in json.dumps(body)]
    return found


def _second_round(seen: Seen) -> list[str]:
    found = _once(seen, (OSLO, "call_oslo"))
    if len(seen.bodies) < 4:
        found.append(f"there were {len(seen.bodies)} requests, and there should be one for the call made meanwhile as well")
    elif seen.acknowledged(seen.bodies[2], TIDES) or not seen.answer(seen.bodies[2], TIDES):
        found.append(f"the call made meanwhile isn't answered with its result: {seen.answer(seen.bodies[2], TIDES)!r}")
    return found


def _once(seen: Seen, *marks: tuple[str, str]) -> list[str]:
    """Each late result is told, and in the last request once."""
    found = []
    for mark, ident in marks:
        if seen.first_late(mark, ident) is None:
            found.append(f"the result for {mark} is never told")
            continue
        told = seen.late(seen.bodies[-1], mark, ident).splitlines()
        if len(told) != 1:
            found.append(f"the result for {mark} is told {len(told)} times in the last request")
    return found


# ---------------------------------------------------------------------------------------------------------- scenarios

THOUGHT, SIGNATURE = "North means Oslo, I suppose.", "c2lnbmF0dXJlLTdmM2E="
LONG = "The harbour office keeps a record of every hour. " * 60
STEPS = ["first", "second", "third", "fourth", "fifth"]

SCENARIOS = [
    Scenario(
        name="results that come out of order are told once each, in the order in which they were ready",
        context="out-of-order",
        prompt="Compare the weather there with what you find.",
        options=["--delays", "get_weather=1.6,search=0.7"],
        script=[
            turn(0, {"toolCalls": [call("call_paris", "get_weather", city=PARIS), call("call_tides", "search", query=TIDES)]}),
            otherwise(),
        ],
        check=_out_of_order,
    ),
    Scenario(
        name="a message of the user's in between is answered before the result is there",
        context="user-between",
        prompt="How is the weather where my sister lives?",
        options=["--delays", "get_weather=1.8", "--say", "0.8=What should I pack?"],
        script=[
            turn(0, {"content": "Let me look.", "toolCalls": [call("call_nairobi", "get_weather", city=NAIROBI)]}),
            otherwise(),
        ],
        check=_user_between,
    ),
    Scenario(
        name="parallel calls that end in time are answered with their results",
        context="parallel",
        prompt="Compare the three.",
        options=["--delays", "get_weather=0.02,search=0.03", "--grace", "3"],
        script=[
            turn(
                0,
                {
                    "toolCalls": [
                        call("call_paris", "get_weather", city=PARIS),
                        call("call_oslo", "get_weather", city=OSLO),
                        call("call_tides", "search", query=TIDES),
                    ]
                },
            ),
            otherwise(),
        ],
        check=_parallel,
    ),
    Scenario(
        name="of two calls the quick one is answered with its result, and the slow one's comes late",
        context="grace",
        prompt="Weather first, then the rest.",
        options=["--delays", "get_weather=0.02,search=1.5", "--grace", "0.6"],
        script=[
            turn(0, {"toolCalls": [call("call_paris", "get_weather", city=PARIS), call("call_tides", "search", query=TIDES)]}),
            otherwise(),
        ],
        check=_grace,
    ),
    Scenario(
        name="a task that is cancelled is told once, as cancelled",
        context="cancel",
        prompt="How is the weather up north?",
        options=["--delays", "get_weather=60", "--cancel", "0.9=t1"],
        script=[turn(0, {"toolCalls": [call("call_oslo", "get_weather", city=OSLO)]}), otherwise()],
        check=_cancelled,
    ),
    Scenario(
        name="a conversation that is pruned in the middle keeps its pairs, and the call that is still open",
        context="prune",
        prompt="Begin with the weather.",
        options=["--delays", "get_weather=3.2,search=0.02", "--prune", "4000"]
        + [option for at, step in enumerate(STEPS) for option in ("--say", f"{0.6 + 0.4 * at:.1f}=The {step} step. {LONG}")],
        script=[
            turn(0, {"toolCalls": [call("call_nairobi", "get_weather", city=NAIROBI)]}),
            *[
                entry
                for step in STEPS
                for entry in (
                    on(f"The {step} step.", False, {"toolCalls": [call(f"call_{step}", "search", query=f"{step} {LONG[:400]}")]}),
                    on(f"The {step} step.", True, {"content": f"That was the {step}. {LONG[:1500]}"}),
                )
            ],
            otherwise(),
        ],
        check=_pruned,
        pruned=True,
    ),
    Scenario(
        name="a call that is made while another runs is answered, and both results are told once",
        context="second-round",
        prompt="Look at both, one after the other.",
        options=["--delays", "get_weather=1.8,search=0.02", "--grace", "0.6"],
        script=[
            turn(0, {"toolCalls": [call("call_oslo", "get_weather", city=OSLO)]}),
            turn(1, {"content": "Meanwhile I search.", "toolCalls": [call("call_tides", "search", query=TIDES)]}),
            otherwise(),
        ],
        check=_second_round,
        # There the model isn't asked again before something is new, so that it has no second round.
        without=("openai-native",),
    ),
    Scenario(
        name="reasoning goes back as it came, before the call that it led to",
        context="reasoning",
        prompt="What would you wear up north?",
        options=["--delays", "get_weather=0.6"],
        script=[
            turn(
                0,
                {
                    "reasoning": THOUGHT,
                    "reasoningSignature": SIGNATURE,
                    "toolCalls": [call("call_oslo", "get_weather", city=OSLO)],
                },
            ),
            otherwise(),
        ],
        check=_reasoned,
        # What aimock sends them has no signature, so that nothing must go back.
        without=("openai", "gemini", "bedrock", "ollama"),
    ),
    Scenario(
        name="what the user says while calls are waited for comes after their answers, in its own message",
        context="user-at-once",
        prompt="How is the weather up north?",
        options=["--delays", "get_weather=1.2", "--grace", "0.5", "--say", "0.2=What should I pack?"],
        script=[turn(0, {"toolCalls": [call("call_oslo", "get_weather", city=OSLO)]}), otherwise()],
        check=_said_at_once,
    ),
    Scenario(
        name="where the model is asked only when something is new, a result takes the place of its acknowledgement",
        context="deferred",
        prompt="How is the weather up north?",
        options=["--delays", "get_weather=0.8,search=1.2", "--ack", "deferred"],
        script=[
            turn(0, {"toolCalls": [call("call_oslo", "get_weather", city=OSLO), call("call_tides", "search", query=TIDES)]}),
            otherwise(),
        ],
        check=_deferred,
    ),
    Scenario(
        name="a model that says nothing to an acknowledgement leaves no empty message",
        context="silent",
        prompt="How is the weather up north?",
        options=["--delays", "get_weather=0.8", "--say", "1.5=Thank you."],
        script=[
            turn(0, {"toolCalls": [call("call_oslo", "get_weather", city=OSLO)]}),
            on("weather up north", True, {"content": ""}),
            otherwise(),
        ],
        check=lambda seen: _once(seen, (OSLO, "call_oslo")),
    ),
    Scenario(
        name="a result that fails is told as an error",
        context="error",
        prompt="How is the weather where nobody is?",
        options=["--delays", "get_weather=0.01", "--grace", "3"],
        script=[turn(0, {"toolCalls": [call("call_nowhere", "get_weather", city="Atlantis")]}), otherwise()],
        check=_failed,
    ),
]
