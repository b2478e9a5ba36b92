"""Scores that can be compared across domains: 0 is a random policy, 100 an expert, both measured in the target."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transreward_envs.errors import unknown
from transreward_envs.pairs import Pair, get_pair, get_suite
from transreward_envs.pairs.domains import domain_name, robot_of
from transreward_envs.robots import get_robot

Reference = Literal["transreward", "odrl"]
REFERENCES: tuple[Reference, ...] = get_args(Reference)
_NO_TABLE = (
    "A shelf's table of reference returns is written by `transreward policies train`; {path} is none, or damaged "
    "({found}). Delete it and run that command again with the same `--runs`: it is made from the scores there."
)


def normalized_score(pair: Pair | str, returns: ArrayLike, reference: Reference = "transreward") -> NDArray[np.float64]:
    """Return ``100 (J - J_low) / (J_high - J_low)`` for returns in a pair's target.

    Args:
        pair: The pair, or its name.
        returns: Returns without discount, of any shape.
        reference: ``transreward`` takes a random policy and an expert of this suite, measured in this very target
            (docs/references.md); ``odrl`` takes the figures of Lyu et al. 2024 (arXiv:2410.20750), which belong to
            groups of targets and to other versions of the robots.

    Raises:
        TypeError: The returns are no numbers, or the pair is none.
        ValueError: The reference is unknown, or has no figures for the pair.
    """
    low, high = reference_returns(pair, reference)
    given = np.asarray(returns)
    if given.dtype.kind not in "fiu":
        raise TypeError(f"Returns must be numbers; got {returns!r}.")
    scores: NDArray[np.float64] = 100.0 * (given.astype(np.float64) - low) / (high - low)
    return scores


def reference_returns(pair: Pair | str, reference: Reference = "transreward") -> tuple[float, float]:
    """Return the returns in a pair's target that score 0 and 100.

    Raises:
        ValueError: The reference is unknown, or has no figures for the pair.
    """
    found = get_pair(pair) if isinstance(pair, str) else pair
    if not isinstance(found, Pair):
        raise TypeError(f"A pair is given by its name or as a `Pair`; got {pair!r}.")
    if reference not in REFERENCES:
        raise ValueError(unknown("reference", reference, REFERENCES))
    return _odrl(found) if reference == "odrl" else _measured(found)


def measured_returns() -> Mapping[str, Mapping[str, Any]]:
    """Return what was measured, as mean return, interval and number of episodes.

    It is the table of the shelf that TRANSREWARD_POLICIES names, or else the package's. ``domains`` has the
    policies of each domain, ``pairs`` what the source's expert returns in each pair's target.

    Raises:
        FileNotFoundError: TRANSREWARD_POLICIES names no folder.
        ValueError: The shelf's table is damaged.
    """
    shelf = own_shelf()
    own = None if shelf is None else shelf / "measured.json"
    if own is None or not own.exists():
        return _table("measured") or {"domains": {}, "pairs": {}}
    try:
        table = json.loads(own.read_text())
    except ValueError as error:
        raise ValueError(_NO_TABLE.format(path=own, found=error)) from error
    if not (isinstance(table, dict) and all(isinstance(table.get(part), dict) for part in ("domains", "pairs"))):
        raise ValueError(_NO_TABLE.format(path=own, found="it has no `domains` and `pairs`"))
    return table


def own_shelf() -> Path | None:
    """Return the folder of policies that TRANSREWARD_POLICIES names, if it names one.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    given = os.environ.get("TRANSREWARD_POLICIES")
    if not given:
        return None
    if not (shelf := Path(given)).is_dir():
        raise FileNotFoundError(
            f"TRANSREWARD_POLICIES must name a folder of policies; there is no folder {shelf}. Train some, transreward "
            "policies train, or unset it."
        )
    return shelf


def training_advice(domain: str) -> str:
    """Return what to do about a domain that has no policies."""
    robot = get_robot(robot_of(domain))
    if robot.extra is not None:
        return f"There is no recipe to train policies of {robot.name}: take your own, from a file, or random actions."
    return (
        f"Train its policies, transreward policies train --domains {domain}, and point TRANSREWARD_POLICIES at the "
        "shelf."
    )


def _measured(pair: Pair) -> tuple[float, float]:
    name = domain_name(pair, "target")
    figures = measured_returns()["domains"].get(name, {})
    if not {"random", "expert"} <= set(figures):
        raise ValueError(
            f"Reference returns must be measured before scores are normalised by them; {name!r} has none. "
            f"{training_advice(name)}"
        )
    low, high = float(figures["random"]["mean"]), float(figures["expert"]["mean"])
    if not high > low:
        raise ValueError(f"The expert of {name!r} returns {high:.1f}, no more than the random policy's {low:.1f}.")
    return low, high


def _odrl(pair: Pair) -> tuple[float, float]:
    if pair not in get_suite("odrl"):
        raise ValueError(f"ODRL's figures are of the pairs in suite 'odrl'; {pair.name!r} is none of them.")
    if pair.robot == "Ant":
        warnings.warn(
            "ODRL's figures for Ant are not comparable: Gymnasium's v5 changed Ant's reward and observation.",
            stacklevel=4,
        )
    table = _table("odrl")[pair.robot]
    _, kind, *rest = pair.name.split("-")
    kind = kind.replace("frictionodrl", "friction")
    high = table["high"]
    for key in (kind, rest[-1]):
        high = high.get(key, high.get("other")) if isinstance(high, Mapping) else high
    return float(table["low"]), float(high)


@cache
def _table(name: str) -> Mapping[str, Any]:
    path = resources.files("transreward_assets") / "references" / f"{name}.json"
    table: Mapping[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return table
