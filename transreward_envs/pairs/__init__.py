"""Pairs of domains, and the table of those that are registered."""

from transreward_envs.pairs.pair import ROLES, Pair, Role, make_pair
from transreward_envs.pairs.table import PAIRS, get_pair

__all__ = ["PAIRS", "ROLES", "Pair", "Role", "get_pair", "make_pair"]
