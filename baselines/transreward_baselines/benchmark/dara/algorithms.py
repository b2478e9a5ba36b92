"""The algorithms of the table, each by the script that trains it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

ALGORITHMS = {
    "bear": "transreward_baselines.bear",
    "brac_p": "transreward_baselines.brac_p",
    "awr": "transreward_baselines.awr",
    "bcq": "transreward_baselines.bcq",
    "cql": "transreward_baselines.cql",
    "mopo": "transreward_baselines.mopo",
    "mabe": "transreward_baselines.mabe",
    "td3_bc": "transreward_baselines.td3_bc",
    "iql": "transreward_baselines.iql",
}
"""Modules with ``Args`` and ``main``, those of the paper first."""


def load_algorithm(name: str) -> Any:
    """Return the script of an algorithm."""
    return import_module(ALGORITHMS[name])
