"""Lanes in both autoreset modes, and the replay buffer that they fill."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from tests.baselines.telltale import act, telltale_lanes
from transreward_baselines.lanes import Lanes, make_lanes
from transreward_baselines.replay import ReplayBuffer
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
