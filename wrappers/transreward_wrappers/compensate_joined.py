"""Compensation of environments that are stepped one by one: what all of them share, as lanes tell it."""

from __future__ import annotations

from transreward_envs.training.joined import JoinedEnvironments


class CompensateJoined(JoinedEnvironments):
    """Environments with one compensation, each wrapped for itself."""

    @property
    def diagnostics(self) -> dict[str, float]:
        """Running figures of the compensation, for a logger."""
        figures: dict[str, float] = self.shared("diagnostics")
        return figures

    def save_state(self, path: str) -> None:
        """Write what the compensation has learnt, for a run to resume from."""
        self.shared("save_state")(path)

    def load_state(self, path: str) -> None:
        """Read what :meth:`save_state` wrote; without such a file the compensation is fitted as for a new run."""
        self.shared("load_state")(path)
