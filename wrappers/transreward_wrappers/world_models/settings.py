"""What the settings of all world models have in common."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from transreward_envs.errors import require_count, require_positive


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """Sizes of a model, and of its fit.

    Raises:
        TypeError: A setting is not of its kind.
        ValueError: A setting breaks its rule.
    """

    hidden: int = 256
    """Units in each hidden layer."""

    updates: int = 2_000
    """Gradient steps."""

    batch_size: int = 256
    """Windows in a batch; of an ensemble, for each member."""

    learning_rate: float = 1e-3
    """Adam's, falling linearly to a twentieth."""

    seed: int = 0
    """Of initial weights and batches."""

    def __post_init__(self) -> None:
        for name in ("hidden", "batch_size"):
            require_count(name, getattr(self, name), at_least=1)
        for name in ("updates", "seed"):
            require_count(name, getattr(self, name))
        require_positive("learning_rate", self.learning_rate)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON types."""
        return dataclasses.asdict(self)
