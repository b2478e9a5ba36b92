"""Training in a pair: domains by turns, budgets of target steps, and the entry points of ids."""

from transreward_envs.training.budget import TargetBudget
from transreward_envs.training.joined import join_environments
from transreward_envs.training.roles import DOMAIN_INDEX
from transreward_envs.training.schedule import DomainSchedule

__all__ = ["DOMAIN_INDEX", "DomainSchedule", "TargetBudget", "join_environments"]
