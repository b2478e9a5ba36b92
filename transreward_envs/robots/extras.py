"""Optional robots: which packages they need, and how to get them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from gymnasium.error import DependencyNotInstalled

EXTRAS: dict[str, tuple[str, ...]] = {"robotics": ("gymnasium_robotics",), "dmc": ("dm_control", "shimmy")}
"""The extras that bring robots, and the packages that each needs."""


@contextmanager
def requires(extra: str) -> Iterator[None]:
    """Import an extra's packages inside this, and a missing one is named with the command that installs it.

    Raises:
        DependencyNotInstalled: A package is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise DependencyNotInstalled(
            f"This robot needs {' and '.join(EXTRAS[extra])}, and {error.name!r} is not installed. Run: "
            f"pip install 'transreward-envs[{extra}]'"
        ) from error


def installed(extra: str | None) -> bool:
    """Return whether the packages of an extra are there; nothing is imported."""
    return all(find_spec(name) is not None for name in EXTRAS.get(extra or "", ()))
