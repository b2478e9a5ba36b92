"""The table of registered pairs: ids, documentation and test parameters come from here."""

from __future__ import annotations

from transreward_envs.errors import unknown
from transreward_envs.pairs.pair import Pair
from transreward_envs.pairs.suites.adroit import adroit_pairs
from transreward_envs.pairs.suites.antmaze import antmaze_pairs
from transreward_envs.pairs.suites.core import core_pairs
from transreward_envs.pairs.suites.cross import cross_pairs
from transreward_envs.pairs.suites.dara import dara_pairs
from transreward_envs.pairs.suites.darc import darc_pairs
from transreward_envs.pairs.suites.dmc import dmc_pairs
from transreward_envs.pairs.suites.odrl import ODRL
from transreward_envs.pairs.suites.sparse import sparse_pairs

SUITES: dict[str, str] = {
    "odrl": "ODRL's 80 locomotion targets: friction, gravity, joint range, morphology",
    "dara": "DARA's shifted sources: half the mass of the last body, noise on the last joint",
    "core": "all robots: mass, friction, gravity, damping, actuators, delay, repeat, wind, noise, combinations",
    "sparse": "no reward before a distance, and another mass or friction",
    "cross": "another direction or velocity, a lame leg, another robot",
    "darc": "DARC's tasks: broken joints and an obstacle",
    "antmaze": "ODRL's 18 mazes for an ant; needs the extra `robotics`",
    "adroit": "ODRL's 24 hands with stiff or short fingers; needs the extra `robotics`",
    "dmc": "action repeat on three tasks of the DeepMind Control Suite; needs the extra `dmc`",
}
"""The suites, and what each holds."""

PAIRS: dict[str, Pair] = {
    pair.name: pair
    for pair in (
        *ODRL.values(),
        *dara_pairs(),
        *core_pairs(),
        *sparse_pairs(),
        *cross_pairs(),
        *darc_pairs(),
        *antmaze_pairs(),
        *adroit_pairs(),
        *dmc_pairs(),
    )
}


def get_pair(name: str) -> Pair:
    """Return the registered pair of that name.

    Raises:
        ValueError: There is none.
    """
    if name not in PAIRS:
        raise ValueError(unknown("pair", name, PAIRS))
    return PAIRS[name]


def get_suite(name: str) -> tuple[Pair, ...]:
    """Return the registered pairs of a suite.

    Raises:
        ValueError: There is no such suite.
    """
    if name not in SUITES:
        raise ValueError(unknown("suite", name, SUITES))
    return tuple(pair for pair in PAIRS.values() if name in pair.suites)
