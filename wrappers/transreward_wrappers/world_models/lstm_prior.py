"""The initial-state prior of a recurrent model: an LSTM that reads observations at any stride.

    belief ~ N(m, diag(s^2)),    m, log s = LSTM(o_1, ..., o_L),    loss = mean of log s + (belief - m)^2 / (2 s^2)

It learns from target data: the model's own belief after a whole window is what sub-sequences of that window, taken with
random strides and without actions, are to predict. The latent part of the state is seen in the last observation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn

from transreward_envs.errors import require_count, require_positive
from transreward_wrappers.networks import one_thread, seeded
from transreward_wrappers.storage import Tensors
from transreward_wrappers.world_models.checks import require_domain, require_runs
from transreward_wrappers.world_models.descent import Stage, descend
from transreward_wrappers.world_models.episodes import EpisodeStore
from transreward_wrappers.world_models.files import read_model, require_identity, write_model
from transreward_wrappers.world_models.model import AnyModel
from transreward_wrappers.world_models.priors import StateGuess
from transreward_wrappers.world_models.protocol import Values
from transreward_wrappers.world_models.rssm import RSSM
from transreward_wrappers.world_models.windows import Stretches, Windows

LOG_STD = (-5.0, 1.0)
"""Between which the log-deviations of beliefs lie."""

JUDGED = 500
"""Held-out windows by which it is judged."""


@dataclass(frozen=True, kw_only=True)
class LSTMPriorSettings:
    """Sizes of the prior, and of its fit.

    Raises:
        TypeError: A setting is not of its kind.
        ValueError: A setting breaks its rule.
    """

    hidden: int = 128
    """Units of the LSTM."""

    updates: int = 1_500
    """Gradient steps."""

    batch_size: int = 64
    """Windows in a batch."""

    learning_rate: float = 1e-3
    """Adam's, falling linearly to a twentieth."""

    longest: int = 8
    """Most observations in a run that it learns from."""

    most_stride: int = 3
    """Most steps between two observations of such a run."""

    seed: int = 0
    """Of initial weights and runs."""

    def __post_init__(self) -> None:
        for name in ("hidden", "batch_size", "longest", "most_stride"):
            require_count(name, getattr(self, name), at_least=1)
        for name in ("updates", "seed"):
            require_count(name, getattr(self, name))
        require_positive("learning_rate", self.learning_rate)


class LSTMPrior:
    """From runs of observations to the states of a recurrent model.

    Args:
        model: Fitted already.
        settings: Sizes, and the fit.
    """

    kind: ClassVar[str] = "lstm"

    def __init__(self, model: AnyModel, *, settings: LSTMPriorSettings | None = None) -> None:
        if not isinstance(model, RSSM):
            raise ValueError(
                f"The prior 'lstm' is for recurrent models, 'rssm'; got {model.kind!r}. Take the prior 'identity'."
            )
        self._model, self.settings = model, settings or LSTMPriorSettings()
        self._fitted = False
        with seeded(self.settings.seed):
            self._network = _Reader(model.observation_size, self.settings.hidden, model.settings.belief)

    def fit(self, store: EpisodeStore, *, updates: int | None = None) -> float:
        """Learn from the target's episodes; return the share of the beliefs' variance that held-out runs leave open.

        Args:
            store: The episodes.
            updates: Gradient steps; as many as the settings say when left out.

        Raises:
            ValueError: The episodes are of other sizes, or too few.
            FloatingPointError: The loss is not finite.
        """
        model, settings = self._model, self.settings
        require_domain(store, model.observation_size, model.action_size)
        train, held = store.split()
        generator = torch.Generator().manual_seed(settings.seed)
        length = model.settings.length
        with one_thread():
            descend(
                self._network,
                self._loss,
                train,
                [Stage(updates=settings.updates if updates is None else updates, length=length)],
                batch=(settings.batch_size,),
                learning_rate=settings.learning_rate,
                generator=generator,
                name="the initial-state prior",
            )
            self._fitted = True
            return self._open_share(held, length, generator)

    @torch.no_grad()
    def __call__(self, observations: Values) -> StateGuess:
        """Return what runs of observations say of the states at their ends.

        Args:
            observations: As ``(B, L, observation_size)``, at any stride.

        Raises:
            RuntimeError: The prior is not fitted.
            ValueError: Shapes do not fit, or observations are not finite.
        """
        if not self._fitted:
            raise RuntimeError("A prior must be fitted or loaded before it is used. Call `fit` or `load`.")
        model = self._model
        runs, _ = require_runs(observations, None, model.observation_size, model.action_size)
        normalised = model.network.scales.normalise(runs)
        belief, spread = self._network(normalised)
        latent, its_spread = model.network.see(normalised[:, -1])
        return StateGuess(mean=torch.cat([belief, latent], dim=-1), std=torch.cat([spread, its_spread], dim=-1))

    def save(self, path: Path | str) -> None:
        """Write the prior to a file."""
        write_model(path, self._network.state_dict(), self._identity(), {})

    def load(self, path: Path | str) -> None:
        """Read the prior of the same model from a file.

        Raises:
            FileNotFoundError: There is no such file.
            CorruptFileError: It is damaged.
            StaleModelError: It is of another model.
        """
        tensors, told = read_model(path)
        require_identity(path, told, self._identity())
        self.restore(tensors)

    def tensors(self) -> Tensors:
        """Return all that was learnt."""
        return self._network.state_dict()

    def restore(self, tensors: Tensors) -> None:
        """Put back what :meth:`tensors` returned."""
        self._network.load_state_dict(tensors)
        self._fitted = True

    def _identity(self) -> dict[str, Any]:
        return {"kind": self.kind, "settings": asdict(self.settings), "model": self._model.digest()}

    def _loss(self, windows: Windows, generator: torch.Generator) -> torch.Tensor:
        runs, beliefs = self._task(windows, generator)
        mean, std = self._network(runs)
        losses: torch.Tensor = torch.log(std) + (beliefs - mean).square() / (2.0 * std.square())
        return losses.mean()

    @torch.no_grad()
    def _task(self, windows: Windows, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Return normalised sub-sequences of windows, and the model's beliefs at their ends."""
        network, settings = self._model.network, self.settings
        steps = windows.mask.sum(dim=-1).long()
        count = int(torch.randint(1, settings.longest + 1, (), generator=generator))
        strides = torch.randint(1, settings.most_stride + 1, (len(steps), count), generator=generator)
        back = strides.cumsum(dim=1) - strides[:, :1]
        positions = (steps[:, None] - back).clamp_min(0).flip(1)
        rows = torch.arange(len(steps))
        runs = network.scales.normalise(windows.observations[rows[:, None], positions])
        return runs, network.beliefs(windows.observations, windows.actions)[rows, steps - 1]

    @torch.no_grad()
    def _open_share(self, held: Mapping[str, Stretches], length: int, generator: torch.Generator) -> float:
        """Return the squared error on held-out runs as a share of the beliefs' variance."""
        found = []
        for data in held.values():
            starts = data.starts(length)
            drawn = starts[torch.randint(len(starts), (JUDGED,), generator=generator)]
            found.append(self._task(data.windows(drawn, length), generator))
        errors = torch.cat([(self._network(runs)[0] - beliefs).square() for runs, beliefs in found])
        variance = torch.cat([beliefs for _, beliefs in found]).var(dim=0)
        return float(errors.mean() / variance.mean().clamp_min(1e-12))


class _Reader(nn.Module):
    """From normalised observations, as ``(B, L, O)``, to mean and deviation of the belief, as ``(B, belief)``."""

    def __init__(self, observation_size: int, hidden: int, belief: int) -> None:
        super().__init__()
        self.memory = nn.LSTM(observation_size, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 2 * belief)

    def forward(self, runs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        last = self.memory(runs)[0][:, -1]
        mean, log_std = self.head(last).chunk(2, dim=-1)
        return mean, log_std.clamp(*LOG_STD).exp()
