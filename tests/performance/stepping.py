"""Steps a second of lanes, against raw physics, Gymnasium's vector environments and Stable-Baselines3's.

Contenders are timed by turns, in short windows; medians and quartiles are printed, of steps a wall second and a CPU
second (the process and its children). Actions are random, lanes start again when they are done. EnvPool takes part
where it is installed.

    python tests/performance/stepping.py --threads 1 --lanes 16 --robots Hopper HalfCheetah Ant
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import psutil
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
from rich.console import Console
from rich.table import Table
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import SubprocVecEnv

from transreward_envs.batched import BatchedDomain

Step = Callable[[int], int]
"""Takes the number of a call, and returns how many steps that was."""


def raw_physics(robot: str) -> Step:
    """Return plain ``mj_step`` of one simulation, started again where Gymnasium ends an episode."""
    env: Any = gym.make(f"{robot}-v5").unwrapped
    env.reset(seed=0)
    model, data, frames = env.model, env.data, env.frame_skip
    space = env.action_space
    actions = np.random.default_rng(0).uniform(space.low, space.high, (100, model.nu))
    falls = hasattr(env, "is_healthy")

    def step(call: int) -> int:
        for action in actions:
            data.ctrl[:] = action
            mujoco.mj_step(model, data, frames)
            if falls and not env.is_healthy:
                mujoco.mj_resetData(model, data)
        return len(actions)

    return step


def vector(envs: Any, *, lanes: int, subproc: bool = False) -> Step:
    """Return the steps of a vector environment with random actions."""
    envs.reset() if subproc else envs.reset(seed=0)
    space = envs.action_space if subproc else envs.single_action_space
    shape = (20, lanes, *space.shape)
    actions = np.random.default_rng(0).uniform(space.low, space.high, shape).astype(np.float32)

    def step(call: int) -> int:
        for action in actions:
            envs.step(action)
        return len(actions) * lanes

    return step


def contenders(robot: str, lanes: int, threads: int, chosen: list[str]) -> dict[str, Step]:
    """Return what is timed."""
    shifts = [
        [{"kind": "mass", "scale": 1.0 + 0.5 * (lane + 1) / lanes}, {"kind": "friction", "scale": 1.5}]
        for lane in range(lanes)
    ]

    def ours(**keywords: Any) -> Step:
        envs = BatchedDomain(num_envs=lanes, robot=robot, threads=threads, max_episode_steps=1000, **keywords)
        return vector(envs, lanes=lanes)

    def single() -> gym.Env[Any, Any]:
        return gym.make(f"{robot}-v5")

    def envpool() -> Step:
        import envpool as pool

        envs = pool.make(f"{robot}-v5", env_type="gymnasium", num_envs=lanes, num_threads=threads)
        return vector(envs, lanes=lanes, subproc=True)

    made: dict[str, Callable[[], Step]] = {
        "raw physics": lambda: raw_physics(robot),
        "ours": ours,
        "ours, a world a lane": lambda: ours(lane_shifts=shifts),
        "SyncVectorEnv": lambda: vector(SyncVectorEnv([single] * lanes), lanes=lanes),
        "AsyncVectorEnv": lambda: vector(AsyncVectorEnv([single] * lanes), lanes=lanes),
        "SubprocVecEnv": lambda: vector(
            make_vec_env(f"{robot}-v5", lanes, vec_env_cls=SubprocVecEnv), lanes=lanes, subproc=True
        ),
    }
    if find_spec("envpool"):
        made["EnvPool"] = envpool
    return {name: make() for name, make in made.items() if not chosen or name in chosen}


def cpu_seconds() -> float:
    """Return the CPU time of this process and its children [s]."""
    process = psutil.Process(os.getpid())
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return float(sum(one.user + one.system for one in times))


def measure(steps: dict[str, Step], *, rounds: int, window: float) -> dict[str, np.ndarray]:
    """Return steps a wall second and a CPU second of each contender, as ``(rounds, 2)``, timed by turns."""
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            step(0)
            wall, cpu, count, call = time.perf_counter(), cpu_seconds(), 0, 0
            while time.perf_counter() - wall < window:
                count, call = count + step(call), call + 1
            rates[name].append((count / (time.perf_counter() - wall), count / max(cpu_seconds() - cpu, 1e-9)))
    return {name: np.array(values) for name, values in rates.items()}


def main() -> None:
    """Print a table a robot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--robots", nargs="+", default=["Hopper", "HalfCheetah", "Ant"])
    parser.add_argument("--lanes", type=int, default=16)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--window", type=float, default=0.5)
    parser.add_argument("--contenders", nargs="*", default=[])
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    for robot in args.robots:
        rates = measure(
            contenders(robot, args.lanes, args.threads, args.contenders), rounds=args.rounds, window=args.window
        )
        table = Table(title=f"{robot}, {args.lanes} lanes, {args.threads or os.cpu_count()} threads", box=None)
        for column in ("contender", "steps/s (quartiles)", "per CPU second", "ours is faster by (quartiles)"):
            table.add_column(column, justify="left" if column == "contender" else "right")
        for name, values in rates.items():
            ratio = np.percentile(rates["ours"][:, 0] / values[:, 0], [25, 50, 75])
            wall, cpu = np.percentile(values[:, 0], [25, 50, 75]), np.median(values[:, 1])
            table.add_row(
                name,
                f"{wall[1]:,.0f} ({wall[0]:,.0f} - {wall[2]:,.0f})",
                f"{cpu:,.0f}",
                f"{ratio[1]:.2f} ({ratio[0]:.2f} - {ratio[2]:.2f})",
            )
        Console(width=120).print(table)


if __name__ == "__main__":
    main()
