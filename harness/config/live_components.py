"""Plugins as a live variant asks for them: options, their places, and the files they name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from harness.config.live_files import file_hash
from harness.config.live_models import ModelKeys
from harness.config.paths import PathError, resolve
from harness.config.source import children
from harness.config.spot import Spot
from harness.core.factors import named_hash
from harness.core.values import JsonValue
from harness.core.variant import Component, ModelChoice

_MAX_PATH_CHARACTERS = 1000


def component(use: str, spot: Spot, main: str, options: Mapping[str, JsonValue]) -> Component:
    """A plugin whose options are written in a mapping.

    Args:
        use: the plugin's name.
        spot: the mapping.
        main: its key that names the plugin; paths among the options start from that one's file.
        options: those of the mapping's keys that are the plugin's own.
    """
    return _component(
        use, spot, main, {name: (spot.inside(name), options[name]) for name in options}
    )


def model_choice(file: ModelKeys, spot: Spot) -> ModelChoice:
    """The model of a variant or of one of its subtasks."""
    provider, _, name = file.model.partition("/")
    options = {key: (spot.inside("provider", key), value) for key, value in file.provider.items()}
    if file.base_url is not None:
        options["base_url"] = (spot.inside("base_url"), file.base_url)
    return ModelChoice(
        provider=_component(provider, spot, "model", options),
        name=name,
        params=file.params.model_dump(exclude_none=True),
        stream=file.stream,
        timeout_s=file.timeout_s,
    )


def _component(
    use: str, spot: Spot, main: str, options: Mapping[str, tuple[Spot, JsonValue]]
) -> Component:
    named_at = spot.inside(main) if spot.inside(main).is_written else spot
    places = {"": named_at.where()}
    for name, (place, value) in options.items():
        places |= _places(name, place, value)
    folder = named_at.folder.resolve()
    given = {name: _from(folder, place, value) for name, (place, value) in options.items()}
    return Component(
        use=use,
        options=given,
        folder=str(folder) if _may_name_files(given) else ".",
        at=".".join(map(str, spot.at)),
        places=places,
    )


def _places(name: str, spot: Spot, value: JsonValue) -> dict[str, str]:
    found = {name: spot.where()}
    for key, item in children(value):
        found |= _places(f"{name}.{key}", spot.inside(key), item)
    return found


def _from(folder: Path, spot: Spot, value: JsonValue) -> JsonValue:
    """`value` with paths that an extended variant wrote as they are seen from `folder`."""
    if isinstance(value, dict):
        return {key: _from(folder, spot.inside(key), item) for key, item in value.items()}
    if isinstance(value, list):
        return [_from(folder, spot.inside(i), item) for i, item in enumerate(value)]
    written_in = spot.folder.resolve()
    path = named_path(value, written_in) if written_in != folder else None
    return value if path is None else os.path.relpath(path, folder)


def _may_name_files(value: JsonValue, key: str | int = "") -> bool:
    """Whether the folder can matter; if not, variants of several folders share a plugin."""
    if isinstance(value, str):
        return "://" not in value and not str(key).endswith("_env")
    return any(_may_name_files(item, name) for name, item in children(value))


def named_path(value: JsonValue, folder: Path) -> Path | None:
    """The file or folder that a text among a plugin's options names; None if it names none."""
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_PATH_CHARACTERS:
        return None
    try:
        path = resolve(value, folder)
        return path if path.exists() else None
    except (PathError, OSError, ValueError):
        return None


def printable(value: JsonValue, folder: Path) -> JsonValue:
    """An option as a factor: files by name and content, folders by name."""
    if isinstance(value, dict):
        return {key: printable(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [printable(item, folder) for item in value]
    path = named_path(value, folder)
    if path is None:
        return value
    name = path.resolve().name
    try:
        return named_hash(name, file_hash(path)) if path.is_file() else name
    except PathError:
        return name
