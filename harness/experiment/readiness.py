"""What stands in the way of opening plugins: told at `check` where it is known without opening."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic import BaseModel

from harness.core.chat import ErrorKind, ServiceError
from harness.core.variant import LiveVariant
from harness.errors import Problem
from harness.experiment.components import Components, Use, uses
from harness.plugins.wire.service_errors import SECRET_NAME
from harness.registry import Kind

_HINTS: Mapping[ErrorKind, str] = {
    "connection": "check that it runs, and that its command or address is right",
    "timeout": "check that it runs and is not overloaded",
    "authentication": "check the environment variables that its options name",
    "not_found": "check the names among its options",
}
_ANY_HINT = "put right what it says, or change its options"


def unready(variants: Sequence[LiveVariant], components: Components) -> list[Problem]:
    """Why plugins of `variants` could not be opened, and tools that could not be called.

    Of providers it is told with the requests that they do not take.
    """
    problems = []
    for use, users in _users(variants):
        plugin = components.table(use.kind).get(use.key)
        if use.kind == "provider" or plugin is None:
            continue
        who = f"{users}: the {use.kind} {use.component.use}"
        for option, name in _unset_variables(plugin):
            what = f"{who}: the environment variable {name} is not set"
            problems.append(Problem(use.component.where(option), what, "set it, or name another"))
        if use.kind == "tool":
            problems += [
                Problem(use.component.where(), f"{who}: {what}", "correct its options")
                for what in plugin.problems()
            ]
    names = {key: box.names for key, box in components.toolboxes.items() if box.names is not None}
    return [*problems, *wrong_tools(variants, names)]


def not_opened(
    variants: Iterable[LiveVariant], kind: Kind, key: str, error: ServiceError
) -> Problem:
    """That a plugin which `variants` use could not be opened, and what to do."""
    use, users = next(
        (use, users) for use, users in _users(variants) if (use.kind, use.key) == (kind, key)
    )
    what = f"{users}: the {use.kind} {use.component.use} cannot be opened: {error.message}"
    return Problem(use.component.where(), what, _HINTS.get(error.kind, _ANY_HINT))


def wrong_tools(
    variants: Iterable[LiveVariant], names: Mapping[str, Sequence[str]]
) -> Iterator[Problem]:
    """Two tools of one name, and checks by tools that are not there.

    Args:
        variants: those that are to be run.
        names: the tools by `Component.key`; of what is left out they are not known.
    """
    for variant in (inner for outer in variants for inner in outer.variants()):
        used = variant.tools.use if variant.tools else ()
        seen: set[str] = set()
        for use in used:
            for name in names.get(use.component.key, ()):
                if name in seen:
                    what = f"{variant.id}: two tools are called '{name}'"
                    hint = "give one of them another name, or take it away with only"
                    yield Problem(use.component.where(), what, hint)
                seen.add(name)
        if any(use.component.key not in names for use in used):
            continue  # which tools there would be cannot be told
        for check in variant.tools.before if variant.tools else ():
            if check.name not in seen:
                known = f"its tools are: {', '.join(sorted(seen)) or 'none'}"
                yield Problem(check.where, f"{variant.id}: no tool is called '{check.name}'", known)


def _users(variants: Iterable[LiveVariant]) -> list[tuple[Use, str]]:
    """Every plugin of `variants` once, and the names of those that use it."""
    found: dict[tuple[str, str], tuple[Use, dict[str, None]]] = {}
    for use in (use for variant in variants for use in uses(variant)):
        found.setdefault((use.kind, use.key), (use, {}))[1][use.variant] = None
    return [(use, ", ".join(ids)) for use, ids in found.values()]


def secrets_of(components: Components) -> set[str]:
    """What a run must not keep: the values of environment variables that its plugins name.

    And of those whose names tell of secrets: SDKs read some of them on their own.
    """
    plugins: list[BaseModel] = []
    for table in (
        components.providers,
        components.retrievers,
        components.rerankers,
        components.toolboxes,
    ):
        plugins += [plugin for plugin in table.values() if isinstance(plugin, BaseModel)]
    named = {name for plugin in plugins for _, name in _variables(plugin)}
    named |= {name for name in os.environ if SECRET_NAME.search(name)}
    values = {os.environ.get(name, "") for name in named}
    return {value for value in values | {value.strip() for value in values} if value}


def _unset_variables(plugin: BaseModel) -> Iterator[tuple[str, str]]:
    """Options that name an environment variable which is not set, and its name."""
    for option, name in _variables(plugin):
        value = os.environ.get(name)
        if value is None or (not value.strip() and option.endswith("_env")):
            yield option, name


def _variables(plugin: BaseModel, at: str = "") -> Iterator[tuple[str, str]]:
    """Options that name an environment variable, and its name.

    They are known by their names (see `harness.ports`), in plugins within the plugin too.
    """
    for option in type(plugin).model_fields:
        value = getattr(plugin, option)
        if isinstance(value, BaseModel):
            yield from _variables(value, f"{at}{option}.")
        elif option.endswith("_env") and isinstance(value, str):
            yield at + option, value
        elif option == "env" and isinstance(value, tuple):
            yield from ((at + option, name) for name in value)
