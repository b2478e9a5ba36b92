"""The form ``model``: fitted before training, fitted again with the agent's own episodes, never told the reward."""

import warnings
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, get_args

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import RecordEpisodeStatistics

from tests.wrappers.dtw.conftest import PAIR, TINY
from tests.wrappers.transitions import some_transitions
from transreward_envs import Pair, get_pair
from transreward_envs.training.schedule import DomainSchedule
from transreward_wrappers import Compensate
from transreward_wrappers.alignment import Carry, Reference
from transreward_wrappers.compensate_lanes import CompensateLanes
from transreward_wrappers.dtw import DTW, save_reference
from transreward_wrappers.dtw.dtw import MOST_UNIT
from transreward_wrappers.errors import CorruptFileError
from transreward_wrappers.regression import Regression
from transreward_wrappers.world_models import (
    HorizonWarning,
    StaleModelError,
    domain_of,
    load_world_model,
    lstm_prior,
    make_world_model,
)

ID = get_pair(PAIR).id("dtw")

pytestmark = [
    pytest.mark.filterwarnings("ignore:The world model is too poor"),
    pytest.mark.filterwarnings("ignore:The world model was validated for"),
]


def walk(env: gym.Env, steps: int = 100) -> Iterator[tuple[float, dict[str, Any]]]:
    env.action_space.seed(1)
    env.reset(seed=1)
    for _ in range(steps):
        _, reward, terminated, truncated, info = env.step(env.action_space.sample())
        yield reward, info
        if terminated or truncated:
            env.reset()


class Unpaid(gym.RewardWrapper):
    """Pays NaN."""

    def reward(self, reward: Any) -> float:
        return float("nan")


FORMS: list[dict[str, Any]] = [
    {},
    {"alignment": "min_distance"},
    {"reward": "progress", "observe_progress": True},
    {"reward": "increment"},
    {"reward": "alive"},
]


@pytest.mark.parametrize("changes", FORMS)
def test_the_targets_own_reward_is_never_read(
    changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**TINY, **changes, "refit_every": 60}
    expected = [reward for reward, _ in walk(gym.make(ID, **settings))]
    make = Pair.make

    def unpaid(pair: Pair, role: str, **more: Any) -> gym.Env:
        return Unpaid(make(pair, role, **more)) if role == "target" else make(pair, role, **more)

    monkeypatch.setattr(Pair, "make", unpaid)
    monkeypatch.setenv("TRANSREWARD_CACHE", str(tmp_path / "elsewhere"))
    pair = get_pair(PAIR)
    env = Compensate(
        Unpaid(RecordEpisodeStatistics(DomainSchedule(pair, acts_in="target"), stats_key="episode_env")),
        pair=pair,
        compensation=DTW,
        settings=settings,
    )
    found = list(walk(env))
    assert [reward for reward, _ in found] == expected
    assert all(np.isnan(info["reward/env"]) and np.isfinite(reward) for reward, info in found)


class UnpaidLanes(gym.vector.VectorWrapper):
    """Pays NaN in all lanes."""

    def step(self, actions: Any) -> Any:
        observations, rewards, *rest = self.env.step(actions)
        return observations, np.full_like(rewards, np.nan), *rest


@pytest.mark.parametrize("changes", FORMS)
def test_the_targets_own_reward_is_never_read_in_lanes(changes: dict[str, Any]) -> None:
    settings = {**TINY, **changes, "refit_every": 60}

    def paid(lanes: CompensateLanes) -> list[float]:
        lanes.action_space.seed(1)
        lanes.reset(seed=1)
        return [reward for _ in range(40) for reward in lanes.step(lanes.action_space.sample())[1].tolist()]

    usual = gym.make_vec(ID, num_envs=3, **settings)
    expected = paid(usual)
    again = gym.make_vec(ID, num_envs=3, **settings)
    unpaid = UnpaidLanes(again.env)
    found = paid(CompensateLanes(unpaid, pair=get_pair(PAIR), compensation=DTW, settings=settings))
    assert np.isfinite(found).all()
    assert found == expected


def test_the_reward_is_all_that_is_paid_unless_the_targets_own_is_asked_for() -> None:
    for base in (False, True):
        for reward, info in walk(gym.make(ID, base_reward=base, **TINY), 30):
            own = info["reward/env"] if base else 0.0
            assert reward == own + info["reward/compensation"]
            assert info["reward/env"] == 1.0 or own == 0.0


def test_what_is_paid_stays_within_what_the_model_was_fitted_to() -> None:
    env = gym.make(ID, **TINY)
    rewards = [reward for reward, _ in walk(env)]
    compensation = env.get_wrapper_attr("compensation")
    low, high = (compensation._unit * bound for bound in compensation._range)
    assert low <= min(rewards) <= max(rewards) <= high
    batch = some_transitions(50, observation_size=4, action_size=1)
    free = compensation(batch)
    middle = float(np.median(free)) / compensation._unit
    compensation._range = (middle, middle + 1e-9)  # as if it had been fitted to hardly anything else
    assert np.ptp(free) > 1e-3
    assert compensation(batch) == pytest.approx(np.full(50, compensation._unit * middle))


def test_both_models_learn_again_from_the_agents_own_episodes() -> None:
    env = gym.make(ID, **TINY)
    batch = some_transitions(20, observation_size=4, action_size=1)
    list(walk(env, 140))
    compensation = env.get_wrapper_attr("compensation")
    before, digest = compensation(batch), compensation._target.model.digest()
    list(walk(env, 20))
    assert env.get_wrapper_attr("diagnostics")["rounds"] == 1.0
    assert not np.array_equal(compensation(batch), before)
    assert compensation._target.model.digest() != digest
    list(walk(env, 160))
    assert env.get_wrapper_attr("diagnostics")["rounds"] == 2.0


def test_the_world_model_learns_and_imagines_anew_in_some_rounds_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[np.ndarray] = []
    usual = Regression.fit

    def fit(self: Regression, observations: np.ndarray, values: np.ndarray) -> None:
        fitted.append(observations)
        usual(self, observations, values)

    monkeypatch.setattr(Regression, "fit", fit)
    settings = {**TINY, "refit_every": 50, "imagine_every": 2}
    env = gym.make(ID, **settings)
    batch = some_transitions(20, observation_size=4, action_size=1)

    def state() -> tuple[Any, ...]:
        compensation = env.get_wrapper_attr("compensation")
        return compensation(batch), compensation._target.model.digest(), compensation._imagined

    list(walk(env, 40))
    paid, digest, imagined = state()
    list(walk(env, 20))
    paid_then, digest_then, imagined_then = state()
    assert not np.array_equal(paid_then, paid)
    assert (digest_then, imagined_then) == (digest, imagined)
    for observations in fitted:
        assert np.array_equal(observations[-len(imagined.rewards) :], imagined.observations.astype(np.float32))
    env.get_wrapper_attr("save_state")(str(tmp_path / "state"))
    env = gym.make(ID, **settings)
    env.get_wrapper_attr("load_state")(str(tmp_path / "state"))
    for name in ("observations", "rewards"):
        assert np.array_equal(getattr(state()[2], name), getattr(imagined, name))
    list(walk(env, 60))
    assert len(fitted) == 3
    assert state()[1] != digest
    assert not np.array_equal(state()[2].observations, imagined.observations)


def test_rounds_that_are_passed_over_at_once_count_for_the_world_model_too() -> None:
    env = gym.make(ID, **{**TINY, "refit_every": 10, "imagine_every": 2})
    env.reset(seed=0)
    compensation = env.get_wrapper_attr("compensation")
    digest = compensation._target.model.digest()
    compensation.update(some_transitions(30, observation_size=4, action_size=1))
    assert compensation.diagnostics()["rounds"] == 3.0
    assert compensation._target.model.digest() != digest


def test_what_is_kept_of_the_sources_rewards_is_as_it_is_asked_for() -> None:
    batch = some_transitions(20, observation_size=4, action_size=1)
    paid = {}
    for carry in get_args(Carry):
        env = gym.make(ID, **TINY, carry=carry)
        env.reset(seed=0)
        paid[carry] = env.get_wrapper_attr("compensation")(batch)
    for one, other in combinations(paid, 2):
        assert not np.allclose(paid[one], paid[other]), f"{one} and {other} pay the same"


def test_a_new_reward_model_pays_the_agent_as_it_is_what_the_one_before_did() -> None:
    env = gym.make(ID, **{**TINY, "refit_every": 400, "fit_updates": 200})
    list(walk(env, 399))
    compensation = env.get_wrapper_attr("compensation")
    recent = compensation._own.recent(5_000)
    before = compensation._paid(recent).mean()
    list(walk(env, 1))
    assert compensation.diagnostics()["rounds"] == 1.0
    assert 1.0 / MOST_UNIT <= compensation._unit <= MOST_UNIT
    assert compensation._paid(recent).mean() == pytest.approx(before, rel=0.05)


def test_without_rounds_nothing_is_learnt_while_training() -> None:
    env = gym.make(ID, **{**TINY, "refit_every": 0})
    batch = some_transitions(20, observation_size=4, action_size=1)
    env.reset(seed=0)
    compensation = env.get_wrapper_attr("compensation")
    before = compensation(batch)
    list(walk(env, 200))
    assert np.array_equal(compensation(batch), before)


def test_lanes_fit_what_a_single_environment_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit, fits = DTW.fit, []

    def counted(compensation: DTW, *domains: gym.Env) -> None:
        fits.append(compensation)
        fit(compensation, *domains)

    monkeypatch.setattr(DTW, "fit", counted)
    env, lanes = gym.make(ID, **TINY), gym.make_vec(ID, num_envs=2, **TINY)
    batch = some_transitions(20, observation_size=4, action_size=1)
    env.reset(seed=0)
    monkeypatch.setenv("TRANSREWARD_CACHE", str(tmp_path / "other"))
    lanes.reset(seed=0)
    assert fits == [env.get_wrapper_attr("compensation"), lanes.compensation]
    assert np.array_equal(env.get_wrapper_attr("compensation")(batch), lanes.compensation(batch))


def test_steps_of_the_fit_are_told() -> None:
    env = gym.make(ID, **TINY)
    compensation = env.get_wrapper_attr("compensation")
    assert compensation.fit_steps() == {"source": 200, "target": 200}
    progress = gym.make(ID, reward="progress", reference_steps=70)
    assert progress.get_wrapper_attr("compensation").fit_steps() == {"source": 70}


def test_what_was_learnt_is_kept_and_goes_on_alike(tmp_path: Path) -> None:
    env = gym.make(ID, **TINY)
    list(walk(env, 140))
    env.get_wrapper_attr("save_state")(str(tmp_path / "state"))
    again = gym.make(ID, **TINY)
    again.get_wrapper_attr("load_state")(str(tmp_path / "state"))
    batch = some_transitions(20, observation_size=4, action_size=1)
    first, second = (one.get_wrapper_attr("compensation") for one in (env, again))
    assert np.array_equal(first(batch), second(batch))
    assert second.diagnostics() == first.diagnostics()
    kept = [reference.observations for reference in first.references_followed]
    assert all(map(np.array_equal, kept, [reference.observations for reference in second.references_followed]))
    list(walk(again, 20))
    assert second.diagnostics()["rounds"] == 1.0


def test_a_state_without_a_world_model_is_refused_where_one_is_asked_for(tmp_path: Path) -> None:
    env = gym.make(ID, **{**TINY, "segments": 0})
    env.reset(seed=0)
    env.get_wrapper_attr("save_state")(str(tmp_path / "state"))
    with pytest.raises(CorruptFileError, match="is of rewards without a world model. Give `segments=0`"):
        gym.make(ID, **TINY).get_wrapper_attr("load_state")(str(tmp_path / "state"))


def test_a_state_of_another_form_or_pair_is_refused(tmp_path: Path) -> None:
    env = gym.make(ID, **TINY)
    env.reset(seed=0)
    env.get_wrapper_attr("save_state")(str(tmp_path / "state"))
    with pytest.raises(CorruptFileError, match="is of form 'model', not 'progress'"):
        gym.make(ID, reward="progress", reference_steps=60).get_wrapper_attr("load_state")(str(tmp_path / "state"))
    for settings in ({"carry": "mean"}, {"alignment": "orca"}):
        name, given = next(iter(settings.items()))
        with pytest.raises(CorruptFileError, match=f"is of {name} '.*', not '{given}'"):
            gym.make(ID, **TINY, **settings).get_wrapper_attr("load_state")(str(tmp_path / "state"))
    other = gym.make("TransReward/InvertedPendulum-mass-0.5-dtw-v0", **TINY)
    with pytest.raises(StaleModelError, match="must be of the model's own kind, sizes, settings and domain"):
        other.get_wrapper_attr("load_state")(str(tmp_path / "state"))


def test_a_world_model_can_be_handed_in_and_one_of_another_domain_is_refused(tmp_path: Path) -> None:
    env = gym.make(ID, **TINY)
    env.reset(seed=0)
    made = env.get_wrapper_attr("compensation").target_model
    made.save(str(tmp_path / "model.safetensors"))
    assert made.report.fitted_steps > 100
    given = {**TINY, "world_model": str(tmp_path / "model.safetensors")}
    mine = gym.make(ID, **given)
    mine.reset(seed=0)
    list(walk(mine, 200))
    assert mine.get_wrapper_attr("compensation").target_model.digest() == made.digest()
    assert gym.make(ID, reward="progress").get_wrapper_attr("compensation").target_model is None
    with pytest.raises(StaleModelError, match="domain"):
        gym.make("TransReward/InvertedPendulum-mass-0.5-dtw-v0", **given)
    with pytest.raises(FileNotFoundError, match=r"there is no nowhere\.safetensors"):
        gym.make(ID, world_model="nowhere.safetensors")
    anonymous = make_world_model("ensemble", 4, 1)
    anonymous.restore(made.network.state_dict(), made.about())
    anonymous.save(tmp_path / "anonymous.safetensors")
    with pytest.raises(StaleModelError, match=r"whose it is when it is made: domain=domain_of\(pair\)"):
        gym.make(ID, world_model=str(tmp_path / "anonymous.safetensors"))


@pytest.mark.parametrize("pair", ["AdroitPen-broken-joint-easy"])
def test_where_no_expert_ships_the_way_out_is_named(pair: str) -> None:
    env = gym.make(get_pair(pair).id("dtw"), reward="progress")
    with pytest.raises(ValueError, match="no policy of level 'expert'.* Or let a search find references: references="):
        env.reset(seed=0)


def test_a_recurrent_world_model_serves_too(monkeypatch: pytest.MonkeyPatch) -> None:
    updates: list[int] = []
    usual = lstm_prior.descend

    def descend(network: Any, loss: Any, store: Any, stages: Any, **settings: Any) -> None:
        updates.extend(stage.updates for stage in stages)
        usual(network, loss, store, stages, **settings)

    monkeypatch.setattr(lstm_prior, "descend", descend)
    env = gym.make(ID, **{**TINY, "world_model": "rssm", "segments": 1, "model_updates": 8})
    assert all(np.isfinite(reward) for reward, _ in walk(env, 160))
    assert updates == [6, 1], "three quarters of the model's, and a quarter of that in the second round"


@pytest.mark.parametrize(("world_model", "learns"), [("ensemble", False), ("rssm", True)])
def test_a_fit_depends_on_how_its_prior_learns_if_it_does(world_model: str, learns: bool) -> None:
    compensation = gym.make(ID, **{**TINY, "world_model": world_model}).get_wrapper_attr("compensation")
    assert ("prior" in compensation.fit_key(get_pair(PAIR))) == learns


def test_a_path_names_references_as_its_string_does(tmp_path: Path) -> None:
    recorded = Reference(observations=np.zeros((5, 4)), rewards=np.ones(5))
    save_reference(tmp_path / "one.npz", recorded)
    env = gym.make(ID, reward="progress", references=tmp_path / "one.npz", fit_budget=40)
    assert env.get_wrapper_attr("compensation").references == str(tmp_path / "one.npz")
    list(walk(env, 3))


def test_a_search_further_ahead_than_the_model_was_validated_for_warns() -> None:
    env = gym.make(ID, **{**TINY, "horizon": 40, "random_share": 1.0, "fit_budget": 60})
    with pytest.warns(HorizonWarning, match="was validated for .* steps ahead, and is asked for 40"):
        env.reset(seed=0)


def test_a_piece_of_a_reference_is_imagined_from_the_state_that_it_has_there() -> None:
    env = gym.make(ID, **TINY)
    env.reset(seed=0)
    compensation = env.get_wrapper_attr("compensation")
    (piece,) = compensation.imagine(1, seed=3)
    assert piece.plan.observations.shape == (5, 4)
    assert len(piece.labels) == 1 + TINY["bad"]
    assert 2 <= len(piece.reference) <= 10
    (again,) = compensation.imagine(1, seed=3)
    assert again.plan.score == piece.plan.score
    with pytest.raises(ValueError, match="To imagine takes a world model.* segments=0"):
        next(iter(gym.make(ID, **{**TINY, "segments": 0}).get_wrapper_attr("compensation").imagine(1, seed=0)))


@pytest.mark.parametrize(("trust", "steps"), [(1e6, 2 * 2 * 5), (1e-9, 0)])
def test_rewards_learn_from_what_is_imagined_where_the_model_is_trusted(
    trust: float, steps: int, tmp_path: Path
) -> None:
    env = gym.make(ID, **TINY, trust=trust)
    env.reset(seed=0)
    assert env.get_wrapper_attr("diagnostics")["imagined_steps"] == steps
    assert bool(list(env.get_wrapper_attr("compensation").imagine(1, seed=0))) == (steps > 0)
    env.get_wrapper_attr("save_state")(str(tmp_path / "state"))
    again = gym.make(ID, **TINY, trust=trust)
    again.get_wrapper_attr("load_state")(str(tmp_path / "state"))
    assert again.get_wrapper_attr("diagnostics")["imagined_steps"] == steps
    assert all(np.isfinite(reward) for reward, _ in walk(env, 10))


def test_robots_that_differ_are_aligned_in_the_sources_observations() -> None:
    env = gym.make("TransReward/Walker2d-from-Hopper-dtw-v0", **{**TINY, "fit_budget": 60})
    compensation = env.get_wrapper_attr("compensation")
    rewards = [reward for reward, _ in walk(env, 30)]
    assert np.isfinite(rewards).all()
    assert compensation.references_followed[0].size == 11
    assert compensation._target is None


def test_the_model_that_a_fit_makes_says_whose_it_is_and_is_refused_by_another(tmp_path: Path) -> None:
    env = gym.make(ID, **TINY)
    env.reset(seed=0)
    path = tmp_path / "model.safetensors"
    env.get_wrapper_attr("compensation")._target.model.save(path)
    load_world_model(path, domain=domain_of(get_pair(PAIR)))
    for other in (domain_of(get_pair(PAIR), "source"), domain_of(get_pair("InvertedPendulum-mass-0.5"))):
        with pytest.raises(StaleModelError, match="must be of the model's own kind, sizes, settings and domain"):
            load_world_model(path, domain=other)


def test_processes_that_share_a_budget_are_told_that_each_learns_by_itself(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="each learns from its own episodes.* Give refit_every=0"):
        gym.make(ID, shared_state=str(tmp_path / "shared"), **TINY).reset(seed=0)
    env = gym.make(ID, shared_state=str(tmp_path / "fixed"), **{**TINY, "refit_every": 0})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="The world model")
        env.reset(seed=0)


def test_a_cached_fit_trains_on_as_the_one_that_was_made_does(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [reward for reward, _ in walk(gym.make(ID, **TINY), 200)]
    monkeypatch.setattr(DTW, "fit", lambda *_: pytest.fail("fitted again"))
    assert [reward for reward, _ in walk(gym.make(ID, **TINY), 200)] == made
