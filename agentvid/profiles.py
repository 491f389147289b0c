"""Profiles: one word that names a model for every setting; and what each model needs, as far as that is known.

All of it is read from profiles.toml beside this file, so that a model's name is never written in code.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from agentvid.errors import UsageError


@dataclass(frozen=True, slots=True)
class Profile:
    """`settings`: setting -> value, below what a user sets."""

    about: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """`megabytes` are those of its files, 0 where they come with a package; `hub`: its name on the hub, if another."""

    licence: str
    megabytes: int
    memory_megabytes: int
    hub: str = ""


def profile(name: str) -> Profile:
    """Raises UsageError that lists the profiles for an unknown name."""
    known = profiles()
    if name not in known:
        raise UsageError(f"profile = {name!r} is not allowed; allowed: {', '.join(known)}")
    return known[name]


@cache
def profiles() -> Mapping[str, Profile]:
    """Every profile by name, the smallest first."""
    found = _data()["profiles"]
    return MappingProxyType(
        {name: Profile(entry["about"], MappingProxyType(entry.get("settings", {}))) for name, entry in found.items()}
    )


@cache
def model_facts() -> Mapping[str, ModelFacts]:
    """What is known of the models that profiles name."""
    return MappingProxyType({name: ModelFacts(**entry) for name, entry in _data()["models"].items()})


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(files("agentvid").joinpath("profiles.toml").read_text("utf-8"))
