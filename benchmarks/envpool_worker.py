"""Steps EnvPool for another process, which asks on standard input; it needs NumPy and EnvPool alone."""

import sys

import envpool
import numpy as np


def main() -> None:
    """Answer each line with the number of steps that were taken; those that only start lanes again are none."""
    robot, lanes, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    envs = envpool.make(robot, env_type="gymnasium", num_envs=lanes, num_threads=threads, seed=0)
    envs.reset()
    space, calls = envs.action_space, max(2, 320 // lanes)
    actions = np.random.default_rng(0).uniform(space.low, space.high, (calls, lanes, *space.shape))
    actions = actions.astype(space.dtype)
    print("ready", flush=True)
    over = np.zeros(lanes, dtype=bool)
    for _ in sys.stdin:
        count = calls * lanes
        for action in actions:
            result = envs.step(action)
            count -= int(over.sum())
            over = result[2] | result[3]
        print(count, flush=True)


if __name__ == "__main__":
    main()
