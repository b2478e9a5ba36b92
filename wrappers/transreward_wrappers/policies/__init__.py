"""Policies as data: those that are shipped, and those that one's own runs leave behind."""

from transreward_wrappers.policies.gaussian import MOST_LOG_STD, GaussianPolicy, NotAPolicyError, UniformPolicy
from transreward_wrappers.policies.observed import for_sizes
from transreward_wrappers.policies.scaling import scale_actions, unscale_actions
from transreward_wrappers.policies.shipped import load_domain_policy, load_policy, policies_root, snapshots

__all__ = [
    "MOST_LOG_STD",
    "GaussianPolicy",
    "NotAPolicyError",
    "UniformPolicy",
    "for_sizes",
    "load_domain_policy",
    "load_policy",
    "policies_root",
    "scale_actions",
    "snapshots",
    "unscale_actions",
]
