"""Random streams of a domain, apart from the one of the initial states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True, slots=True)
class Streams:
    """Children of the env's generator: drawing from them leaves the initial states as they are."""

    action: np.random.Generator
    observation: np.random.Generator
    shift: np.random.Generator

    @classmethod
    def spawn(cls, parent: np.random.Generator) -> Streams:
        """Return new streams; the parent's own draws stay the same."""
        action, observation, shift = parent.spawn(3)
        return cls(action=action, observation=observation, shift=shift)
