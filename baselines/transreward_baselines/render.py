"""Source and target side by side under the same policy: a film strip and a clip.

Run as a program of its own, because the way to render is fixed when MuJoCo is first loaded.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BACKENDS = ("egl", "osmesa", "glfw")
ADVICE = (
    "This machine cannot render: install Mesa (Debian, Ubuntu: `apt-get install libegl1 libgl1-mesa-dri` or "
    "`libosmesa6`) for the picture and the clip."
)
Film = list[tuple[NDArray[np.uint8], float]]
"""Frames, and how far the robot has come [m]."""


@dataclass(frozen=True, kw_only=True)
class RenderArgs:
    """What to film."""

    run: Path
    """Directory of the run whose policy acts."""

    out: Path
    """File name of the picture and the clip, without an extension."""

    steps: int = 150
    """Steps to film."""

    seed: int = 0
    """Of both domains."""


def render_in_subprocess(run: Path, out: Path, *, steps: int = 150) -> list[Path]:
    """Film a run's policy with the first way to render that works, and return the files; none if no way does."""
    files = [out.with_suffix(suffix) for suffix in (".png", ".gif")]
    chosen = os.environ.get("MUJOCO_GL")
    for backend in [chosen] if chosen else BACKENDS:
        command = [sys.executable, "-m", "transreward_baselines.render"]
        command += ["--run", str(run), "--out", str(out), "--steps", str(steps)]
        result = subprocess.run(command, env={**os.environ, "MUJOCO_GL": backend}, capture_output=True, check=False)
        if result.returncode == 0:
            return files
    return []


def film(args: RenderArgs) -> None:
    """Write ``<out>.png``, five moments of both domains, and ``<out>.gif``."""
    import imageio.v3 as iio

    from transreward_baselines.checkpoint import load_policy
    from transreward_baselines.evaluation import Policy
    from transreward_envs import Pair, get_pair
    from transreward_envs.pairs import ROLES, Role

    def film_of(pair: Pair, role: Role, policy: Policy) -> Film:
        camera = None if pair.robot == "InvertedPendulum" else "track"
        size = {"width": 320, "height": 240}
        env = pair.make(role, render_mode="rgb_array", camera_name=camera, disable_env_checker=True, **size)
        film: Film = []
        observation, info = env.reset(seed=args.seed)
        for _ in range(args.steps):
            film.append((np.asarray(env.render(), dtype=np.uint8), float(info.get("x_position", 0.0))))
            observation, _, terminated, truncated, info = env.step(policy(observation[None])[0])
            if terminated or truncated:
                break
        env.close()
        return film + [film[-1]] * (args.steps - len(film))

    config, policy = load_policy(args.run)
    pair = get_pair(config.pair)
    source, target = (film_of(pair, role, policy) for role in ROLES)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    _film_strip(f"One policy in both domains of {pair.name}", source, target, args.out.with_suffix(".png"))
    both = zip(source[::3], target[::3], strict=True)
    clip = [np.concatenate([left, right], axis=1)[::2, ::2] for (left, _), (right, _) in both]
    iio.imwrite(args.out.with_suffix(".gif"), np.stack(clip), duration=60, loop=0)


def _film_strip(title: str, source: Film, target: Film, path: Path) -> None:
    """Write five moments of both domains as one picture, the source above."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    moments = np.linspace(0, len(source) - 1, 5).astype(int)
    figure, axes = plt.subplots(2, len(moments), figsize=(12.0, 3.9), layout="constrained")
    for row, (name, film) in enumerate((("source", source), ("target", target))):
        for axis, moment in zip(axes[row], moments, strict=True):
            frame, distance = film[moment]
            axis.imshow(frame)
            axis.set(xticks=[], yticks=[])
            axis.set_title(f"step {moment}, x = {distance:.1f} m", fontsize=9)
        axes[row][0].set_ylabel(name, fontsize=11)
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    import tyro

    film(tyro.cli(RenderArgs, description=__doc__))
