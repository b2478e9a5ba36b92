"""What a run needs that is not registered everywhere: a pair of its own, and modules that it imports."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable
from pathlib import Path

from transreward_baselines.run_directory import RunDirectoryError
from transreward_envs import Pair, register_pair
from transreward_wrappers.storage import write_json

NEEDS = "needs.json"


def tell_needs(directory: Path, pair: Pair, imports: Iterable[str]) -> None:
    """Keep with a run what is not registered everywhere."""
    write_json(directory / NEEDS, {"pair": pair.to_json(), "imports": list(imports)})


def meet_needs(directory: Path) -> None:
    """Import and register what a run needs, if it tells.

    Raises:
        RunDirectoryError: What it tells is damaged.
        ValueError: A module cannot be imported, or another pair has the name.
    """
    path = directory / NEEDS
    if not path.exists():
        return
    try:
        needs = json.loads(path.read_text())
        imports, pair = tuple(needs["imports"]), dict(needs["pair"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunDirectoryError(f"{path} does not say what a run needs: {error}. Delete it.") from error
    import_modules(imports)
    register_pair(Pair.from_json(pair))


def import_modules(modules: Iterable[str]) -> None:
    """Import modules that register something.

    Raises:
        ValueError: One cannot be imported.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise ValueError(f"`imports` names modules that can be imported; {module!r} cannot: {error}.") from error
