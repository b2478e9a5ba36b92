"""Transitions of the target as they would be in the source, where the two have different robots."""

from __future__ import annotations

from dataclasses import replace

from transreward_envs.correspondence import DomainMap
from transreward_wrappers.compensation import Transitions


def in_source(batch: Transitions, mapping: DomainMap | None) -> Transitions:
    """Return a batch with observations and actions mapped to the source; as it is where nothing is to be mapped."""
    if mapping is None:
        return batch
    return replace(
        batch,
        observation=mapping.observation(batch.observation),
        action=mapping.action(batch.action),
        next_observation=mapping.observation(batch.next_observation),
    )
