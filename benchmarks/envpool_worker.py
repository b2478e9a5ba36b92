"""Steps EnvPool for another process, which asks on standard input; it needs NumPy and EnvPool alone."""

import sys

import envpool
import numpy as np


def main() -> None:
    """Answer each line with the number of steps that were taken."""
    robot, lanes, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    envs = envpool.make(robot, env_type="gymnasium", num_envs=lanes, num_threads=threads, seed=0)
    envs.reset()
    space, calls = envs.action_space, max(2, 320 // lanes)
    actions = np.random.default_rng(0).uniform(space.low, space.high, (calls, lanes, *space.shape))
    actions = actions.astype(space.dtype)
    print("ready", flush=True)
    for _ in sys.stdin:
        for action in actions:
            envs.step(action)
        print(calls * lanes, flush=True)


if __name__ == "__main__":
    main()
