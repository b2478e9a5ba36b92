"""Lanes in both autoreset modes, and the replay buffer that they fill."""

from dataclasses import fields
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given
from hypothesis import strategies as st

from tests.baselines.drifting import LANES, Drifting, drifting_env, drifting_in, drifting_lanes
from tests.baselines.telltale import Telltale, act, telltale_lanes
from transreward_baselines.lanes import Lanes, make_lanes
from transreward_baselines.parts.replay import ReplayBuffer, draw_source
from transreward_wrappers import Transitions
from transreward_wrappers.compensate_joined import CompensateJoined
from transreward_wrappers.policies import scale_actions

CPU = torch.device("cpu")


def fill(mode: AutoresetMode, steps: int, capacity: int = 1_000) -> ReplayBuffer:
    lanes = telltale_lanes(mode)
    buffer = ReplayBuffer(capacity, 3, 1, seed=0)
    observations = lanes.reset(seed=0)
    for _ in range(steps):
        actions = act(observations)
        result = lanes.step(actions)
        buffer.add(observations, actions, result)
        observations = result.observations
    return buffer


def rows(buffer: ReplayBuffer, episodes: int) -> list[tuple[float, ...]]:
    """Return the transitions of the first episodes of each lane, in a fixed order."""
    tensors = buffer.tensors()
    names = ("observations", "actions", "rewards", "next_observations", "terminated")
    table = torch.cat([tensors[name].float().reshape(buffer.size, -1) for name in names], dim=1).numpy()
    return sorted(tuple(row.tolist()) for row in table if row[1] < episodes)


def test_both_modes_store_the_same_transitions() -> None:
    same, following = (rows(fill(mode, 40), episodes=8) for mode in (AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP))
    assert same == following
    assert len(same) > 70


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_no_transition_leads_into_another_episode(mode: AutoresetMode) -> None:
    for lane, episode, time, action, reward, *led_to, terminated in rows(fill(mode, 40), episodes=100):
        assert led_to == [lane, episode, time + 1]
        assert reward == 100 * lane + 10 * episode + time + 1
        assert action == pytest.approx(np.sin(lane + 2 * episode + 3 * time), abs=1e-6)
        length = (3, 5, 4, 1, 5)[int(lane + episode) % 5]
        assert bool(terminated) == (time + 1 == length != 5)  # a time limit does not terminate; failed physics do


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_returns_and_lengths_are_those_of_whole_episodes(mode: AutoresetMode) -> None:
    lanes = telltale_lanes(mode, lanes=1)
    observations = lanes.reset(seed=0)
    for _ in range(25):
        observations = lanes.step(act(observations)).observations
    assert lanes.finished[:4] == [(6.0, 3), (65.0, 5), (90.0, 4), (31.0, 1)]


def test_a_full_buffer_keeps_the_newest() -> None:
    whole, small = (rows(fill(AutoresetMode.SAME_STEP, 40, capacity), 100) for capacity in (1_000, 50))
    assert len(whole) == 120
    assert len(small) == 50
    newest = sorted(whole, key=lambda row: (row[0], row[1], row[2]))
    for lane in range(3):
        ours = [row for row in small if row[0] == lane]
        assert ours == [row for row in newest if row[0] == lane][-len(ours) :]


@pytest.mark.parametrize("capacity", [1_000, 50])
def test_a_buffer_survives_a_checkpoint(capacity: int) -> None:
    buffer = fill(AutoresetMode.SAME_STEP, 40, capacity)
    again, smaller = (ReplayBuffer(size, 3, 1, seed=0) for size in (capacity, 20))
    again.load(buffer.tensors())
    smaller.load(buffer.tensors())
    for name, tensor in buffer.tensors().items():
        assert torch.equal(again.tensors()[name], tensor)
        assert torch.equal(smaller.tensors()[name], tensor[-20:])
    first, second = (one.sample(7, CPU) for one in (again, again))
    assert not torch.equal(first.observations, second.observations)


def test_draws_are_of_all_that_is_kept_and_of_nothing_else() -> None:
    buffer = fill(AutoresetMode.NEXT_STEP, 10)
    drawn = buffer.sample(5_000, CPU)
    assert {*map(tuple, drawn.observations.tolist())} == {*map(tuple, buffer.tensors()["observations"].tolist())}
    with pytest.raises(ValueError, match="it is empty"):
        ReplayBuffer(5, 3, 1, seed=0).sample(1, CPU)
    with pytest.raises(ValueError, match="`capacity` must be an integer >= 1; got 0"):
        ReplayBuffer(0, 3, 1, seed=0)


def test_actions_are_scaled_to_the_space() -> None:
    space = gym.spaces.Box(np.array([-3.0, 0.0]), np.array([3.0, 10.0]), dtype=np.float64)
    scaled = scale_actions(np.array([[-1.0, 1.0], [0.5, -7.0]]), space)
    assert scaled.tolist() == [[-3.0, 10.0], [1.5, 0.0]]


class Pictured(Telltale):
    """The same, observed as a picture of 1 x 3 pixels of one colour."""

    observation_space = Box(-1.0, 1_000.0, (1, 3, 1), np.float64)

    def _observe(self) -> np.ndarray:
        return super()._observe()[None, :, None]


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_pictures_are_told_as_vectors(mode: AutoresetMode) -> None:
    envs = SyncVectorEnv([partial(Pictured, lane) for lane in range(3)], autoreset_mode=mode)
    pictured, plain = Lanes(envs, pictures=True), telltale_lanes(mode)
    assert pictured.observation_size == 3
    observations = pictured.reset(seed=0)
    assert np.array_equal(observations, plain.reset(seed=0))
    for _ in range(12):
        one, other = (lanes.step(act(observations)) for lanes in (pictured, plain))
        assert np.array_equal(one.observations, other.observations)
        assert np.array_equal(one.last_observations, other.last_observations)
        observations = one.observations
    with pytest.raises(ValueError, match="Observations must be pictures, a three-dimensional Box; got Box"):
        Lanes(plain.envs, pictures=True)


def test_lanes_that_cannot_be_learned_from_are_refused() -> None:
    with pytest.raises(ValueError, match="Actions must be bounded vectors"):
        Lanes(make_lanes("CartPole-v1", 2))
    with pytest.raises(ValueError, match="Observations must be vectors"):
        Lanes(make_lanes("FrozenLake-v1", 2))
    envs = SyncVectorEnv([lambda: gym.make("Pendulum-v1")], autoreset_mode=AutoresetMode.DISABLED)
    with pytest.raises(ValueError, match="Lanes must start again by themselves"):
        Lanes(envs)
    with pytest.raises(ValueError, match="Unknown autoreset mode 'Sometime'"):
        make_lanes("Pendulum-v1", 2, autoreset="Sometime")
    with pytest.raises(ValueError, match="Unknown id 'TransReward/Hoper-v0'. Did you mean 'TransReward/Hopper-v0'"):
        make_lanes("TransReward/Hoper-v0", 2)
    with pytest.raises(ValueError, match="Unknown id 'no_such_module:Hopper-v5'"):
        make_lanes("no_such_module:Hopper-v5", 2)
    envs.close()


def one_by_one(mode: str, **settings: Any) -> CompensateJoined:
    """Return environments that are stepped one by one and learn together."""
    return CompensateJoined([lambda: drifting_env(**settings)] * LANES, autoreset_mode=AutoresetMode(mode))


FORMS = {"lanes": drifting_lanes, "one by one": one_by_one}


def relabelling(form: str, mode: str, steps: int = 60, **settings: Any) -> tuple[ReplayBuffer, Drifting, Lanes]:
    """Return a buffer that was filled by random actions, the compensation that it asks, and the lanes."""
    lanes = Lanes(FORMS[form](mode))
    pays = lanes.pays
    assert pays is not None
    buffer = ReplayBuffer(1_000, 4, 1, seed=0, pays=pays, **settings)
    observations, generator = lanes.reset(seed=0), np.random.default_rng(0)
    for _ in range(steps):
        actions = generator.uniform(-1.0, 1.0, (LANES, 1)).astype(np.float32)
        result = lanes.step(actions)
        buffer.add(observations, actions, result)
        observations = result.observations
    envs = lanes.envs
    return buffer, drifting_in(envs if form == "lanes" else envs.envs[0]), lanes


@pytest.mark.parametrize("mode", ["SameStep", "NextStep"])
@pytest.mark.parametrize("form", FORMS)
def test_the_compensation_is_shown_what_it_was_shown_before(form: str, mode: str) -> None:
    buffer, compensation, _ = relabelling(form, mode)
    asked: list[Transitions] = []
    buffer._pays, ask = lambda batch, failed: asked.append(batch) or ask(batch, failed), buffer._pays
    made, newest = compensation.log(), buffer.newest(1_000, CPU)
    assert len(newest.rewards) == len(made) == buffer.size
    scale = np.float64(3.0)  # of a pendulum's actions
    for field in fields(Transitions):
        shown, first = getattr(asked[0], field.name)[::-1], getattr(made, field.name)
        assert np.allclose(shown * scale if field.name == "action" else shown, first, atol=1e-6), field.name
    compensation.scale = -2.0
    paid = made.reward + compensation(made)
    assert np.allclose(buffer.newest(1_000, CPU).rewards.numpy()[::-1], paid, atol=1e-5)
    assert made.terminated.any()
    assert 0.2 < made.domain.mean() < 0.8


@pytest.mark.parametrize("form", FORMS)
def test_the_environments_own_rewards_are_kept_and_no_steps_that_only_start_again(form: str) -> None:
    sizes = []
    for mode in ("SameStep", "NextStep"):
        kept = relabelling(form, mode)[0].tensors()
        assert torch.equal(kept["rewards"], torch.where(kept["terminated"], 0.0, 1.0))  # a pendulum's own
        assert not kept["failed"].any()
        sizes.append(len(kept["domains"]))
    assert sizes[0] == 60 * LANES > sizes[1]


def test_draws_may_be_of_the_source_alone() -> None:
    buffer, _, _ = relabelling("lanes", "SameStep", learn_from="source")
    kept = buffer.tensors()
    sources = {(*one, *two) for one, two, domain in _rows(kept) if domain == 0}
    drawn = buffer.sample(5_000, CPU)
    found = zip(drawn.observations.tolist(), drawn.next_observations.tolist(), strict=True)
    assert {(*one, *two) for one, two in found} == sources
    assert 60 < len(sources) < 120
    with pytest.raises(ValueError, match="`learn_from` can be 'source' where rewards are relabelled"):
        ReplayBuffer(10, 4, 1, seed=0, learn_from="source")


def _rows(kept: dict[str, torch.Tensor]) -> Any:
    names = ("observations", "next_observations", "domains")
    return zip(*(kept[name].tolist() for name in names), strict=True)


@given(
    domains=st.lists(st.integers(0, 1), min_size=1, max_size=60),
    count=st.integers(1, 40),
    seed=st.integers(0, 1_000),
)
def test_whatever_the_domains_as_many_are_drawn_and_all_of_the_source(
    domains: list[int], count: int, seed: int
) -> None:
    kept, generator = np.array(domains, dtype=np.int8), np.random.default_rng(seed)
    if 0 not in domains:
        with pytest.raises(ValueError, match=f"all {len(domains)} are of the target"):
            draw_source(kept, count, lambda below, size: generator.integers(below, size=size))
        return
    drawn = draw_source(kept, count, lambda below, size: generator.integers(below, size=size))
    assert len(drawn) == count
    assert not kept[drawn].any()


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_source_transitions_are_drawn_alike(share: float) -> None:
    generator = np.random.default_rng(0)
    kept = (np.arange(200) >= 200 * share).astype(np.int8)
    drawn = draw_source(kept, 100_000, lambda below, size: generator.integers(below, size=size))
    counts = np.bincount(drawn, minlength=200)[kept == 0] / 100_000
    assert np.allclose(counts, 1.0 / (200 * share), rtol=0.25)


def test_a_lane_whose_physics_fails_is_kept_as_an_end_without_compensation() -> None:
    buffer, compensation, lanes = relabelling("lanes", "SameStep", steps=3)
    lanes.envs.unwrapped._engine.qvel[1] = 1e12
    before, actions = np.zeros((LANES, 4)), np.ones((LANES, 1), dtype=np.float32)
    buffer.add(before, actions, lanes.step(actions))
    newest = buffer.newest(LANES, CPU)  # the last lane first
    assert newest.terminated[1]
    assert newest.rewards[1] == 0.0
    assert newest.rewards.isfinite().all()
    assert len(compensation.log()) == 4 * LANES - 1


def test_a_buffer_that_relabels_survives_a_checkpoint_and_takes_no_other() -> None:
    buffer, _, _ = relabelling("lanes", "SameStep")
    again = ReplayBuffer(1_000, 4, 1, seed=0, pays=lambda batch, failed: np.zeros(len(batch)))
    again.load(buffer.tensors())
    assert all(torch.equal(again.tensors()[name], tensor) for name, tensor in buffer.tensors().items())
    assert not torch.equal(again.newest(9, CPU).rewards, buffer.newest(9, CPU).rewards)
    frozen = ReplayBuffer(1_000, 4, 1, seed=0)
    with pytest.raises(ValueError, match="kept with domains, failed, for rewards that are relabelled.* Go on with"):
        frozen.load(buffer.tensors())
    with pytest.raises(ValueError, match="need domains, failed of each transition; this buffer was kept without"):
        again.load(frozen.tensors())


def test_lanes_without_compensation_have_none_to_ask() -> None:
    assert Lanes(make_lanes("TransReward/InvertedPendulum-gravity-2.0-mixture-v0", 2)).pays is None
    assert Lanes(make_lanes("Pendulum-v1", 2)).pays is None
