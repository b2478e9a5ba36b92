"""How each robot's policies are trained: settings of the scripts here, the same for all of a robot's domains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Settings = dict[str, Any]

SOURCES: dict[str, Settings] = {
    "Hopper": {"total_steps": 2_000_000},
    "Walker2d": {"total_steps": 5_000_000},
    "HalfCheetah": {},
    "Ant": {"total_steps": 8_000_000, "num_envs": 64, "minibatch_size": 512, "log_std": -1.0},
    "Humanoid": {"total_steps": 8_000_000, "num_envs": 64, "minibatch_size": 512, "log_std": -1.0, "hidden": 128},
    "Swimmer": {"total_steps": 2_000_000, "gamma": 0.9999, "num_steps": 128},
    "Reacher": {"total_steps": 1_000_000, "gamma": 0.9},
    "Reacher7": {"total_steps": 2_000_000, "gamma": 0.95},
    "Pusher": {"total_steps": 3_000_000, "gamma": 0.95},
    "InvertedPendulum": {"total_steps": 300_000},
    "InvertedDoublePendulum": {"total_steps": 1_000_000},
}
"""Of PPO, on the plain robot from scratch, and in its shifted domains."""

SAC_SOURCES: dict[str, Settings] = {"HalfCheetah": {"total_steps": 600_000}}
"""Of SAC, on plain robots where PPO stays far below it; the expert is taught to a network of PPO's."""

TARGETS: dict[str, int] = {
    "Hopper": 600_000,
    "Walker2d": 800_000,
    "HalfCheetah": 600_000,
    "Ant": 600_000,
    "Humanoid": 800_000,
    "Swimmer": 400_000,
    "Reacher": 300_000,
    "Reacher7": 300_000,
    "Pusher": 400_000,
    "InvertedPendulum": 100_000,
    "InvertedDoublePendulum": 300_000,
}
"""Steps of each attempt on a target, the same for every shifted domain of a robot.

Humanoid's were 400,000, where it had barely found its feet: on Humanoid-mass-1.5, one seed, the policy returned 1,070
after these and 5,091 after 800,000.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """A way to train in a shifted domain by PPO."""

    name: str

    settings: Mapping[str, Any] = field(default_factory=dict)
    """What differs from the settings on the plain robot."""

    afresh: bool = False
    """From scratch, not from an expert."""

    whole: bool = False
    """For as many steps as the plain robot takes from scratch."""

    nearest: bool = False
    """From whichever of the plain robot's policies returns most in the domain, not from its expert."""


CAREFUL = Attempt(name="careful", settings={"log_std": -1.5, "learning_rate": 1e-4})
"""With little noise and small steps at first: for shifts that the source's expert survives."""

BOLD = Attempt(name="bold")
"""With as much noise as a training from scratch begins with, for shifts that throw the source's expert over.

On Hopper-mass-2.0, where that falls at 345, one seed each, this was at 2,980 after 600,000 steps and a careful attempt,
whose value learned alone for the first 30,000, at 374; a training from scratch was at 496 after a million.
"""

PATIENT = Attempt(name="patient", settings={"gamma": 0.995})
"""Boldly, and with a longer horizon, so that standing still does not seem as good as going on.

On Hopper-frictionodrl-0.1 two seeds ended at 2,929 and 2,832; with 0.99, four attempts ended between 909 and 1,452.
"""

AFRESH = Attempt(name="afresh", afresh=True)
"""From scratch, where the plain robot's expert imitates SAC: PPO with much noise unlearns its gait before it learns."""

BRISK = Attempt(name="brisk", settings={"num_steps": 32, "minibatch_size": 256})
"""Boldly, and with four times as many updates of the networks, for the robot whose steps cost most.

On Humanoid-mass-1.5, where the source's expert falls at 70, one seed each, the policy after 200,000 steps returned 568
with the smaller minibatches alone, 631 with the shorter rollouts alone, 548 boldly and 380 carefully.
"""

NEAREST = Attempt(name="nearest", nearest=True, settings={"log_std": -2.0, "learning_rate": 1e-4, "gamma": 0.995})
"""From what already comes near, with no more noise than its own and small steps: where to fall costs less than to err.

On Walker2d-velocity-3.0 the plain robot's expert, which runs at twice that, had learnt to fall after 40,000 steps,
boldly and carefully; on Hopper-velocity-3.0 carefully.
"""

ATTEMPTS: dict[str, tuple[Attempt, ...]] = {
    "Hopper": (PATIENT,),
    "Walker2d": (PATIENT,),
    "HalfCheetah": (CAREFUL, AFRESH),
    "Ant": (CAREFUL, BOLD),
    "Humanoid": (BRISK,),
}
"""How a robot's targets are tried; the best policy of all attempts counts."""

DEFAULT_ATTEMPTS = (BOLD,)

OF_REWARDS: dict[str, tuple[Attempt, ...]] = {
    "direction": (Attempt(name="afresh", afresh=True, whole=True),),
    "sparse": (CAREFUL,),
    "velocity": (NEAREST, PATIENT),
}
"""How domains are tried that pay for something else, by the kind of that shift; otherwise as all of their robot.

Who runs forward has to unlearn it before it runs backward. Where a sparse reward begins, the expert of the same
dynamics and the robot's own reward gets by itself, but for one that stands still (Hopper with twice the friction), and
nobody else would.
"""

EVALUATIONS = {"source": 80, "target": 20}
"""Policies that a run keeps."""
