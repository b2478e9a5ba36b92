"""The buffer of episodes: its windows hold consecutive steps of one episode, whatever ended it."""

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from hypothesis import given
from hypothesis import strategies as st

from tests.baselines.telltale import act, telltale_lanes
from transreward_baselines.parts.sequences import SequenceBuffer
from transreward_wrappers.world_models.windows import Windows

CPU = torch.device("cpu")


def filled(
    steps: int, *, capacity: int = 1_000, mode: AutoresetMode = AutoresetMode.SAME_STEP, seed: int = 0
) -> tuple[SequenceBuffer, int]:
    """Return a buffer after so many steps of three telltale lanes, and how many steps it counted."""
    lanes, added = telltale_lanes(mode), 0
    buffer = SequenceBuffer(capacity, 3, 3, 1, seed=seed)
    observations = lanes.reset(seed=0)
    for _ in range(steps):
        actions = act(observations)
        result = lanes.step(actions)
        added += buffer.add(observations, actions, result)
        observations = result.observations
    return buffer, added


def check(windows: Windows) -> None:
    """Check that each step is followed by the next of its lane and episode, and says what came of it."""
    observations, mask = windows.observations.numpy(), windows.mask.numpy().astype(bool)
    lanes, episodes, times = observations[..., 0], observations[..., 1], observations[..., 2]
    assert (lanes == lanes[:, :1]).all()
    assert (episodes == episodes[:, :1]).all()
    assert (np.diff(times) == mask).all()  # what is missing repeats the last state
    assert (np.diff(mask.astype(int)) <= 0).all()
    expected = 100.0 * lanes + 10.0 * episodes + times
    assert np.allclose(windows.rewards.numpy()[mask], expected[:, 1:][mask])
    assert np.allclose(windows.actions.numpy()[mask], act(observations[:, :-1].astype(float))[mask], atol=1e-6)
    lengths = np.array([3, 5, 4, 1, 5])[((lanes + episodes) % 5).astype(int)]
    ends = (times[:, 1:] == lengths[:, 1:]) & np.isin(lengths[:, 1:], (1, 3))
    assert (windows.terminated.numpy() == (ends & mask)).all()
    assert not ((times == 4) & (lengths == 4)).any()  # what a failed simulation shows is no state of the episode


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
@given(steps=st.integers(3, 60), capacity=st.integers(9, 200), length=st.integers(1, 8), seed=st.integers(0, 99))
def test_windows_hold_consecutive_steps_of_one_episode(
    mode: AutoresetMode, steps: int, capacity: int, length: int, seed: int
) -> None:
    buffer, added = filled(steps, capacity=capacity, mode=mode, seed=seed)
    assert added == 3 * steps if mode == AutoresetMode.SAME_STEP else added <= 3 * steps
    windows = buffer.draw(20, length, CPU)
    check(windows)
    assert windows.observations.shape == (20, length + 1, 3)
    assert windows.mask[:, 0].all()


def test_a_window_is_shorter_than_asked_for_only_where_its_episode_is() -> None:
    buffer, _ = filled(40)
    windows = buffer.draw(500, 4, CPU)
    short = windows.mask.sum(dim=1) < 4
    assert short.any()
    assert (windows.observations[short, 0, 2] == 0.0).all()  # from the episode's beginning, to its end
    drawn = {tuple(row.tolist()) for row in windows.observations[:, :-1][windows.mask.bool()]}
    assert len(drawn) > 80  # of about 110


def test_the_oldest_states_make_room() -> None:
    buffer, _ = filled(100, capacity=60)
    assert buffer.draw(200, 3, CPU).observations[..., 1].min() >= 20.0


def test_what_is_kept_comes_back_with_open_episodes_ended() -> None:
    buffer, _ = filled(32)
    kept = buffer.tensors()
    again = SequenceBuffer(1_000, 3, 3, 1, seed=5)
    again.load(kept)
    assert sum(kept["counts"]) == len(kept["rewards"])
    for name, values in again.tensors().items():
        if name != "last":
            assert torch.equal(values, kept[name])
    assert again.tensors()["last"][kept["counts"].cumsum(0) - 1].all()
    check(again.draw(200, 5, CPU))
    smaller = SequenceBuffer(30, 3, 3, 1, seed=5)
    smaller.load(kept)
    assert smaller.tensors()["counts"].tolist() == [10, 10, 10]
    check(smaller.draw(200, 5, CPU))


def test_the_same_seed_draws_the_same_windows() -> None:
    first, again = (filled(20)[0].draw(10, 4, CPU) for _ in range(2))
    assert torch.equal(first.observations, again.observations)


def test_pixels_are_kept_as_bytes() -> None:
    lanes = telltale_lanes(AutoresetMode.SAME_STEP)
    buffer, observations = SequenceBuffer(30, 3, 3, 1, seed=0, dtype="uint8"), lanes.reset(seed=0)
    for _ in range(3):
        buffer.add(observations, act(observations), result := lanes.step(act(observations)))
        observations = result.observations
    assert buffer.tensors()["observations"].dtype == torch.uint8
    assert buffer.draw(4, 2, CPU).observations.dtype == torch.float32


def test_nothing_can_be_drawn_from_an_empty_buffer() -> None:
    with pytest.raises(ValueError, match="A buffer must hold steps before any can be drawn; it is empty"):
        SequenceBuffer(10, 1, 3, 1, seed=0).draw(1, 4, CPU)
    with pytest.raises(ValueError, match="`capacity` must be an integer >= 1; got 0"):
        SequenceBuffer(0, 1, 3, 1, seed=0)
