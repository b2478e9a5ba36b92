"""Batched stepping: many lanes of a robot in one call, each in its own world."""

from transreward_envs.batched.domain import BatchedDomain

__all__ = ["BatchedDomain"]
