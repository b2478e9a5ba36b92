"""Pairs of domains, and the table of those that are registered."""

from transreward_envs.pairs.pair import ROLES, Pair, Role, make_pair
from transreward_envs.pairs.suites.odrl import make_odrl
from transreward_envs.pairs.table import PAIRS, SUITES, get_pair, get_suite

__all__ = ["PAIRS", "ROLES", "SUITES", "Pair", "Role", "get_pair", "get_suite", "make_odrl", "make_pair"]
