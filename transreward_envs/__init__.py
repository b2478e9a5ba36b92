"""Source and target MuJoCo domains for off-dynamics reinforcement learning.

Importing the package registers its ids with Gymnasium; it loads neither MuJoCo nor PyTorch.
"""

from transreward_envs.methods import METHODS
from transreward_envs.pairs import PAIRS, SUITES, Pair, get_pair, get_suite, make_odrl, make_pair
from transreward_envs.references import normalized_score
from transreward_envs.registration import register_all, register_pair
from transreward_envs.robots import ROBOTS
from transreward_envs.shifts import Shift

__version__ = "0.1.0"

__all__ = [
    "METHODS",
    "PAIRS",
    "ROBOTS",
    "SUITES",
    "Pair",
    "Shift",
    "get_pair",
    "get_suite",
    "make_odrl",
    "make_pair",
    "normalized_score",
    "register_pair",
]

register_all()
