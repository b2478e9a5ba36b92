"""Imagination: only what the world model knows counts, and a search sets out from what has been seen."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from transreward_wrappers.alignment import Reference
from transreward_wrappers.datasets import Episode
from transreward_wrappers.dtw import imagination as imagination_module
from transreward_wrappers.dtw.imagination import Imagination
from transreward_wrappers.dtw.labels import Labeller, identity
from transreward_wrappers.dtw.recorded import NEAREST, Recorded
from transreward_wrappers.world_models import PlanSettings, plan
from transreward_wrappers.world_models.priors import StateGuess
from transreward_wrappers.world_models.report import Errors, ModelReport

HORIZON = 10
TYPICAL = 0.1
"""Spread that the model below has on held-out data."""

REPORT = ModelReport(
    errors={"all": Errors(model=(0.0,) * 4, persistence=(1.0,) * 4, windows=(1,) * 4)},
    spread=(TYPICAL,) * 4,
    fitted_steps=1,
    cpu_seconds=0.0,
)


class Integrator:
    """A point moves by its action, within a tenth. Where it is beyond ``edge``, the model is less and less sure."""

    kind, action_size, observation_size, state_size = "integrator", 1, 1, 1

    def __init__(self, *, edge: float = np.inf, report: ModelReport = REPORT) -> None:
        self.edge, self.report = edge, report

    def rollout(self, states: torch.Tensor, actions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        path = states[:, None] + 0.1 * actions.cumsum(dim=1)
        return path, TYPICAL * (1.0 + 100.0 * (path[..., 0] - self.edge).clamp_min(0.0))

    def draft(self, states: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        return self.rollout(states, actions)[0]


class AtTheLast:
    """The prior of a model whose state is the observation."""

    kind = "last"

    def __call__(self, observations: torch.Tensor) -> StateGuess:
        mean = observations[:, -1].float()
        return StateGuess(mean=mean, std=torch.zeros_like(mean))


def line(length: int = 41, *, slope: float = 0.05) -> Reference:
    """A reference that goes up steadily, and is paid 1 a step."""
    return Reference(observations=slope * np.arange(length)[:, None], rewards=np.ones(length), scale=np.array([0.05]))


def imagination(
    model: Integrator, *, recorded: Recorded | None = None, penalty: float = 1.0, **changes: object
) -> Imagination:
    settings = PlanSettings(horizon=HORIZON, iterations=1, candidates=8, finalists=8, elites=4, penalty=penalty)
    return Imagination(
        model=model,
        prior=AtTheLast(),
        labeller=Labeller(to_source=identity, method="dtw", carry="mean", tau=1.0, window=HORIZON),
        settings=settings,
        recorded=recorded or Recorded([], HORIZON),
        **{"bad": 2, "trust": 3.0, **changes},
    )


def going(start: float, action: float, steps: int = 30) -> Episode:
    """An episode of the point's that always does the same."""
    observations = start + 0.1 * action * np.arange(steps + 1)[:, None]
    actions = np.full((steps, 1), action)
    return Episode(observations=observations, actions=actions, rewards=np.zeros(steps), terminated=False)


def test_pieces_begin_where_the_model_knows_the_state() -> None:
    reference = line()
    known = imagination(Integrator(edge=0.5)).known(reference)
    assert known.tolist() == [place <= 10 for place in range(len(reference) - HORIZON)]
    pieces = list(imagination(Integrator(edge=0.5))([reference], 20, seed=0))
    begins = {float(piece.reference.observations[0, 0]) for piece in pieces}
    assert len(pieces) == 20
    assert len(begins) > 5
    assert max(begins) <= 0.5 + 0.05 + 1e-9  # the step after the state


def test_a_reference_that_the_model_knows_nothing_of_is_left_out() -> None:
    low, high = line(), line(slope=0.05)
    high = replace(high, observations=high.observations + 10.0)
    pieces = list(imagination(Integrator(edge=5.0))([high, low], 4, seed=0))
    assert len(pieces) == 4
    assert all(piece.reference.observations.max() < 5.0 for piece in pieces)
    assert not list(imagination(Integrator(edge=-1.0))([high, low], 4, seed=0))


def test_what_is_imagined_counts_up_to_where_the_model_no_longer_knows() -> None:
    recorded = Recorded([going(0.0, 1.0)], HORIZON)
    for edge, counted in ((np.inf, HORIZON), (0.5, 5), (0.09, 1)):
        imagines = imagination(Integrator(edge=edge), recorded=recorded, penalty=0.0, bad=0)
        piece = imagines.piece(line(slope=0.1), 0, generator())
        known = piece.plan.spread <= 3.0 * TYPICAL + 1e-9
        until = int(known.int().cumprod(dim=0).sum())
        (labels,) = piece.labels
        assert len(labels.rewards) == until
        assert len(piece.found.rewards) == HORIZON
        assert until == counted
        assert np.allclose(labels.observations, piece.plan.observations[:until].numpy())


def test_nothing_is_learnt_from_a_sequence_whose_first_step_the_model_does_not_know() -> None:
    piece = imagination(Integrator(edge=-1.0)).piece(line(), 0, generator())
    assert piece.labels == ()
    everything = imagination(Integrator(edge=-1.0), trust=1e6).piece(line(), 0, generator())
    assert [len(labels.rewards) for labels in everything.labels] == [HORIZON] * 3


def test_a_search_is_no_worse_than_what_has_been_seen() -> None:
    reference, whole = line(slope=0.1), imagination(Integrator())
    seen = Recorded([going(0.0, 0.5), going(0.0, 1.0), going(0.0, -1.0)], HORIZON)
    cold, warm = (replace(whole, recorded=one).piece(reference, 0, generator()) for one in (whole.recorded, seen))
    assert warm.plan.score == pytest.approx(0.0, abs=1e-6)
    assert cold.plan.score < -0.1


def test_doubt_is_weighed_by_what_it_is_on_held_out_data() -> None:
    unsure = replace(REPORT, spread=tuple(10.0 * one for one in REPORT.spread))
    models = [Integrator(edge=-1.0, report=report) for report in (REPORT, unsure)]
    plans = [imagination(model).piece(line(), 0, generator()).plan for model in models]
    charged = [(plan.score - plan.value) / float(plan.spread.mean()) for plan in plans]
    assert charged == pytest.approx([1.0 / TYPICAL, 0.1 / TYPICAL], rel=1e-3)


def test_recorded_actions_are_those_of_the_best_outcome_that_begins_near() -> None:
    recorded = Recorded([going(0.0, action) for action in (-1.0, 0.5, 1.0)] + [going(5.0, 1.0)], HORIZON)

    def highest(observations: torch.Tensor) -> torch.Tensor:
        return observations[:, -1, 0]

    found = recorded.actions(np.array([0.0]), highest, scale=np.array([0.05]))
    assert found is not None
    assert found.shape == (HORIZON, 1)
    assert set(found[:, 0].tolist()) == {1.0}
    lowest = recorded.actions(np.array([0.0]), lambda observations: -highest(observations), scale=np.array([0.05]))
    assert lowest is not None
    assert set(lowest[:, 0].tolist()) == {-1.0}


def test_recorded_actions_go_with_their_own_outcomes() -> None:
    random = np.random.default_rng(0)
    episodes = [
        Episode(
            observations=random.standard_normal((steps + 1, 1)),
            actions=random.uniform(-1.0, 1.0, (steps, 1)),
            rewards=np.zeros(steps),
            terminated=False,
        )
        for steps in (12, HORIZON - 1, 15, HORIZON)
    ]
    recorded = Recorded(episodes, HORIZON)
    for episode in episodes:
        for place in range(len(episode) - HORIZON + 1):
            outcome = torch.tensor(episode.observations[place + 1 : place + HORIZON + 1]).float()

            def alike(observations: torch.Tensor, outcome: torch.Tensor = outcome) -> torch.Tensor:
                return -(observations - outcome).abs().sum(dim=(1, 2))

            found = recorded.actions(episode.observations[place], alike, scale=np.ones(1))
            assert found is not None
            assert np.allclose(found.numpy(), episode.actions[place : place + HORIZON])


def test_a_search_about_what_has_been_seen_stays_nearer(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []

    def planned(*args: Any, settings: PlanSettings, **more: Any) -> Any:
        told.append(settings.std)
        return plan(*args, settings=settings, **more)

    monkeypatch.setattr(imagination_module, "plan", planned)
    imagination(Integrator()).piece(line(), 0, generator())
    imagination(Integrator(), recorded=Recorded([going(0.0, 1.0)], HORIZON)).piece(line(), 0, generator())
    assert told == [PlanSettings().std, imagination_module.STD]
    assert told[1] < told[0]


def test_episodes_shorter_than_the_horizon_start_no_search() -> None:
    assert (
        Recorded([going(0.0, 1.0, steps=HORIZON - 1)], HORIZON).actions(
            np.zeros(1), lambda observations: observations[:, 0, 0], scale=np.ones(1)
        )
        is None
    )
    just = Recorded([going(0.0, 1.0, steps=HORIZON - 1), going(0.0, 0.5, steps=HORIZON)], HORIZON)
    found = just.actions(np.zeros(1), lambda observations: observations[:, 0, 0], scale=np.ones(1))
    assert found is not None
    assert set(found[:, 0].tolist()) == {0.5}
    assert NEAREST > 1


def test_spread_is_known_between_the_steps_that_were_judged() -> None:
    report = replace(REPORT, spread=(1.0, 5.0, 10.0, 10.0))
    assert report.spread_ahead(7) == pytest.approx([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    assert report.spread_ahead(30)[-1] == 10.0
    assert replace(REPORT, spread=(2.0,)).spread_ahead(3) == [2.0, 2.0, 2.0]
    assert replace(REPORT, spread=()).spread_ahead(2) == [1.0, 1.0]


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
