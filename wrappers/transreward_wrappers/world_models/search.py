"""The cross-entropy method in a world model's imagination (Rubinstein, 1999; Chua et al., 2018, arXiv:1805.12114).

Sequences of actions are drawn from a Gaussian, clipped to ``[-1, 1]``; the Gaussian moves to the best of them, and so
on. A sequence is scored as a whole, by all that it leads to, so that an alignment can be scored as well as a sum of
rewards. Its value is

    score(o_1, ..., o_H) - penalty * mean_t spread_t,

because a search that goes by the score alone finds sequences that fool the model where it knows nothing. What is
returned is the best sequence of all iterations.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields

import torch

from transreward_wrappers.world_models.errors import PoorModelWarning
from transreward_wrappers.world_models.planning import Plan, PlanSettings, Score
from transreward_wrappers.world_models.protocol import Imagines


def plan(
    model: Imagines,
    state: torch.Tensor,
    score: Score,
    *,
    generator: torch.Generator,
    settings: PlanSettings | None = None,
    start: torch.Tensor | None = None,
) -> Plan:
    """Search for the actions whose imagined outcome has the highest value.

    Args:
        model: What imagines.
        state: Where from, as ``(1, state_size)``.
        score: Of imagined observations.
        generator: Of candidates; equal ones give equal plans.
        settings: How to search.
        start: Mean of the first Gaussian, as ``(H, action_size)``, such as :meth:`Plan.shifted` gives; zeros when left
            out. It is tried as it stands, too.

    Raises:
        ValueError: A shape does not fit, or the score is no number for some sequence.
    """
    chosen = settings or PlanSettings()
    _warn_of_poor(model, chosen.horizon)
    search = _Search(model, state, score, chosen, generator)
    search.begin(start)
    for _ in range(chosen.iterations):
        search.iterate()
    return search.result()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Outcome:
    """Sequences that were imagined in full, or one of them."""

    actions: torch.Tensor
    observations: torch.Tensor
    spread: torch.Tensor
    scores: torch.Tensor
    values: torch.Tensor

    def one(self, index: int) -> _Outcome:
        """Return one of them, apart from the others."""
        return _Outcome(**{field.name: getattr(self, field.name)[index].clone() for field in fields(self)})


class _Search:
    """A search under way."""

    def __init__(
        self, model: Imagines, state: torch.Tensor, score: Score, settings: PlanSettings, generator: torch.Generator
    ) -> None:
        self._model, self._state, self._score = model, state, score
        self._settings, self._generator = settings, generator
        self._shape = (settings.horizon, model.action_size)
        self._best: _Outcome | None = None
        self._values: list[float] = []

    def begin(self, start: torch.Tensor | None) -> None:
        """Take the first Gaussian."""
        if len(self._state) != 1:
            raise ValueError(f"A plan starts from one state, (1, state_size); got {tuple(self._state.shape)}.")
        if start is not None and start.shape != self._shape:
            raise ValueError(f"`start` must be (horizon, action_size), {self._shape}; got {tuple(start.shape)}.")
        self._mean = torch.zeros(self._shape) if start is None else start.float().clamp(-1.0, 1.0)
        self._std = torch.full(self._shape, self._settings.std)

    def iterate(self) -> None:
        """Draw, value, and move the Gaussian to the elites."""
        keep = self._settings.smoothing
        outcome = self._valued(self._candidates())
        elites = outcome.values.topk(self._settings.elites).indices
        best = outcome.one(int(elites[0]))
        if self._best is None or best.values > self._best.values:
            self._best = best
        self._values.append(float(self._best.values))
        chosen = outcome.actions[elites]
        self._mean = keep * self._mean + (1.0 - keep) * chosen.mean(dim=0)
        self._std = (keep * self._std + (1.0 - keep) * chosen.std(dim=0)).clamp_min(self._settings.least_std)

    def result(self) -> Plan:
        """Return the best sequence, and the Gaussian as it is."""
        best = self._best
        assert best is not None
        return Plan(
            actions=best.actions,
            observations=best.observations,
            spread=best.spread,
            score=float(best.scores),
            value=float(best.values),
            values=tuple(self._values),
            mean=self._mean,
            std=self._std,
        )

    def _candidates(self) -> torch.Tensor:
        """Return sequences to try, as ``(N, H, action_size)``; first the mean, and the best so far."""
        kept = torch.stack([self._mean] if self._best is None else [self._mean, self._best.actions])
        noise = torch.randn(self._settings.candidates - len(kept), *self._shape, generator=self._generator)
        return torch.cat([kept, (self._mean + self._std * noise).clamp_(-1.0, 1.0)])

    def _valued(self, actions: torch.Tensor) -> _Outcome:
        """Imagine sequences in full and value them; where there are drafts, only the best of these."""
        if self._settings.drafted:
            drafts = self._scored(self._model.draft(self._state, actions))
            drafts[:2] = torch.inf  # the mean and the best so far are imagined in full in any case
            actions = actions[drafts.topk(self._settings.finalists).indices]
        observations, spread = self._model.rollout(self._state, actions)
        scores = self._scored(observations)
        values = scores - self._settings.penalty * spread.mean(dim=1)
        return _Outcome(actions=actions, observations=observations, spread=spread, scores=scores, values=values)

    def _scored(self, observations: torch.Tensor) -> torch.Tensor:
        """Return the score of each sequence.

        Raises:
            ValueError: It is no number, or there is not one for each.
        """
        scores = self._score(observations)
        if scores.shape != (len(observations),) or bool(scores.isnan().any()):
            raise ValueError(
                f"`score` must return a number for each of {len(observations)} sequences; got shape "
                f"{tuple(scores.shape)}, with {int(scores.isnan().sum())} NaN. Return -inf for a sequence that is out "
                "of the question."
            )
        return scores.float().clone()


def _warn_of_poor(model: Imagines, horizon: int) -> None:
    poor = model.report.poor_kinds(horizon) if model.report is not None else {}
    if poor:
        told = ", ".join(f"{ratio:.2f} on {kind!r}" for kind, ratio in poor.items())
        warnings.warn(
            f"The world model is too poor to plan {horizon} steps ahead with: its error there, as a share of "
            f"predicting no change, is {told}. Plan fewer steps, or give it more episodes or more `updates`.",
            PoorModelWarning,
            stacklevel=3,
        )
