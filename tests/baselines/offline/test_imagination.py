"""Branches in world models: what they start from, how they are paid, where they end, and what is kept of them."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.baselines.offline.conftest import FIRST, PAIR, SECOND
from tests.baselines.offline.test_scripts import SMALL_MODELS
from transreward_baselines.offline.data import Batch, OfflineData
from transreward_baselines.offline.dynamics import Dynamics
from transreward_baselines.offline.fitting import Fit, FitSettings
from transreward_baselines.offline.imagination import Branches, Imagined
from transreward_baselines.offline.model_based import ModelArgs, WorldModels
from transreward_baselines.offline.streams import Streams

CPU = torch.device("cpu")
NOWHERE = (np.full(4, -np.inf), np.full(4, np.inf))


class Recording(Imagined):
    """Keeps each step of branches by itself too."""

    def __init__(self) -> None:
        super().__init__(2, observation=4, action=1, capacity=1_000, device=CPU)
        self.steps: list[Batch] = []

    def add(self, transitions: Batch) -> None:
        self.steps.append(transitions)
        super().add(transitions)


def make_dynamics() -> tuple[Dynamics, OfflineData]:
    data = OfflineData([FIRST, SECOND], device=CPU)
    dynamics = Dynamics([3, 4], [4, 16, 16, 1], members=3, elites=2)
    Fit(dynamics, data, Streams([3, 4], CPU), FitSettings())  # takes the scales
    return dynamics, data


def distances(states: torch.Tensor, data: OfflineData, run: int) -> torch.Tensor:
    """Return how far states are from the nearest one of a run's data."""
    own = data.arrays["observations"][data.whole(run)]
    return torch.cdist(states, own, compute_mode="donot_use_mm_for_euclid_dist").amin(dim=1)


def policy(seen: torch.Tensor) -> torch.Tensor:
    return seen[..., :1].tanh()


def grown(**changes: Any) -> tuple[Recording, Branches, OfflineData]:
    dynamics, data = make_dynamics()
    imagined = Recording()
    branches = Branches(dynamics, **{"bounds": NOWHERE, "count": 20, "horizon": 3, "penalty": 0.5, **changes})
    branches.grow(policy, data, Streams([3, 4], CPU), imagined)
    return imagined, branches, data


def test_a_branch_starts_at_a_state_of_the_runs_own_data_and_each_step_where_the_last_one_led() -> None:
    imagined, _, data = grown()
    assert len(imagined.steps) == 3
    starts = imagined.steps[0].observations * data.deviation + data.mean
    for run in range(2):
        assert distances(starts[run], data, run).max() < 1e-4
    for before, after in zip(imagined.steps, imagined.steps[1:], strict=False):
        torch.testing.assert_close(after.observations, before.next_observations)
    for step in imagined.steps:
        torch.testing.assert_close(step.actions, policy(step.observations))
        assert (step.bootstrap == 1.0).all()
        assert (step.where == -1).all()


def test_rewards_are_those_imagined_less_the_penalty_of_uncertainty() -> None:
    heavy, branches, data = grown(penalty=2.0, horizon=1)
    light, _, _ = grown(penalty=0.0, horizon=1)
    seen = light.steps[0].observations * data.deviation + data.mean
    uncertainty = branches.dynamics.uncertainty(branches.dynamics.predict(seen, light.steps[0].actions))
    assert (uncertainty > 0.1).all()
    paid = light.steps[0].rewards - 2.0 * uncertainty
    torch.testing.assert_close(heavy.steps[0].rewards, paid, rtol=1e-4, atol=1e-4)


def test_nothing_is_expected_beyond_an_end_and_the_branch_begins_anew() -> None:
    bounds = (np.array([-np.inf, -2.0, -np.inf, -np.inf]), np.array([np.inf, 2.0, np.inf, np.inf]))
    imagined, _, data = grown(bounds=bounds)
    states = [step.next_observations * data.deviation + data.mean for step in imagined.steps]
    for step, state in zip(imagined.steps, states, strict=True):
        over = state[..., 1].abs() > 2.0
        assert 0 < over.sum() < over.numel()
        assert torch.equal(step.bootstrap == 0.0, over)
    for before, after in zip(imagined.steps, imagined.steps[1:], strict=False):
        over = before.bootstrap == 0.0
        same = (after.observations == before.next_observations).all(dim=-1)
        assert torch.equal(same, ~over)
        fresh = (after.observations * data.deviation + data.mean)[0][over[0]]
        assert distances(fresh, data, 0).max() < 1e-4


def numbered(first: int, count: int) -> Batch:
    """Return transitions of two runs whose rewards count on; those of the second run are negative."""
    rewards = torch.arange(first, first + count).float() * torch.tensor([[1.0], [-1.0]])
    wide = rewards[..., None].expand(-1, -1, 2)
    return Batch(
        observations=wide,
        actions=wide[..., :1] / 100.0,
        rewards=rewards,
        next_observations=wide + 0.5,
        bootstrap=torch.ones_like(rewards),
        where=torch.full_like(rewards, -1, dtype=torch.int64),
    )


def test_the_newest_transitions_are_kept_and_drawn_whole_for_their_own_run() -> None:
    imagined, streams = Imagined(2, observation=2, action=1, capacity=10, device=CPU), Streams([0, 1], CPU)
    for first in (0, 4, 8):
        imagined.add(numbered(first, 4))
    drawn = imagined.sample(streams, 400)
    assert set(drawn.rewards[0].tolist()) == set(range(2, 12))
    assert set((-drawn.rewards[1]).tolist()) == set(range(2, 12))
    torch.testing.assert_close(drawn.observations, drawn.rewards[..., None].expand(-1, -1, 2))
    torch.testing.assert_close(drawn.next_observations, drawn.observations + 0.5)
    torch.testing.assert_close(drawn.actions[..., 0], drawn.rewards / 100.0)
    assert drawn.where.shape == drawn.bootstrap.shape == (2, 400)


def test_before_it_is_full_only_what_is_there_is_drawn() -> None:
    imagined = Imagined(2, observation=2, action=1, capacity=1_000, device=CPU)
    imagined.add(numbered(1, 4))
    assert set(imagined.sample(Streams([0, 1], CPU), 400).rewards[0].tolist()) == {1.0, 2.0, 3.0, 4.0}


def test_more_than_fits_is_refused_before_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transreward_baselines.offline.imagination.free_memory", lambda device: 2**30)
    with pytest.raises(
        MemoryError, match=r"10,000,000 imagined transitions of each of 2 runs take 6.0 GiB on cpu, which has 1.0"
    ):
        Imagined(2, observation=11, action=3, capacity=10_000_000, device=CPU)  # of 2.0 GiB, three times to be saved


def make_models(**changes: Any) -> tuple[WorldModels, OfflineData, Streams]:
    args = ModelArgs(**{"pair": PAIR, "data": (FIRST, SECOND), "quiet": True, **SMALL_MODELS, **changes})
    data, streams = OfflineData([run.data for run in args.runs], device=CPU), Streams([0, 0], CPU)
    models = WorldModels(args, data, streams, penalty=1.0)
    models.fit(None)
    return models, data, streams


@pytest.mark.parametrize(("share", "real"), [(0.0, 0), (0.05, 5), (0.5, 50), (1.0, 100)])
def test_a_batch_keeps_the_datas_share_evenly_and_the_rest_is_imagined(share: float, real: int) -> None:
    models, data, streams = make_models(real_share=share, model_updates=1)
    batch = data.sample(streams, 100)
    mixed = models.mixed(batch, 0, policy)
    assert mixed.rewards.shape == (2, 100)
    from_data = mixed.where[0] >= 0
    assert from_data.sum() == real
    places = [int((batch.where[0] == where).nonzero()[0]) for where in mixed.where[0, from_data]]
    assert real < 2 or (min(places) < 5 and max(places) > 94)


def test_branches_grow_when_it_is_time_to() -> None:
    models, data, streams = make_models(model_updates=1, horizon=2)
    made = []
    for step in range(6):
        models.mixed(data.sample(streams, 20), step, policy)
        made.append(int(models.imagined.made))
    assert made == [96] * 5 + [192]


def test_pendulums_fall_in_the_model_where_they_do_in_the_simulator() -> None:
    models, _, _ = make_models(model_updates=1)
    seen = torch.zeros(2, 3, 4)
    seen[:, 0, 1], seen[:, 1, 1] = 0.19, -0.21
    assert models._branches.ends(seen).tolist() == [[False, True, False]] * 2


def test_horizons_follow_the_robot_unless_given() -> None:
    found = {name: ModelArgs(pair=f"{name}-dara-mass", data=(FIRST,)).horizon for name in ("Hopper", "Walker2d")}
    assert found == {"Hopper": 5, "Walker2d": 1}
    assert ModelArgs(pair="Walker2d-dara-mass", data=(FIRST,), horizon=3).horizon == 3


def test_robots_whose_end_is_unseen_are_refused() -> None:
    with pytest.raises(ValueError, match="An observation tells where the task ends for .* for InvertedDoublePendulum"):
        make_models(pair="InvertedDoublePendulum-gravity-2.0")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"horizon": 0}, "`horizon` must be an integer >= 1"),
        ({"branches": 0}, "`branches` must be an integer >= 1"),
        ({"real_share": 1.5}, r"`real_share` must lie in \[0, 1\]"),
        ({"members": 1, "elites": 1}, "`members` must be an integer >= 2"),
        ({"elites": 4}, "There can be no more `elites` than `members`; got 4 of 3"),
        ({"model_updates": 0}, "`model_updates` must be an integer >= 1"),
        ({"model_learning_rate": 0.0}, "`model_learning_rate` must be finite and > 0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ModelArgs(**{"pair": PAIR, "data": (FIRST,), **SMALL_MODELS, **changes})
