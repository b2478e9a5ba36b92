"""From a pair to its film strip, GIF and MP4; filming runs in a process with a way to render that works."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from transreward_baselines.render.backend import working_backend
from transreward_baselines.render.encode import require_encoder
from transreward_baselines.render.errors import RenderError
from transreward_baselines.run_directory import require_folder
from transreward_envs import Pair, get_pair
from transreward_envs.errors import require_count
from transreward_envs.pairs import ROLES, Role

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from transreward_baselines.render.film import Actor, Film

SUFFIXES = (".png", ".gif", ".mp4")
USAGE = 2
"""Exit status where what was asked for cannot be, which is told by then."""

SECONDS = 6.0
"""Length of a film unless it is given [s]."""


@dataclass(frozen=True, kw_only=True)
class RenderArgs:
    """What to film."""

    out: Path
    """File name of the pictures, without an extension."""

    pair: str | None = None
    """The pair; the run's when left out."""

    run: Path | None = None
    """Directory of the run whose policy acts; a fixed sequence of actions when neither it nor `policy` is given."""

    policy: str | None = None
    """`expert` or `medium`: the source's policy that ships; or a policy's file, `*.safetensors`."""

    steps: int | None = None
    """Control steps of the domain whose control step is longer; 6 s, or the time limit, when left out."""

    seed: int = 0
    """Of both domains and of the sequence of actions."""

    width: int = 320
    """Of each domain's frames [pixels]."""

    height: int = 240
    """Of each domain's frames [pixels]."""

    fps: int = 25
    """Frames per second of the MP4, which runs in simulated time; at most one a control step [1/s]."""

    def __post_init__(self) -> None:
        if self.pair is None and self.run is None:
            raise ValueError("A film needs a `pair` or a `run`; got neither.")
        if self.run is not None and self.policy is not None:
            raise ValueError(f"Either a `run`'s policy acts or a `policy`; got {self.run} and {self.policy!r}.")
        if self.steps is not None:
            require_count("steps", self.steps, at_least=1)
        require_count("seed", self.seed)
        require_count("fps", self.fps, at_least=1)
        for name in ("width", "height"):
            require_count(name, getattr(self, name), at_least=16)

    @property
    def acts_a_policy(self) -> bool:
        """Whether it is a policy that acts, whose film ends with the episode."""
        return self.run is not None or self.policy is not None


def picture_stem(out: str, name: str) -> Path:
    """Return the file name without an extension meant by a directory, a file name, or one with an extension."""
    path = Path(out)
    if out.endswith(("/", os.sep)) or path.is_dir():
        return path / name
    return path.with_suffix("") if path.suffix in SUFFIXES else path


def import_pairs(run: Path) -> None:
    """Import what a run's configuration imports, so that its own pairs are found.

    Raises:
        RenderError: No way to render works; one that is set and does not would keep MuJoCo from being imported.
        RunDirectoryError: The directory is no run.
    """
    working_backend()
    from transreward_baselines.config import read_config

    read_config(run)


def picture_files(stem: Path) -> list[Path]:
    """Return the film strip, the GIF and the MP4 of a stem."""
    return [stem.with_name(stem.name + suffix) for suffix in SUFFIXES]


def render_in_subprocess(args: RenderArgs) -> list[Path]:
    """Film with the first way to render that works, and return the files.

    Raises:
        ValueError: There is no such pair.
        RunDirectoryError: A file is where the pictures' folder would be.
        RenderError: No way to render works, there is no encoder, or filming failed.
    """
    if args.run is None:
        get_pair(str(args.pair))
    require_folder(args.out.parent)
    require_encoder()
    backend = working_backend()
    values = {field.name: getattr(args, field.name) for field in dataclasses.fields(args)}
    command = [sys.executable, "-m", "transreward_baselines.render"]
    command += [f"--{name}={value}" for name, value in values.items() if value is not None]
    status = subprocess.run(command, env={**os.environ, "MUJOCO_GL": backend}, check=False).returncode
    if status == USAGE:
        sys.exit(USAGE)
    if status != 0:
        raise RenderError(f"Filming with MUJOCO_GL={backend} failed with exit status {status}; its error is above.")
    return picture_files(args.out)


def render(args: RenderArgs) -> None:
    """Write ``<out>.png``, five moments of both domains, ``<out>.gif`` and ``<out>.mp4``, in this process."""
    from transreward_baselines.render.casting import cast
    from transreward_baselines.render.draw import film_strip, side_by_side
    from transreward_baselines.render.encode import write_gif, write_mp4, write_png
    from transreward_baselines.render.film import moments, shortened

    pair, actors, who = cast(args)
    times = moments(pair, steps=args.steps, seconds=SECONDS, fps=args.fps)
    films = shortened(film_both(pair, actors, times, args), times)
    name, count = f"{pair.name}: {who}", len(films[0].frames)
    pictures = [side_by_side(pair, films, index, name) for index in range(count)]
    fps = 1.0 / (times[1] - times[0]) if len(times) > 1 else float(args.fps)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    strip, gif, mp4 = picture_files(args.out)
    write_png(film_strip(pair, films, name), strip)
    write_gif(pictures, gif, fps=fps)
    write_mp4(pictures, mp4, fps=fps)


def film_both(pair: Pair, actors: dict[Role, Actor], times: NDArray[np.float64], args: RenderArgs) -> tuple[Film, Film]:
    """Return the films of the source and the target, under one progress bar."""
    from tqdm import tqdm

    from transreward_baselines.render.film import film

    with tqdm(total=len(ROLES) * len(times), unit="frame", desc=pair.name) as bar:
        source, target = (
            film(
                pair,
                role,
                actors[role],
                times,
                seed=args.seed,
                hold=args.acts_a_policy,
                width=args.width,
                height=args.height,
                report=bar.update,
            )
            for role in ROLES
        )
    return source, target
