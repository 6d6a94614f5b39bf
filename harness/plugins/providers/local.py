"""The language model that comes with harness: tiny, on this machine, in this process."""

from __future__ import annotations

import asyncio
import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationInfo, model_validator

from harness.core.chat import Completion, ErrorKind, ModelRequest, RequestedCall, ServiceError
from harness.core.record import Usage
from harness.core.values import JsonValue, fingerprint
from harness.embedded.chat import (
    CALL,
    OPENING,
    READ,
    SPECIAL,
    SYSTEM,
    USER,
    Segment,
    read_call,
    segments,
)
from harness.embedded.engine import Generated, Request
from harness.embedded.model import Model, load_model
from harness.embedded.sampling import Sampling
from harness.embedded.slots import Turn
from harness.embedded.tokenizer import Tokenizer
from harness.embedded.weights import DATA, MODELS, Listing, read_checked, read_listing
from harness.embedded.workers import Workers

_NOT_TAKEN = (
    "presence_penalty", "frequency_penalty", "top_logprobs", "reasoning_effort", "service_tier",
    "extra",
)  # fmt: skip


class Local(BaseModel):
    """The embedded models. Nothing is downloaded, nothing leaves the process."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    in_process: ClassVar[bool] = True

    folder: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="A folder with models of your own training; default: those of harness.",
    )
    _listing: Listing = PrivateAttr()
    _models: dict[str, Model] = PrivateAttr(default_factory=dict)
    _workers: Workers | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _find(self, info: ValidationInfo) -> Local:
        self._listing = read_listing(_folder(self.folder, info) if self.folder else DATA)
        for name in self._listing.sha256:  # damage is told at `check`
            read_checked(self._listing, name)
        return self

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """The hash of all files of all models: other weights are other models."""
        hashes = dict(self._listing.sha256)
        return {"sdk": "local", "api_version": None, "weights_sha256": fingerprint(hashes)}

    def problems(self, request: ModelRequest) -> Sequence[str]:
        """A model that there is not, and what the network cannot do."""
        told = [] if request.model in self._listing.files else [self._no_model(request.model)]
        told += [
            f"the embedded models take no {name}"
            for name in _NOT_TAKEN
            if request.params.get(name) is not None
        ]
        if request.schema is not None:
            told.append("the embedded models have no structured output: describe it in the prompt")
        return told

    async def open(self) -> None:
        """Load every model, and start the threads that they share, beside the event loop.

        Raises:
            ServiceError: `bad_request`, if a file is missing or damaged.
        """
        workers = self._workers = Workers()
        try:
            for name in self._listing.files:
                found = await asyncio.to_thread(load_model, self._listing, name, workers)
                self._models[name] = found
        except ValueError as error:
            await self.close()
            raise ServiceError("bad_request", str(error)) from None

    async def complete(self, request: ModelRequest) -> Completion:
        """Generate an answer; a request that is given up stops being computed.

        Raises:
            ServiceError: `not_found`, `bad_request`, `context_too_long` before anything is
                computed, or `timeout`.
        """
        began = perf_counter()
        if problems := self.problems(request):
            known = request.model in self._listing.files
            kind: ErrorKind = "bad_request" if known else "not_found"
            raise ServiceError(kind, problems[0])
        model = self._models[request.model]
        prompt = _prompt(model, request)
        try:
            async with asyncio.timeout(request.timeout_s):
                asked = model.engine.submit(prompt)
                found = await asyncio.wrap_future(asked)
        except TimeoutError:
            what = f"no whole answer within {request.timeout_s:g} s"
            raise ServiceError("timeout", what, latency_s=perf_counter() - began) from None
        return _completion(request, model.tokenizer, prompt, found, began)

    async def close(self) -> None:
        """End the threads."""
        models, self._models = self._models, {}
        for model in models.values():
            await asyncio.to_thread(model.engine.close)
        if self._workers is not None:
            await asyncio.to_thread(self._workers.close)

    def _no_model(self, name: str) -> str:
        names = list(self._listing.files)
        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(names)}"
        return f"there is no embedded model '{name}'; {hint}"


def _folder(given: str, info: ValidationInfo) -> Path:
    context = info.context or {}
    find_file: Callable[[str], Path] = context.get(
        "find_file", Path(context.get("folder", "")).joinpath
    )
    try:
        return find_file(f"{given}/{MODELS}").parent
    except (OSError, ValueError) as error:
        raise ValueError(f"'{given}' is no folder of embedded models: {error}") from None


def _prompt(model: Model, request: ModelRequest) -> Request:
    """What the engine is asked.

    Raises:
        ServiceError: `context_too_long`.
    """
    params: Mapping[str, Any] = request.params
    tools = () if request.tool_choice == "none" else request.tools
    found = segments(request.messages, tools)
    if request.tool_choice == "required":
        found.append((CALL, ""))
    n_characters = sum(len(text) for _, text in found)
    if n_characters > model.max_tokens * model.tokenizer.longest:
        what = f"a prompt of {n_characters} characters does not fit into {model.max_tokens} tokens"
        raise ServiceError("context_too_long", what)
    parts = _parts(_turns(model.tokenizer, found))
    n_tokens = sum(len(turn.tokens) for part in parts for turn in part)
    return Request(
        parts=parts,
        max_new_tokens=params.get("max_output_tokens") or max(model.max_tokens - n_tokens, 1),
        ends=frozenset(model.tokenizer.special[name] for name in SPECIAL if name != CALL),
        sampling=_sampling(params),
        n_kept=len(parts) - 1,
        until=_stop(model.tokenizer, params.get("stop") or ()),
        never=() if tools else (model.tokenizer.special[CALL],),
    )


def _turns(tokenizer: Tokenizer, found: Sequence[Segment]) -> list[tuple[str, Turn]]:
    """The turns of a prompt, each with what opens it."""
    turns: list[tuple[str, Turn]] = []
    for (mark, _), tokens in zip(found, tokenizer.encode_segments(found), strict=True):
        if mark in OPENING:
            marks = tokenizer.marks(tokens) if mark == USER else ()
            turns.append((mark, Turn(tuple(tokens), mark in READ, tuple(marks))))
        else:  # goes on in the turn that is open
            opened, turn = turns[-1]
            turns[-1] = opened, turn._replace(tokens=(*turn.tokens, *tokens))
    return turns


def _parts(turns: Sequence[tuple[str, Turn]]) -> tuple[tuple[Turn, ...], ...]:
    """The system prompt with the tools, shown examples, and the rest.

    The first two are often the same in many requests, and so remembered by the engine.
    """
    head = 1 if turns[0][0] == SYSTEM else 0
    last = max((i for i, (mark, _) in enumerate(turns) if mark == USER), default=head)
    cuts = [0, head, last, len(turns)]
    return tuple(tuple(turn for _, turn in turns[a:b]) for a, b in pairwise(cuts) if b > a)


def _sampling(params: Mapping[str, Any]) -> Sampling:
    seed = params.get("seed")
    return Sampling(
        temperature=params.get("temperature") or 0.0,
        top_p=1.0 if params.get("top_p") is None else params["top_p"],
        top_k=params.get("top_k"),
        seed=None if seed is None else seed % 2**64,
    )


def _stop(tokenizer: Tokenizer, texts: Sequence[str]) -> Callable[[Sequence[int]], bool] | None:
    if not texts:
        return None
    return lambda tokens: any(text in tokenizer.decode(tokens) for text in texts)


def _completion(
    request: ModelRequest, tokenizer: Tokenizer, prompt: Request, found: Generated, began: float
) -> Completion:
    call = tokenizer.special[CALL]
    forced = (call,) if request.tool_choice == "required" else ()
    pieces = _split(forced + found.tokens, call)
    text = _cut(tokenizer.decode(pieces[0]), request.params.get("stop") or ())
    calls = _calls([tokenizer.decode(piece) for piece in pieces[1:]], request)
    reason = "tool_calls" if calls and found.finish == "stop" else found.finish
    chances = [math.exp(logprob) for logprob in found.logprobs[: len(found.tokens)]]
    asked = request.params.get("logprobs") and chances
    return Completion(
        text=text,
        calls=calls,
        finish_reason=reason,
        usage=Usage(prompt.n_tokens, found.n_cached, found.n_tokens, 0, 0),
        latency_s=perf_counter() - began,
        ttft_s=found.first_s - began if request.stream else None,
        served_model=request.model,
        confidence=sum(chances) / len(chances) if asked else None,
    )


def _split(tokens: Sequence[int], mark: int) -> list[list[int]]:
    """The tokens before the first `mark`, and those after each."""
    pieces: list[list[int]] = [[]]
    for token in tokens:
        if token == mark:
            pieces.append([])
        else:
            pieces[-1].append(token)
    return pieces


def _cut(text: str, stops: Sequence[str]) -> str:
    """The text up to the first of the stop texts in it."""
    return text[: min((text.find(stop) for stop in stops if stop in text), default=len(text))]


def _calls(texts: Sequence[str], request: ModelRequest) -> tuple[RequestedCall, ...]:
    """The calls that a model wrote; ids go on from those of the conversation."""
    n_before = sum(len(message.calls) for message in request.messages)
    read = [read_call(text, request.tools) for text in texts]
    return tuple(
        RequestedCall(f"call_{i}", name, arguments)
        for i, (name, arguments) in enumerate(read, n_before + 1)
    )
