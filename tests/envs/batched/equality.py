"""Comparing lanes with Gymnasium's vector environment of single domains."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from transreward_envs.batched import BatchedDomain

REWARD = 1e-6
"""By how much rewards may differ: sums are taken in another order."""


def assert_equal_to_single_domains(
    robot: str,
    *,
    steps: int = 120,
    lanes: int = 4,
    mode: str = "NextStep",
    threads: int = 2,
    limit: int = 40,
    seed: int = 3,
    **keywords: Any,
) -> int:
    """Step lanes and single domains with the same actions, and return how many episodes ended."""
    each = keywords.pop("lane_shifts", None)

    def single(lane: int) -> gym.Env:
        shift = {} if each is None else {"shift": each[lane]}
        return gym.make(
            f"TransReward/{robot}-v0", max_episode_steps=limit, disable_env_checker=True, **keywords, **shift
        )

    sync = SyncVectorEnv([lambda lane=lane: single(lane) for lane in range(lanes)], autoreset_mode=AutoresetMode(mode))
    ours = BatchedDomain(
        num_envs=lanes,
        robot=robot,
        max_episode_steps=limit,
        autoreset_mode=mode,
        threads=threads,
        lane_shifts=each,
        **keywords,
    )
    started = sync.reset(seed=seed), ours.reset(seed=seed)
    assert np.array_equal(started[0][0], started[1][0])
    assert_same_info(started[0][1], started[1][1])
    assert sync.np_random_seed == ours.np_random_seed
    generator, ended = np.random.default_rng(seed), 0
    low, high = sync.single_action_space.low, sync.single_action_space.high
    for _ in range(steps):
        if mode == "Disabled" and (mask := sync._autoreset_envs.copy()).any():
            again = [env.reset(options={"reset_mask": mask.copy()}) for env in (sync, ours)]
            assert np.array_equal(again[0][0], again[1][0])
        actions = generator.uniform(low, high, (lanes, len(low))).astype(np.float32)
        theirs, mine = sync.step(actions), ours.step(actions)
        for index in (0, 2, 3):
            assert np.array_equal(theirs[index], mine[index])
        assert np.allclose(theirs[1], mine[1], rtol=0.0, atol=REWARD)
        assert_same_info(theirs[4], mine[4])
        ended += int((theirs[2] | theirs[3]).sum())
    sync.close()
    ours.close()
    return ended


def assert_same_info(theirs: dict[str, Any], mine: dict[str, Any]) -> None:
    """Compare all that both report; ours says besides whose physics failed, which plain domains do not."""
    assert set(mine) - set(theirs) <= {"physics_failed", "_physics_failed"}
    for key, value in theirs.items():
        if key == "final_obs":
            for one, other in zip(value, mine[key], strict=True):
                assert (one is None and other is None) or np.array_equal(one, other)
        elif key == "final_info":
            assert_same_info(value, mine[key])
        elif not key.startswith("_"):
            there = theirs[f"_{key}"]
            assert np.array_equal(there, mine[f"_{key}"]), key
            numbers = [np.asarray(one, dtype=float) for one in (value, mine[key])]
            assert np.allclose(*numbers, rtol=0.0, atol=REWARD), key
