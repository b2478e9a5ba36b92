"""A still of every family of shifts, and the page that shows them: docs/gallery.md.

``make pictures`` runs it. The page and its pictures come from one table.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tyro
from tqdm import tqdm

from transreward_baselines.render.actions import sequence
from transreward_baselines.render.backend import working_backend
from transreward_baselines.render.draw import side_by_side
from transreward_baselines.render.encode import write_gif, write_png
from transreward_baselines.render.errors import RenderError
from transreward_baselines.render.film import Film, film, moments
from transreward_envs import get_pair
from transreward_envs.pairs import ROLES

STANDING = {"distance": 6.0, "azimuth": 90.0, "elevation": -8.0}
"""A camera that stands still and looks along y, so that it shows who comes how far."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Still:
    """One family of shifts, shown by one pair."""

    kind: str
    """Kind of the shift, or what else differs."""

    pair: str
    """Name of the pair."""

    note: str
    """One line below the picture."""

    seconds: float
    """When the still is taken [s]; 0 where the robots themselves look different."""

    camera: dict[str, Any] = field(default_factory=dict)
    """A camera that stands still; the one that follows the robot when left out."""

    clip: bool = False
    """Whether it is a GIF up to that moment instead."""

    @property
    def file(self) -> str:
        """File name without an extension."""
        return self.kind.replace(" ", "-").replace("_", "-")

    @property
    def suffix(self) -> str:
        """Extension of the file that the page shows."""
        return "gif" if self.clip else "png"


STILLS = (
    Still(
        kind="mass",
        pair="Ant-mass-3.0",
        seconds=2.0,
        note="Three times the mass and inertia of every body, under the same torques.",
    ),
    Still(
        kind="friction",
        pair="Ant-friction-0.1",
        seconds=3.0,
        note="A tenth of the friction of every contact.",
    ),
    Still(
        kind="frictionodrl",
        pair="Hopper-frictionodrl-0.1",
        seconds=1.0,
        note="A tenth of the friction as ODRL's files have it, which is not that of every contact.",
    ),
    Still(
        kind="gravity",
        pair="HalfCheetah-gravity-5.0",
        seconds=2.0,
        clip=True,
        note="Five times gravity: the same torques no longer carry the cheetah, and its belly touches the floor.",
    ),
    Still(
        kind="damping",
        pair="Humanoid-damping-2.0",
        seconds=1.0,
        note="Twice the damping of every joint.",
    ),
    Still(
        kind="armature",
        pair="Hopper-armature-2.0",
        seconds=0.4,
        note="Twice the rotor inertia of every joint.",
    ),
    Still(
        kind="stiffness",
        pair="HalfCheetah-stiffness-0.5",
        seconds=2.0,
        note="Half the stiffness of the springs in the joints.",
    ),
    Still(
        kind="actuator",
        pair="HalfCheetah-actuator-0.5",
        seconds=2.0,
        note="Half the strength of every motor.",
    ),
    Still(
        kind="broken",
        pair="Walker2d-broken-leg_joint",
        seconds=0.4,
        note="A dead motor, that of the right knee.",
    ),
    Still(
        kind="joint_range",
        pair="Ant-kinematic-anklejnt-hard",
        seconds=0.6,
        note="A fifth of the range of the ankles.",
    ),
    Still(
        kind="limb",
        pair="Ant-morph-alllegs-hard",
        seconds=0.0,
        note="Lower legs of a fifth of their length.",
    ),
    Still(
        kind="link",
        pair="HalfCheetah-morph-torso-hard",
        seconds=0.0,
        note="A torso of a fifth of its length; head and legs move with its ends.",
    ),
    Still(
        kind="obstacle",
        pair="HalfCheetah-obstacle",
        seconds=0.0,
        note="A wall behind the cheetah, which may run either way.",
    ),
    Still(
        kind="maze",
        pair="AntMaze-medium-3",
        seconds=0.0,
        camera={"distance": 48.0, "azimuth": 90.0, "elevation": -90.0, "lookat": (0.0, 0.0, 0.0)},
        note="Other walls around an ant; needs the extra `robotics`.",
    ),
    Still(
        kind="finger",
        pair="AdroitPen-shrink-finger-easy",
        seconds=0.0,
        note="Four fingers of half their length, and the same mass; needs the extra `robotics`.",
    ),
    Still(
        kind="wind",
        pair="HalfCheetah-wind--20.0",
        seconds=3.0,
        camera=STANDING,
        clip=True,
        note="A wind of 20 m/s against the robot, in air of normal density.",
    ),
    Still(
        kind="timestep",
        pair="Ant-timestep-0.5",
        seconds=3.0,
        note="Half the time step, and half the time between actions; compared at equal simulated time.",
    ),
    Still(
        kind="noise",
        pair="HalfCheetah-noise-0.3",
        seconds=3.0,
        note="Noise on every action, which in time leads elsewhere.",
    ),
    Still(
        kind="delay",
        pair="Swimmer-delay-3",
        seconds=3.0,
        note="Each action arrives three steps late.",
    ),
    Still(
        kind="repeat",
        pair="HalfCheetah-repeat-4to2",
        seconds=3.0,
        note="Actions held for four control steps in the source, for two in the target; equal simulated time.",
    ),
    Still(
        kind="observation_noise",
        pair="HalfCheetah-obsnoise-0.05",
        seconds=2.0,
        note="Noise on what the agent sees: the world is the same, and moves the same under fixed actions.",
    ),
    Still(
        kind="direction",
        pair="HalfCheetah-backward",
        seconds=2.0,
        note="The other direction is rewarded: the motion is the same, the return is not.",
    ),
    Still(
        kind="velocity",
        pair="HalfCheetah-velocity-3.0",
        seconds=2.0,
        note="Another velocity is rewarded: the motion is the same, the return is not.",
    ),
    Still(
        kind="sparse",
        pair="HalfCheetah-sparse-mass-2.0",
        seconds=2.0,
        note="No reward before 8 m, in both domains, and twice the mass in the target.",
    ),
    Still(
        kind="another robot",
        pair="Walker2d-from-Hopper",
        seconds=0.4,
        note="Another body in the source, with actions of its own.",
    ),
)
"""What the gallery shows, in its order."""


@dataclass(frozen=True, kw_only=True)
class GalleryArgs:
    """What to draw."""

    docs: Path = Path("docs")
    """Directory of gallery.md and of images/gallery."""

    only: tuple[str, ...] = ()
    """Kinds to draw again; all when left out."""

    width: int = 280
    """Of each domain's frame [pixels]."""

    height: int = 210
    """Of each domain's frame [pixels]."""


def gallery_page(stills: tuple[Still, ...] = STILLS) -> str:
    """Return the page that shows the stills."""
    lines = [
        "# What the shifts look like",
        "",
        "Source and target at the same simulated time, from the same seed, under the same fixed sequence of actions:",
        "one sinusoid a joint, so nobody was trained for these. Red captions say that an episode was over by then.",
        "`make pictures` draws this page; `transreward render PAIR` draws any pair, as a film strip, a GIF and an MP4.",
        "",
    ]
    for still in stills:
        lines += [
            f"## {still.kind}",
            "",
            f"{still.note} (`{still.pair}`)",
            "",
            f"![{still.pair}, source and target](images/gallery/{still.file}.{still.suffix})",
            "",
        ]
    return "\n".join(lines)


def draw_gallery(args: GalleryArgs) -> None:
    """Write the pictures and the page."""
    folder = args.docs / "images" / "gallery"
    folder.mkdir(parents=True, exist_ok=True)
    for still in tqdm([still for still in STILLS if not args.only or still.kind in args.only], unit="still"):
        draw_still(still, folder / still.file, width=args.width, height=args.height)
    (args.docs / "gallery.md").write_text(gallery_page())


def draw_still(still: Still, stem: Path, *, width: int, height: int) -> None:
    """Write a PNG of both domains at the still's moment, or a GIF up to that moment."""
    pair = get_pair(still.pair)
    times = moments(pair, steps=None, seconds=still.seconds, fps=12 if still.clip else 1_000)
    times = times if still.clip else times[-1:]
    source, target = (
        film(
            pair,
            role,
            sequence(pair, role, seed=0),
            times,
            seed=0,
            hold=False,
            camera=still.camera or None,
            width=width,
            height=height,
        )
        for role in ROLES
    )
    films: tuple[Film, Film] = (source, target)
    pictures = [side_by_side(pair, films, index, pair.name) for index in range(len(times))]
    if still.clip:
        write_gif(pictures, stem.with_suffix(".gif"), fps=1.0 / (times[1] - times[0]))
    else:
        write_png(pictures[-1], stem.with_suffix(".png"))


if __name__ == "__main__":
    try:
        assert "mujoco" not in sys.modules  # the way to render is fixed when it is loaded
        os.environ["MUJOCO_GL"] = working_backend()
        draw_gallery(tyro.cli(GalleryArgs, description=__doc__))
    except RenderError as error:
        sys.exit(f"make pictures: {error}")
