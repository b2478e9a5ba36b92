"""Doubly robust augmented estimates across domains (DRaE): of values, and of rewards for agents."""

from transreward_wrappers.drae.drae import DRaE
from transreward_wrappers.drae.estimates import action_values, added_reward, direct, model_baseline, residual
from transreward_wrappers.drae.ratios import DynamicsRatio, RatioKind, dynamics_ratio, weight
from transreward_wrappers.drae.trajectories import Trajectories
from transreward_wrappers.drae.values import ValueFunctions

__all__ = [
    "DRaE",
    "DynamicsRatio",
    "RatioKind",
    "Trajectories",
    "ValueFunctions",
    "action_values",
    "added_reward",
    "direct",
    "dynamics_ratio",
    "model_baseline",
    "residual",
    "weight",
]
