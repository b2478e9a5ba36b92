"""World models on disk: safetensors with JSON about them, refused where they are of something else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transreward_envs.pairs import Pair, Role
from transreward_wrappers.errors import CorruptFileError
from transreward_wrappers.storage import Tensors, load_tensors, save_tensors
from transreward_wrappers.world_models.errors import StaleModelError

FORMAT = 1
"""Of the files."""


def domain_of(pair: Pair, role: Role = "target") -> dict[str, Any]:
    """Return what a domain is, as JSON types, for a model to say whose it is."""
    return {"robot": pair.robot_of(role).name, "keywords": pair.kwargs(role)}


def key_of(identity: Mapping[str, Any]) -> str:
    """Return a digest of what a model is of."""
    return hashlib.sha256(json.dumps(dict(identity), sort_keys=True).encode()).hexdigest()


def write_model(path: Path | str, tensors: Tensors, identity: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Write a model.

    Args:
        path: The file.
        tensors: Weights and statistics.
        identity: What it is a model of, as JSON types: kind, sizes, settings, domain.
        about: What else there is to keep, as JSON types.
    """
    told = {"format": FORMAT, "identity": dict(identity), "key": key_of(identity), **about}
    save_tensors(path, tensors, {"world_model": told})


def read_model(path: Path | str) -> tuple[Tensors, dict[str, Any]]:
    """Return the tensors of a model's file, and what was written about them.

    Raises:
        FileNotFoundError: There is no such file.
        CorruptFileError: It is damaged, or none of a world model.
    """
    try:
        tensors, about = load_tensors(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"A world model is read from a file; there is no {path}. Check the path.") from error
    told = about.get("world_model")
    if not isinstance(told, dict):
        raise CorruptFileError(f"A world model's file says so in its metadata; {path} does not. Give another.")
    if told.get("format") != FORMAT:
        raise CorruptFileError(
            f"The format of a world model's file must be {FORMAT}; {path} has {told.get('format')!r}. Fit it again, or "
            "use the version of transreward-envs that wrote it."
        )
    return tensors, told


def require_identity(path: Path | str, told: Mapping[str, Any], identity: Mapping[str, Any]) -> None:
    """Check that a file is of what it is to be.

    Raises:
        StaleModelError: It is of something else.
    """
    if told["key"] == key_of(identity):
        return
    theirs = told["identity"]
    differing = [name for name in identity if theirs.get(name) != json.loads(json.dumps(identity[name]))]
    ownerless = "domain" in differing and not theirs.get("domain")
    advice = " A model is told whose it is when it is made: domain=domain_of(pair)." if ownerless else ""
    listing = "; ".join(f"{name} {theirs.get(name)!r}, not {identity[name]!r}" for name in differing)
    raise StaleModelError(
        f"A world model's file must be of the model's own kind, sizes, settings and domain; {path} is of {listing}. "
        f"Delete it to have it made again, or give another.{advice}"
    )
