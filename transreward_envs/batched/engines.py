"""Which engine steps lanes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec

import gymnasium
import mujoco

from transreward_envs.batched.engine import Engine
from transreward_envs.batched.thread_engine import ThreadEngine

HAS_BATCH = find_spec("mujoco.batch") is not None
"""Whether this version of MuJoCo has ``mujoco.batch``."""


def make_engine(models: Sequence[mujoco.MjModel], *, threads: int = 0, fields: Sequence[str] = ()) -> Engine:
    """Return what steps these models fastest; every engine gives the same bits.

    Args:
        models: A model a lane; they have the same sizes.
        threads: Threads that step, the caller's among them; all CPUs when 0.
        fields: Derived fields that are kept of each lane, contact forces (``cfrc_ext``) among them.

    Raises:
        SizesDifferError: The models differ in their sizes.
    """
    if "cfrc_ext" in fields:
        return ThreadEngine(models, threads=threads, fields=fields)
    if not HAS_BATCH:
        say_once()
        return ThreadEngine(models, threads=threads, fields=fields)
    from transreward_envs.batched.batch_engine import BatchEngine

    return BatchEngine(models, threads=threads, fields=fields)


@cache
def say_once() -> None:
    """Warn, once a process, that lanes step in the slower way."""
    gymnasium.logger.warn(
        f"mujoco {mujoco.__version__} has no `mujoco.batch`, so lanes are stepped by Python's threads: the same "
        "numbers, more slowly. For full speed: pip install 'mujoco>=3.17'."
    )
