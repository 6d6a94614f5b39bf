"""A function of the user's own as a tool, in a process with limits of time and memory."""

from __future__ import annotations

import asyncio
import json
import sys
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from time import perf_counter
from typing import Annotated, NamedTuple

from pydantic import Field, PrivateAttr, model_validator

from harness.core.chat import ServiceError, ToolSpec
from harness.core.options import Whole
from harness.core.tools import ToolResult
from harness.core.values import JsonValue
from harness.files import sha256
from harness.plugins.tooling.child_process import (
    EnvNames,
    LineProcess,
    environment,
    own_python_path,
    without_secrets,
)
from harness.plugins.tooling.signature import Signature, may_have, signature_of, source_of
from harness.plugins.tooling.tool_options import OneToolModel, Parameters, ToolName

_START_S = 60.0
_MAX_LINE_BYTES = 16_000_000
_FUNCTION = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"


class Python(OneToolModel):
    """A Python function, called with the arguments by name in a process of its own."""

    function: str = Field(
        pattern=_FUNCTION,
        description="`package.module:function`, on the path or in the working folder. What it "
        "returns is the result: a text as it is, anything else as JSON.",
    )
    name: ToolName | None = Field(
        default=None, description="As the model sees it; default: the function's name."
    )
    description: str | None = Field(
        default=None,
        description="What it does, as the model sees it; default: the docstring's first paragraph.",
    )
    parameters: Parameters | None = Field(
        default=None,
        description="A JSON Schema of the arguments, or the path of a file that holds one; "
        "default: from the types in the function's signature.",
    )
    memory_mb: Annotated[Whole, Field(ge=16, le=1_000_000)] = Field(
        default=512, description="What calls may take beside what importing the module took."
    )
    workers: Annotated[Whole, Field(ge=1, le=64)] = Field(
        default=2, description="How many calls may run at once; each has a process of its own."
    )
    env: EnvNames = Field(
        default=(), description="Environment variables that the function may see; no others."
    )
    _pool: _Pool | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _usable(self) -> Python:
        _ = self.spec, self.identity, self._check
        module, _, name = self.function.partition(":")
        if not may_have(self._source(), name):
            raise ValueError(f"the module {module} has no {name}")
        return self

    @cached_property
    def spec(self) -> ToolSpec:
        """The tool as a model sees it; what the options leave out is read from the source."""
        name = self.name or self.function.partition(":")[2]
        if self.description is not None and self.parameters is not None:
            return ToolSpec(name, self.description, self.parameters)
        signature = self._signature()
        description = self.description if self.description is not None else signature.description
        if not description:
            raise ValueError(f"{self.function} has no docstring: give a `description`")
        return ToolSpec(name, description, self.parameters or signature.parameters)

    @cached_property
    def identity(self) -> Mapping[str, JsonValue]:
        """The function, and the hash of its module's source."""
        module = self.function.partition(":")[0]
        return {"function": self.function, "source_sha256": sha256(source_of(module))}

    async def open(self) -> Sequence[ToolSpec]:
        """Start the processes, which import the module.

        Raises:
            ServiceError: if it cannot be imported.
        """
        self._pool = _Pool(self)
        await self._pool.start()
        return [self.spec]

    async def call(self, name: str, arguments: Mapping[str, JsonValue]) -> ToolResult:
        """Call the function (see `harness.ports.Toolbox`)."""
        refusal = self.refusal(name, arguments)
        if refusal:
            return refusal
        if self._pool is None:
            return ToolResult("the tool is not open", "connection")
        began = perf_counter()
        ended = await self._pool.call(arguments)
        queue_s = max(0.0, perf_counter() - began - ended.took_s)
        result = self.result(without_secrets(ended.text, self.env), ended.error)
        return replace(result, queue_s=queue_s)

    async def close(self) -> None:
        """End the processes, and those that they have started."""
        pool, self._pool = self._pool, None
        if pool:
            await pool.close()

    def _source(self) -> str:
        """The source of the function's module, in whatever encoding it says it is.

        Raises:
            ValueError: if it cannot be read.
        """
        path = source_of(self.function.partition(":")[0])
        try:
            with tokenize.open(path) as file:
                return file.read()
        except (OSError, SyntaxError) as error:
            raise ValueError(f"the source of {self.function} cannot be read: {error}") from None

    def _signature(self) -> Signature:
        try:
            return signature_of(self._source(), self.function.partition(":")[2])
        except (ValueError, OSError, SyntaxError, RecursionError) as error:
            raise ValueError(
                f"the signature of {self.function} cannot be read ({error}): "
                "give `description` and `parameters`"
            ) from None


class _Ended(NamedTuple):
    """How a call ended: its text, what went wrong, and the time that the function had."""

    text: str
    error: str | None
    took_s: float = 0.0


class _Pool:
    """The processes of one tool. One that has hung, died or run out of memory is replaced."""

    def __init__(self, tool: Python) -> None:
        self._tool = tool
        self._idle: list[LineProcess] = []
        self._all: set[LineProcess] = set()
        self._places = asyncio.Semaphore(tool.workers)

    async def start(self) -> None:
        """Start all processes, so that no call waits for an import.

        Raises:
            ServiceError: if one cannot be started.
        """
        started = await asyncio.gather(
            *(self._start_one() for _ in range(self._tool.workers)), return_exceptions=True
        )
        failed = [one for one in started if isinstance(one, BaseException)]
        self._idle = [one for one in started if isinstance(one, LineProcess)]
        if failed:
            await self.close()
            raise failed[0]

    async def call(self, arguments: Mapping[str, JsonValue]) -> _Ended:
        """Make a call; waits for an idle process first, and for the end of one that is no good."""
        async with self._places:
            try:
                process = self._idle.pop() if self._idle else await self._start_one()
            except ServiceError as error:
                return _Ended(error.message, "connection")
            usable, began = False, perf_counter()
            try:
                text, error_word, usable = await self._ask(process, arguments)
                took_s = perf_counter() - began
            finally:  # also if this call is cancelled: its answer would be taken for the next one's
                if usable:
                    self._idle.append(process)
                else:
                    await self._end(process)
            return _Ended(text, error_word, took_s)

    async def close(self) -> None:
        """End all processes."""
        self._idle.clear()
        await asyncio.gather(*(self._end(process) for process in list(self._all)))

    async def _start_one(self) -> LineProcess:
        tool = self._tool
        argv = [
            sys.executable, "-P", "-m", "harness.plugins.tooling.tool_worker",
            tool.function, str(tool.memory_mb), str(tool.timeout_s),
        ]  # fmt: skip
        env = environment(tool.env, own_python_path())
        try:
            process = await LineProcess.start(argv, env=env, max_line_bytes=_MAX_LINE_BYTES)
        except OSError as error:
            raise ServiceError("connection", f"no process for {tool.function}: {error}") from None
        self._all.add(process)
        try:
            async with asyncio.timeout(_START_S):
                first = json.loads(await process.receive() or b"{}")
        except TimeoutError:
            first = {"error": f"importing {tool.function} took more than {_START_S:g} s"}
        except ValueError:
            first = {}
        if not first.get("ready"):
            await self._end(process)
            why = first.get("error") or f"the process of {tool.function} ended"
            raise ServiceError("bad_request", without_secrets(str(why), tool.env))
        return process

    async def _ask(
        self, process: LineProcess, arguments: Mapping[str, JsonValue]
    ) -> tuple[str, str | None, bool]:
        """The call's text and error, and whether the process can serve another one."""
        try:
            async with asyncio.timeout(self._tool.timeout_s):
                await process.send(json.dumps(dict(arguments)).encode("ascii"))
                line = await process.receive()
        except TimeoutError:
            return f"the tool gave no result within {self._tool.timeout_s:g} s", "timeout", False
        except (OSError, ValueError):
            line = None
        if line is None:
            return "the tool's process ended before there was a result", "raised", False
        answer = json.loads(line)
        return str(answer["text"]), answer["error"], answer["error"] != "memory"

    async def _end(self, process: LineProcess) -> None:
        await process.close()
        self._all.discard(process)
