"""What is timed against each other: plain physics, these lanes, and other libraries' vector environments."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any
from unittest.mock import patch

import gymnasium as gym
import mujoco
import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import SubprocVecEnv

from transreward_envs.batched import BatchedDomain, engines

RAW, RAW_WORLDS = "raw physics", "raw physics, a world a lane"
OURS, OURS_WORLDS, OURS_THREADS = "ours", "ours, a world a lane", "ours, without mujoco.batch"
PROCESSES = ("AsyncVectorEnv", "SubprocVecEnv")
"""Contenders that start a process a lane."""

ENVPOOL = "EnvPool"
CHUNK = 20
STATE = mujoco.mjtState.mjSTATE_INTEGRATION.value
LIMIT = 1000
REHEARSALS = LIMIT // CHUNK


@dataclass(frozen=True, kw_only=True)
class Contender:
    """Something that steps."""

    step: Callable[[], int]
    """Takes some steps, and returns how many; those that only start lanes again are none."""

    close: Callable[[], Any]


def contenders(robot: str, lanes: int, threads: int, *, envpool: str | None, most: int) -> dict[str, Callable[[], Any]]:
    """Return what makes each contender, by name.

    Args:
        robot: Name of the robot.
        lanes: Number of lanes.
        threads: Threads of those that have them.
        envpool: A Python interpreter that has EnvPool.
        most: Lanes up to which contenders that start a process a lane take part.
    """

    def single() -> gym.Env[Any, Any]:
        return gym.make(f"{robot}-v5")

    def ours(**keywords: Any) -> Contender:
        envs = BatchedDomain(num_envs=lanes, robot=robot, threads=threads, max_episode_steps=LIMIT, **keywords)
        return vector(envs, lanes)

    def ours_by_threads() -> Contender:
        with patch.object(engines, "HAS_BATCH", False), patch.object(engines, "say_once"):
            return ours()

    def subproc() -> Contender:
        envs = make_vec_env(
            f"{robot}-v5", lanes, vec_env_cls=SubprocVecEnv, vec_env_kwargs={"start_method": "fork"}, seed=0
        )
        return vector(envs, lanes)

    made: dict[str, Callable[[], Any]] = {}
    if lanes <= most:  # first: processes are forked before there are threads
        made |= {"AsyncVectorEnv": lambda: vector(AsyncVectorEnv([single] * lanes), lanes), "SubprocVecEnv": subproc}
    made |= {
        RAW: lambda: raw_physics(robot, lanes),
        RAW_WORLDS: lambda: raw_physics(robot, lanes, worlds(lanes)),
        OURS: ours,
        OURS_WORLDS: lambda: ours(lane_shifts=worlds(lanes)),
        OURS_THREADS: ours_by_threads,
        "SyncVectorEnv": lambda: vector(SyncVectorEnv([single] * lanes), lanes),
    }
    if envpool is not None:
        made[ENVPOOL] = lambda: elsewhere(envpool, robot, lanes, threads)
    return made


def worlds(lanes: int) -> list[Any]:
    """Return shifts, different ones in each lane."""
    return [
        [{"kind": "mass", "scale": 1.0 + 0.5 * (lane + 1) / lanes}, {"kind": "friction", "scale": 1.5}]
        for lane in range(lanes)
    ]


def raw_physics(robot: str, lanes: int, shifts: list[Any] | None = None) -> Contender:
    """Return a plain loop of ``mj_step``, over as many simulations, started again where Gymnasium ends an episode.

    Without shifts they are of one model. The simulations take turns, so that none weighs more by how its robot lies.
    Where episodes end is found beforehand: nothing is timed but ``mj_step`` and the control it is given.
    """
    env: Any = gym.make(f"{robot}-v5").unwrapped
    env.reset(seed=0)
    domains = BatchedDomain(num_envs=lanes, robot=robot, lane_shifts=shifts) if shifts else None
    models = [lane.domain.model for lane in domains.lanes] if domains else [env.model] * lanes
    space, frames = env.action_space, env.frame_skip
    actions = np.random.default_rng(0).uniform(space.low, space.high, (lanes, CHUNK, env.model.nu))
    parts = [rehearse(env, model, chosen) for model, chosen in zip(models, actions, strict=True)]
    turns = cycle([part for same in zip(*parts, strict=True) for part in same])

    def step() -> int:
        model, data, start, chosen, ends = next(turns)
        mujoco.mj_setState(model, data, start, STATE)
        for action, over in zip(chosen, ends, strict=True):
            data.ctrl[:] = action
            mujoco.mj_step(model, data, frames)
            if over:
                mujoco.mj_resetData(model, data)
        return len(chosen)

    if domains:
        domains.close()
    return Contender(step=step, close=env.close)


def rehearse(env: Any, model: mujoco.MjModel, actions: np.ndarray) -> list[tuple[Any, ...]]:
    """Run a simulation through the actions again and again, and return each time's start, and where episodes end."""
    data, falls, found = mujoco.MjData(model), hasattr(env, "is_healthy"), []
    env.data = data
    for _ in range(REHEARSALS):
        start, ends = np.zeros(mujoco.mj_stateSize(model, STATE)), []
        mujoco.mj_getState(model, data, start, STATE)
        for action in actions:
            data.ctrl[:] = action
            mujoco.mj_step(model, data, env.frame_skip)
            ends.append(falls and not env.is_healthy)
            if ends[-1]:
                mujoco.mj_resetData(model, data)
        found.append((model, data, start, actions, ends))
    return found


def vector(envs: Any, lanes: int) -> Contender:
    """Return the steps of a vector environment with random actions.

    Gymnasium's start a lane again in the step after its end, without physics; Stable-Baselines3's at once.
    """
    waits = envs.metadata.get("autoreset_mode") == AutoresetMode.NEXT_STEP if isinstance(envs, VectorEnv) else False
    over = np.zeros(lanes, dtype=bool)
    envs.reset()
    space = getattr(envs, "single_action_space", envs.action_space)
    shape = (max(2, 320 // lanes), lanes, *space.shape)
    actions = np.random.default_rng(0).uniform(space.low, space.high, shape).astype(np.float32)

    def step() -> int:
        count = len(actions) * lanes
        for action in actions:
            result = envs.step(action)
            if waits:
                count -= int(over.sum())
                over[:] = result[2] | result[3]
        return count

    return Contender(step=step, close=envs.close)


def elsewhere(python: str, robot: str, lanes: int, threads: int) -> Contender:
    """Return the steps of EnvPool in another interpreter, which is asked for some at a time."""
    script = Path(__file__).with_name("envpool_worker.py")
    command = [python, str(script), f"{robot}-v5", str(lanes), str(threads)]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert worker.stdin is not None
    assert worker.stdout is not None
    asks, answers = worker.stdin, worker.stdout
    if answers.readline() != "ready\n":
        raise RuntimeError(f"EnvPool does not start in {python}: {worker.communicate()[1].strip()[-300:]}")

    def step() -> int:
        asks.write("step\n")
        asks.flush()
        return int(answers.readline())

    return Contender(step=step, close=worker.communicate)
