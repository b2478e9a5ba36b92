"""Verification of many pairs by several processes."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from transreward_envs.pairs.pair import Pair
from transreward_envs.verification.report import Check, Verification
from transreward_envs.verification.verify import verify

FEW = 8
"""Up to so many pairs a process of their own is slower than none."""


def verify_many(pairs: Sequence[Pair], *, workers: int | None = None) -> Iterator[Verification]:
    """Yield the verification of each pair as it is done; one that raises counts as failed.

    Args:
        pairs: The pairs.
        workers: Processes; one a core when left out.
    """
    count = workers or os.cpu_count() or 1
    if len(pairs) <= FEW or count == 1:
        yield from (verify_json(pair.to_json()) for pair in pairs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context) as pool:
        for done in as_completed([pool.submit(verify_json, pair.to_json()) for pair in pairs]):
            yield done.result()


def verify_json(data: dict[str, Any]) -> Verification:
    """Return the verification of a pair given by its JSON."""
    try:
        return verify(Pair.from_json(data))
    except Exception as error:  # a pair that cannot be made has failed, whatever the reason
        failed = Check.holds("the domains can be made and stepped", False, f"{type(error).__name__}: {error}")
        return Verification(pair=str(data.get("name")), checks=(failed,))
