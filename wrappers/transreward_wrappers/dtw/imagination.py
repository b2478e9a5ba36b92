"""What the target could show in place of a reference: actions searched in a world model, and what they lead to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from transreward_wrappers.alignment import Reference, dtw_totals
from transreward_wrappers.compensation import Float
from transreward_wrappers.dtw.labels import Labeller, Labels
from transreward_wrappers.world_models import InitialStatePrior, Plan, PlanSettings, plan
from transreward_wrappers.world_models.model import AnyModel

RUN = 8
"""Observations of a reference from which its piece's initial state is inferred."""

SLACK = 2
"""A piece of a reference has so many times the steps that are planned: the target may be the slower one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Imagined:
    """A piece of a reference, and what was imagined in its place."""

    reference: Reference
    """The piece."""

    plan: Plan
    """The best that was found."""

    labels: tuple[Labels, ...]
    """What it is worth, and what random actions from the same state are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Imagination:
    """Searches target actions whose imagined observations align best with pieces of references."""

    model: AnyModel
    """Of the target."""

    prior: InitialStatePrior
    """From a run of the source's observations to the model's state at its end."""

    labeller: Labeller
    """Pays for what is imagined."""

    settings: PlanSettings
    """Of the search."""

    bad: int
    """Random sequences beside each that was searched."""

    def __call__(self, references: Sequence[Reference], segments: int, *, seed: int) -> Iterator[Imagined]:
        """Yield so many pieces, from references by turns, at places that are drawn.

        Args:
            references: The references.
            segments: Number of pieces.
            seed: Of places, states and candidates.
        """
        generator = torch.Generator().manual_seed(seed)
        for index in tqdm(range(segments), desc="imagining the target", leave=False, disable=None):
            whole = references[index % len(references)]
            last = max(len(whole) - max(self.settings.horizon, 2), 1)
            yield self.piece(whole, int(torch.randint(last, (), generator=generator)), generator)

    def piece(self, whole: Reference, cut: int, generator: torch.Generator) -> Imagined:
        """Return what is imagined in place of a reference's steps after ``cut``, from the state that it has there."""
        horizon = self.settings.horizon
        rest = whole.part(min(cut + 1, len(whole) - 2), min(cut + 1 + SLACK * horizon, len(whole)))
        run = whole.observations[max(cut + 1 - RUN, 0) : cut + 1]
        state = self.prior(torch.tensor(run[None])).sample(1, generator)[:, 0]

        def score(observations: torch.Tensor) -> torch.Tensor:
            mapped = self.labeller.to_source(observations.double().numpy())
            return -dtw_totals(torch.from_numpy(mapped).float(), rest, open_end=True) / horizon

        found = plan(self.model, state, score, generator=generator, settings=self.settings)
        sequences = [found.observations.double().numpy(), *self._random(state, generator)]
        return Imagined(reference=rest, plan=found, labels=tuple(self.labeller(one, [rest]) for one in sequences))

    def _random(self, state: torch.Tensor, generator: torch.Generator) -> list[Float]:
        """Return what random actions lead to, as ``(H, observation_size)`` each."""
        if self.bad == 0:
            return []
        shape = (self.bad, self.settings.horizon, self.model.action_size)
        actions = 2.0 * torch.rand(shape, generator=generator) - 1.0
        observations, _ = self.model.rollout(state, actions)
        return [np.asarray(one.double().numpy()) for one in observations]
