"""Settings of the recurrent state-space model."""

from __future__ import annotations

from dataclasses import dataclass

from transreward_envs.errors import require_count, require_non_negative, require_share
from transreward_wrappers.world_models.settings import ModelSettings


@dataclass(frozen=True, kw_only=True)
class RSSMSettings(ModelSettings):
    """Sizes of a recurrent model, and of its fit."""

    hidden: int = 128
    """Units in each hidden layer."""

    updates: int = 2_500
    """Gradient steps."""

    batch_size: int = 32
    """Windows in a batch."""

    belief: int = 128
    """Length of the deterministic part of a state."""

    stochastic: int = 16
    """Length of the stochastic part."""

    length: int = 25
    """Steps of a window."""

    balance: float = 0.8
    """Share of the divergence that moves the prior; the rest moves the posterior [-]."""

    free_nats: float = 1.0
    """Divergence that costs nothing [nats]."""

    reward: bool = False
    """Whether rewards and ends of the task are predicted, too."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("belief", "stochastic", "length"):
            require_count(name, getattr(self, name), at_least=1)
        require_share("balance", self.balance)
        require_non_negative("free_nats", self.free_nats)
        if not isinstance(self.reward, bool):
            raise TypeError(f"`reward` must be a bool; got {self.reward!r}.")
