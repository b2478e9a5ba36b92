"""An ensemble of small MLPs that learns a number from features; its spread tells how sure it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from transreward_wrappers.compensation import Float
from transreward_wrappers.networks import EnsembleMLP, Frozen, one_thread, seeded
from transreward_wrappers.normalization import RunningNormalizer
from transreward_wrappers.storage import Tensors, with_prefix, without_prefix


@dataclass(frozen=True, kw_only=True, slots=True)
class FitSettings:
    """Sizes of an ensemble, and of its fit."""

    members: int
    """Networks in the ensemble."""

    hidden: int
    """Units in each of the two hidden layers."""

    updates: int
    """Gradient steps."""

    batch_size: int
    """Transitions in a batch, for each member."""

    learning_rate: float
    """Adam's, falling linearly to a twentieth."""

    seed: int
    """Of initial weights and batches."""

    def optimizer(
        self, parameters: Iterable[torch.nn.Parameter]
    ) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
        """Return Adam, and the schedule of its learning rate."""
        adam = torch.optim.Adam(parameters, lr=self.learning_rate, fused=True)
        return adam, torch.optim.lr_scheduler.LinearLR(adam, 1.0, 0.05, max(self.updates, 1))


class Regression:
    """Predicts a number as the mean of an ensemble over normalised features.

    Args:
        width: Number of features.
        settings: Of the fit.
        name: Of what is fitted, for the progress bar.
    """

    def __init__(self, width: int, *, settings: FitSettings, name: str) -> None:
        self._width, self._settings, self._name = width, settings, name
        self._begin()

    def fit(self, rows: NDArray[np.float32], values: Float) -> None:
        """Fit to rows by squared error, each member on its own batches; what was learnt before is forgotten.

        Args:
            rows: Features, as ``(B, width)``.
            values: What is to be predicted, as ``(B,)``.
        """
        self._begin()
        settings = self._settings
        self._inputs.observe(rows)
        self._mean, self._deviation = float(values.mean()), float(values.std()) + 1e-8
        inputs = torch.from_numpy(self._inputs(rows))
        targets = torch.from_numpy(((values - self._mean) / self._deviation).astype(np.float32))
        generator = torch.Generator().manual_seed(settings.seed)
        optimizer, schedule = settings.optimizer(list(self._ensemble.parameters()))
        with one_thread():
            for _ in tqdm(range(settings.updates), desc=f"fitting {self._name}", leave=False, disable=None):
                index = torch.randint(len(rows), (settings.members, settings.batch_size), generator=generator)
                loss = (self._ensemble(inputs[index])[..., 0] - targets[index]).square().mean()
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
        self._frozen = Frozen(self._ensemble)

    def __call__(self, rows: NDArray[np.float32]) -> tuple[Float, Float]:
        """Return predictions and the members' standard deviation, as ``(B,)`` each."""
        predictions = self._frozen(self._inputs(rows)).astype(np.float64) * self._deviation + self._mean
        return predictions.mean(axis=0), predictions.std(axis=0)

    def tensors(self) -> Tensors:
        """Return weights and statistics."""
        return {
            **with_prefix("ensemble", self._ensemble.state_dict()),
            **with_prefix("inputs", self._inputs.tensors()),
            "reward": torch.tensor([self._mean, self._deviation], dtype=torch.float64),
        }

    def restore(self, tensors: Tensors) -> None:
        """Put back what :meth:`tensors` returned."""
        self._ensemble.load_state_dict(without_prefix("ensemble", tensors))
        self._frozen = Frozen(self._ensemble)
        self._inputs.load_tensors(without_prefix("inputs", tensors))
        self._mean, self._deviation = (float(value) for value in tensors["reward"])

    def _begin(self) -> None:
        """Draw initial weights."""
        hidden = self._settings.hidden
        with seeded(self._settings.seed):
            self._ensemble = EnsembleMLP(self._settings.members, [self._width, hidden, hidden, 1])
        self._frozen = Frozen(self._ensemble)
        self._inputs: RunningNormalizer = RunningNormalizer(self._width)
        self._mean, self._deviation = 0.0, 1.0
