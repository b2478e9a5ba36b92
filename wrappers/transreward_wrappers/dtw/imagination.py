"""What the target could show in place of a reference: actions searched in a world model, and what they lead to.

A world model says something of any state, and knows of few. Where the target cannot keep the source's pace, no data are
of the states that a reference goes through, and a piece that is imagined from one of them would teach that to come near
it is worth little. Only what the model knows counts: states where its spread is that of held-out data, give or take.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from transreward_wrappers.alignment import Reference, dtw_totals
from transreward_wrappers.compensation import Float
from transreward_wrappers.dtw.labels import SLACK, Labeller, Labels
from transreward_wrappers.dtw.recorded import Recorded
from transreward_wrappers.world_models import InitialStatePrior, Plan, PlanSettings, plan
from transreward_wrappers.world_models.model import AnyModel

RUN = 8
"""Observations of a reference from which its piece's initial state is inferred."""

STD = 0.3
"""Of the first Gaussian of a search about recorded actions, in each number [-]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Imagined:
    """A piece of a reference, and what was imagined in its place."""

    reference: Reference
    """The piece."""

    plan: Plan
    """The best that was found."""

    found: Labels
    """What all of it is worth."""

    labels: tuple[Labels, ...]
    """What there is to learn from it, and from random actions from the same state: as far as the model knows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Imagination:
    """Searches target actions whose imagined observations align best with pieces of the same robot's references."""

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

    trust: float
    """The model knows where its spread is at most so many times its mean on held-out data, as far ahead [-]."""

    recorded: Recorded
    """What the target has been seen to do, from where a search sets out."""

    def __call__(self, references: Sequence[Reference], segments: int, *, seed: int) -> Iterator[Imagined]:
        """Yield so many pieces, from references by turns, at places that are drawn of those that the model knows.

        There are none where it knows no state of any reference.

        Args:
            references: The references.
            segments: Number of pieces.
            seed: Of places, states and candidates.
        """
        generator = torch.Generator().manual_seed(seed)
        places = [(whole, cuts) for whole in references if len(cuts := np.flatnonzero(self.known(whole)))]
        bar = tqdm(range(segments if places else 0), desc="imagining the target", leave=False, disable=None)
        for index in bar:
            whole, cuts = places[index % len(places)]
            yield self.piece(whole, int(cuts[torch.randint(len(cuts), (), generator=generator)]), generator)

    def known(self, whole: Reference) -> NDArray[np.bool_]:
        """Return whether the model knows the state at each place of a reference that a piece may follow, ``(C,)``."""
        places = max(len(whole) - max(self.settings.horizon, 2), 1)
        runs = [torch.tensor(whole.observations[None, max(cut + 1 - RUN, 0) : cut + 1]) for cut in range(places)]
        short, long = runs[: RUN - 1], runs[RUN - 1 :]
        batches = [*short, torch.cat(long)] if long else short
        states = torch.cat([self.prior(batch).mean for batch in batches])
        _, spread = self.model.rollout(states, torch.zeros(len(states), 1, self.model.action_size))
        return (spread <= self._limit(1)).all(dim=1).numpy()

    def piece(self, whole: Reference, cut: int, generator: torch.Generator) -> Imagined:
        """Return what is imagined in place of a reference's steps after ``cut``, from the state that it has there."""
        horizon = self.settings.horizon
        rest = whole.part(min(cut + 1, len(whole) - 2), min(cut + 1 + SLACK * horizon, len(whole)))
        run = whole.observations[max(cut + 1 - RUN, 0) : cut + 1]
        state = self.prior(torch.tensor(run[None])).sample(1, generator)[:, 0]

        def score(observations: torch.Tensor) -> torch.Tensor:
            return -dtw_totals(observations, rest, open_end=True) / horizon

        penalty = self.settings.penalty / max(float(self._typical(horizon).mean()), 1e-8)
        start = self.recorded.actions(whole.observations[cut], score, scale=whole.scale)
        settings = replace(self.settings, penalty=penalty, std=self.settings.std if start is None else STD)
        found = plan(self.model, state, score, generator=generator, settings=settings, start=start)
        sequences = [(found.observations, found.spread), *self._random(state, generator)]
        known = [self._known_part(*one) for one in sequences]
        return Imagined(
            reference=rest,
            plan=found,
            found=self.labeller(found.observations.double().numpy(), rest),
            labels=tuple(self.labeller(one, rest) for one in known if len(one)),
        )

    def _random(self, state: torch.Tensor, generator: torch.Generator) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield what random actions lead to, as ``(H, observation_size)``, and the spread of it, as ``(H,)``."""
        if self.bad:
            shape = (self.bad, self.settings.horizon, self.model.action_size)
            actions = 2.0 * torch.rand(shape, generator=generator) - 1.0
            yield from zip(*self.model.rollout(state, actions), strict=True)

    def _known_part(self, observations: torch.Tensor, spread: torch.Tensor) -> Float:
        """Return a sequence up to where the model no longer knows, as ``(T, observation_size)``."""
        steps = int((spread <= self._limit(len(spread))).cumprod(dim=0).sum())
        return np.asarray(observations[:steps].double().numpy())

    def _limit(self, steps: int) -> torch.Tensor:
        """Return the most spread with which the model knows, after each step, as ``(steps,)``."""
        return self.trust * self._typical(steps)

    def _typical(self, steps: int) -> torch.Tensor:
        """Return the mean spread on held-out data, after each step, as ``(steps,)``."""
        report = self.model.report
        assert report is not None, "a model is fitted before it imagines"
        return torch.tensor(report.spread_ahead(steps))
