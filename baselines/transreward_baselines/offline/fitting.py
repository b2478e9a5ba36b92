"""Fits the world models of many runs at once, each to its own data, and keeps the fit so that none is made twice."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from transreward_baselines.offline.data import OfflineData
from transreward_baselines.offline.dynamics import Dynamics
from transreward_baselines.offline.stacked import descend
from transreward_baselines.offline.streams import Streams
from transreward_baselines.run_directory import RunDirectoryError
from transreward_envs.errors import require_count, require_positive
from transreward_wrappers.storage import (
    Tensors,
    load_optimizer_tensors,
    load_tensors,
    optimizer_tensors,
    save_tensors,
    with_prefix,
    without_prefix,
)

HELD_OUT = 10
"""Every so many-th transition of a run is held out, to judge members by."""

JUDGED = 2_000
"""Held-out transitions of a run that members are judged by, evenly spread over all; of fewer, some count twice."""

JUDGED_EVERY = 1_000
"""Gradient steps between two judgements."""

LAST_RATE = 0.05
"""Share of the learning rate to which it falls linearly, as in the suite's other world models."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FitSettings:
    """How models are fitted.

    Raises:
        TypeError: A setting is not of its kind.
        ValueError: A setting breaks its rule.
    """

    updates: int = 20_000
    """Gradient steps."""

    batch_size: int = 256
    """Transitions of a step, for each member its own."""

    learning_rate: float = 1e-3
    """Of Adam, at first."""

    def __post_init__(self) -> None:
        for name in ("updates", "batch_size"):
            require_count(name, getattr(self, name), at_least=1)
        require_positive("learning_rate", self.learning_rate)


class Fit:
    """A fit under way: models as they are, and of each member the weights that have predicted held-out data best.

    Args:
        dynamics: The models; in the end its weights are the best ones, and its elites the best members.
        data: Of the runs.
        streams: Random numbers of the runs.
        settings: How to fit.

    Raises:
        ValueError: A run has too few transitions to hold any out.
    """

    def __init__(self, dynamics: Dynamics, data: OfflineData, streams: Streams, settings: FitSettings) -> None:
        if (fewest := int(data.sizes.min())) < HELD_OUT:
            raise ValueError(
                f"A world model needs {HELD_OUT} transitions at least, to be judged by some of them; a run has "
                f"{fewest}. Give it more data."
            )
        self.dynamics, self.data, self.streams, self.settings = dynamics, data, streams, settings
        dynamics.measure(data)
        self.best = copy.deepcopy(dynamics).requires_grad_(False)
        self.optimizer = torch.optim.Adam(dynamics.parameters(), lr=settings.learning_rate, fused=True)
        self.step = 0
        count = (len(data.sizes), dynamics.network.members)
        self.errors = torch.full((*count, 2), torch.inf, device=data.mean.device)
        """Of the best weights: mean squared errors of changes and of rewards, in variances, as ``(R, K, 2)``."""
        held = (data.sizes // HELD_OUT).to(data.mean.device)
        spread = torch.linspace(0.0, 1.0, JUDGED, device=data.mean.device, dtype=torch.float64)
        index = (spread * (held[:, None] - 1)).round().long()
        self._held = data.positions(index * HELD_OUT + HELD_OUT - 1)

    def go(self, path: Path | None, identity: Mapping[str, Any], *, quiet: bool) -> None:
        """Fit to the end, from what a file keeps, if there is one.

        Args:
            path: Where the fit is kept; nowhere when left out.
            identity: Whose fit it is, as JSON types.
            quiet: Show no progress bar.

        Raises:
            RunDirectoryError: The file holds another fit.
            CorruptFileError: It is damaged.
        """
        if path is not None and path.exists():
            self._load(path, identity)
        total = self.settings.updates
        bar = tqdm(total=total, initial=self.step, desc="fitting world models", unit="step", disable=quiet or None)
        with bar:
            while self.step < total:
                self._update()
                bar.update()
                if self.step % JUDGED_EVERY == 0 or self.step == total:
                    self._judge()
                    if self.step == total:
                        self._finish()
                    if path is not None:
                        self._save(path, identity)

    def _update(self) -> None:
        rate = self.settings.learning_rate * (1.0 - (1.0 - LAST_RATE) * self.step / self.settings.updates)
        self.optimizer.param_groups[0]["lr"] = rate
        descend(self.optimizer, self.dynamics.loss(*self._predicted(self._batch())))
        self.step += 1

    def _batch(self) -> torch.Tensor:
        """Return where transitions drawn for each member are, none of them held out, as ``(R, K, B)``."""
        members = self.dynamics.network.members
        drawn = self.streams.uniform("world model batch", members * self.settings.batch_size).double()
        sizes = self.data.sizes.to(drawn.device)[:, None]
        kept = (drawn * (sizes - sizes // HELD_OUT)).long()
        return torch.unflatten(self.data.positions(kept + kept // (HELD_OUT - 1)), 1, (members, -1))

    def _predicted(self, where: torch.Tensor) -> tuple[Any, torch.Tensor]:
        """Return what members say of transitions at ``(R, K, B)``, and what was to be said."""
        seen, done, paid, following = (
            self.data.arrays[name][where] for name in ("observations", "actions", "rewards", "next_observations")
        )
        return self.dynamics.predict(seen, done), self.dynamics.truth(seen, paid, following)

    @torch.no_grad()
    def _judge(self) -> None:
        """Measure members on what is held out, and keep the weights of those that are better than ever."""
        members = self.dynamics.network.members
        prediction, truth = self._predicted(self._held[:, None].expand(-1, members, -1))
        squares = (prediction.means - truth).square().mean(dim=2)
        errors = torch.stack([squares[..., :-1].mean(dim=-1), squares[..., -1]], dim=-1)
        better = errors.sum(dim=-1) < self.errors.sum(dim=-1)
        self.errors = torch.where(better[..., None], errors, self.errors)
        for kept, now in zip(self.best.parameters(), self.dynamics.parameters(), strict=True):
            kept.copy_(torch.where(better.view(-1, 1, 1), now, kept))

    @torch.no_grad()
    def _finish(self) -> None:
        """Put the best weights into the models, and let their best members imagine."""
        self.dynamics.load_state_dict(self.best.state_dict())
        order = self.errors.sum(dim=-1).argsort(dim=1)
        self.dynamics.elites.copy_(order[:, : self.dynamics.elites.shape[1]])

    def _save(self, path: Path, identity: Mapping[str, Any]) -> None:
        tensors: Tensors = with_prefix("dynamics", self.dynamics.state_dict()) | {"errors": self.errors}
        if self.step < self.settings.updates:
            tensors |= with_prefix("best", self.best.state_dict())
            tensors |= with_prefix("optimizer", optimizer_tensors(self.optimizer))
        save_tensors(path, tensors, {"identity": identity, "step": self.step, "drawn": self.streams.drawn})

    def _load(self, path: Path, identity: Mapping[str, Any]) -> None:
        tensors, told = load_tensors(path)
        if told.get("identity") != identity:
            raise RunDirectoryError(
                f"World models are kept for their own runs and settings; {path} is of {told.get('identity')}, not of "
                f"{identity}. Delete it, or choose another `--out`."
            )
        self.dynamics.load_state_dict(without_prefix("dynamics", tensors))
        if best := without_prefix("best", tensors):
            self.best.load_state_dict(best)
            load_optimizer_tensors(self.optimizer, without_prefix("optimizer", tensors))
        self.errors = tensors["errors"].to(self.errors.device)
        self.step = int(told["step"])
        self.streams.restore(told["drawn"])
