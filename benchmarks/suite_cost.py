"""What the suite costs: registering everything, verifying everything, a step of a domain, a reset that draws shifts."""

from __future__ import annotations

import subprocess
import sys
import time

import gymnasium as gym
import numpy as np

import transreward_envs
from transreward_envs.verification.many import verify_many

REPEATS = 9
IMPORT = (
    "import time, gymnasium, numpy; start = time.perf_counter()\n"
    "import transreward_envs; print(time.perf_counter() - start)"
)


def spread(values: list[float]) -> str:
    """Return the median and the quartiles."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.3g} ({low:.3g} - {high:.3g})"


def import_seconds() -> list[float]:
    """Return what importing the package adds to importing Gymnasium and NumPy [s]."""
    run = [sys.executable, "-c", IMPORT]
    return [float(subprocess.run(run, capture_output=True, text=True, check=True).stdout) for _ in range(REPEATS)]


def step_microseconds(env: gym.Env, steps: int) -> float:
    """Return the time of a step without wrappers [us]; episodes are not ended."""
    env = env.unwrapped
    env.reset(seed=0)
    action = np.zeros(env.action_space.shape, dtype=np.float32)
    start = time.perf_counter()
    for step in range(steps):
        env.step(action)
        if step % 20 == 19:
            env.set_state(env.init_qpos, env.init_qvel)
    return 1e6 * (time.perf_counter() - start) / steps


def reset_microseconds(env: gym.Env, resets: int) -> float:
    """Return the time of a reset without wrappers [us]."""
    env = env.unwrapped
    env.reset(seed=0)
    start = time.perf_counter()
    for _ in range(resets):
        env.reset()
    return 1e6 * (time.perf_counter() - start) / resets


def main() -> None:
    """Print the table."""
    pairs, ids = len(transreward_envs.PAIRS), sum(name.startswith("TransReward/") for name in gym.registry)
    print(f"Importing the package, which registers {pairs} pairs and {ids} ids: {spread(import_seconds())} s")
    start = time.perf_counter()
    done = list(verify_many(list(transreward_envs.PAIRS.values())))
    passed = sum(one.passed for one in done)
    print(f"Verifying every pair: {time.perf_counter() - start:.1f} s, {passed} of {len(done)} pass")
    for robot, steps in (("Hopper", 2000), ("HalfCheetah", 3000), ("Ant", 600)):
        stock, ours = gym.make(f"{robot}-v5"), gym.make(f"TransReward/{robot}-v0")
        pairs_of_times = [(step_microseconds(stock, steps), step_microseconds(ours, steps)) for _ in range(REPEATS)]
        ratios = [mine / theirs for theirs, mine in pairs_of_times]
        print(f"{robot}: a step takes {spread(ratios)} times Gymnasium's")
        ranges = {
            "mass and friction": [{"kind": kind, "scale": [0.5, 2.0]} for kind in ("mass", "friction")],
            "gravity": {"kind": "gravity", "scale": [0.5, 2.0]},
        }
        plain = [reset_microseconds(ours, 200) for _ in range(REPEATS)]
        for what, shift_range in ranges.items():
            varied = gym.make(f"TransReward/{robot}-v0", shift_range=shift_range)
            drawn = [reset_microseconds(varied, 200) for _ in range(REPEATS)]
            print(f"{robot}: a reset takes {spread(plain)} us, {spread(drawn)} us where {what} is drawn")


if __name__ == "__main__":
    main()
