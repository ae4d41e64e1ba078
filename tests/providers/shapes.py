"""The shape of a request body, by the types of the official SDKs, closed: a field that the SDK doesn't know is a finding.

- OpenAI (Chat Completions, Responses): `openai`, the `TypedDict`s of the request parameters.
- Anthropic: `anthropic`, likewise.
- Gemini: `google-genai`, the pydantic models of which a body consists.
- Bedrock: `botocore`, the service model of `Converse`, the validator that every AWS client runs.
- Ollama: `ollama`, the pydantic model of the request.

The SDKs' types are lenient by themselves: a `TypedDict` takes any field, an `Iterable` is looked at only when it is
read, and numbers may be strings. `closed` takes all of that out.
"""

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import SchemaValidator


def findings(provider: str, body: dict[str, Any], path: str, stream: bool) -> list[str]:
    """What the provider's types refuse in `body`; `path` is the path of the request's URL."""
    if provider == "bedrock":
        return _bedrock(body, path)
    if provider == "ollama" and "stream" not in body:
        return ["shape: Ollama streams unless `stream` is false, so it has to be said"]
    try:
        _validator(provider, stream).validate_json(json.dumps(body), strict=True)
    except ValidationError as refused:
        return _readable(refused)
    return []


def prepare(providers: Iterable[str]) -> None:
    """Builds what `findings` needs. The SDKs can't be imported by two threads at once."""
    for provider in providers:
        for stream in (False, True):
            if provider == "bedrock":
                _converse()
            else:
                _validator(provider, stream)


@cache
def _validator(provider: str, stream: bool) -> SchemaValidator:
    if provider == "openai":
        from openai.types.chat import completion_create_params as chat

        kind: Any = chat.CompletionCreateParamsStreaming if stream else chat.CompletionCreateParamsNonStreaming
    elif provider in ("openai-responses", "openai-native"):
        from openai.types.responses import response_create_params as responses

        kind = responses.ResponseCreateParamsStreaming if stream else responses.ResponseCreateParamsNonStreaming
    elif provider == "anthropic":
        from anthropic.types import message_create_params as messages

        kind = messages.MessageCreateParamsStreaming if stream else messages.MessageCreateParamsNonStreaming
    elif provider == "gemini":
        kind = _gemini()
    elif provider == "ollama":
        kind = _ollama()
    else:
        raise ValueError(f"no types for {provider}")
    return SchemaValidator(closed(TypeAdapter(kind).core_schema))


def _gemini() -> type[BaseModel]:
    """The body of `generateContent`. The SDK has types for its parts, and none for the whole."""
    from google.genai import types

    class GenerateContentRequest(types._common.BaseModel):
        # The SDK's models are built when they are first used; the schema is wanted now.
        model_config = ConfigDict(defer_build=False)

        contents: list[types.Content]
        tools: list[types.Tool] | None = None
        tool_config: types.ToolConfig | None = None
        safety_settings: list[types.SafetySetting] | None = None
        system_instruction: types.Content | None = None
        generation_config: types.GenerationConfig | None = None
        cached_content: str | None = None

    return GenerateContentRequest


def _ollama() -> type[BaseModel]:
    """The SDK's request, less its leniency: it takes any mapping for a message. A tool's parameters are JSON Schema,
    of which the SDK names four keywords and the server hands on all to the model's template."""
    from ollama._types import ChatRequest, Message, Tool

    class Function(Tool.Function):
        parameters: dict[str, Any] | None = None

    class Declared(Tool):
        function: Function

    class Request(ChatRequest):
        messages: list[Message]
        tools: list[Declared] = []

    return Request


def closed(schema: Any) -> Any:
    """A copy of a core schema in which no field is unknown and nothing is looked at later."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if isinstance(schema, tuple):
        return tuple(closed(each) for each in schema)
    if not isinstance(schema, dict):
        return schema
    copy = {key: value if key in ("metadata", "serialization") else closed(value) for key, value in schema.items()}
    kind = copy.get("type")
    if kind == "model" and copy["schema"].get("type") == "model-fields":
        # With the class at hand, pydantic would take the validator that the class has already, which isn't closed.
        return {**copy["schema"], "ref": copy["ref"]} if "ref" in copy else copy["schema"]
    if kind == "generator":
        copy["type"] = "list"
    elif kind in ("typed-dict", "model-fields"):
        copy["extra_behavior"] = "forbid"
    if isinstance(copy.get("config"), dict):
        copy["config"] = {**copy["config"], "extra_fields_behavior": "forbid"}
    return copy


def _readable(refused: ValidationError) -> list[str]:
    """One line per mistake. A union complains for each of its branches: the one that went deepest was meant."""
    branches: dict[tuple[str, ...], list[Any]] = {}
    for error in refused.errors(include_url=False):
        steps = [str(step) for step in error["loc"]]
        branch = tuple(step for step in steps if step[:1].isupper() or "[" in step)
        branches.setdefault(branch, []).append((".".join(step for step in steps if step not in branch), error))
    meant = min(branches.values(), key=lambda errors: (-max(len(error["loc"]) for _, error in errors), len(errors)))
    return [f"shape: {place}: {error['msg']} (got {_short(error['input'])})" for place, error in meant[:4]]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


@cache
def _converse() -> Any:
    import botocore.loaders
    import botocore.model

    loader = botocore.loaders.Loader()
    service = botocore.model.ServiceModel(loader.load_service_model("bedrock-runtime", "service-2"))
    return service.operation_model("Converse").input_shape, service.operation_model("ConverseStream").input_shape


def _bedrock(body: dict[str, Any], path: str) -> list[str]:
    from botocore.validate import ParamValidator
    from urllib.parse import unquote

    plain, streamed = _converse()
    steps = path.strip("/").split("/")
    if len(steps) != 3 or steps[0] != "model" or steps[2] not in ("converse", "converse-stream"):
        return [f"shape: {path} is not the path of Converse"]
    shape = streamed if steps[2] == "converse-stream" else plain
    report = ParamValidator().validate({"modelId": unquote(steps[1]), **body}, shape)
    return [f"shape: {line}" for line in report.generate_report().splitlines()] if report.has_errors() else []
