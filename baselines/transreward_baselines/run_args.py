"""What every script here can be told, and the lanes that it means."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from transreward_baselines.devices import DeviceName, require_device
from transreward_baselines.lanes import Lanes, find_spec, make_lanes
from transreward_baselines.settings import parse_settings
from transreward_baselines.training_ids import TRAINING_KEYWORDS, evaluation_ids, find_training_pair, with_agents_own
from transreward_envs.errors import require_count, require_positive, unknown


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunArgs:
    """What every script here can be told.

    Raises:
        TypeError: A number is not of its kind.
        ValueError: A name is unknown or a number breaks its rule.
    """

    env_id: str = "TransReward/Hopper-v0"
    """Id to train in: a domain, a pair's source, target or training id, or any other of Gymnasium's."""

    total_steps: int = 1_000_000
    """Environment steps of all lanes together."""

    max_seconds: float | None = None
    """Wall-clock time of training after which a run ends, evaluations not counted [s]; no limit when left out."""

    seed: int = 1
    """Of the agent and the lanes, and of the compensation if it takes one."""

    gamma: float = 0.99
    """Discount of the agent, and of the compensation if it takes one and `--set` says no other."""

    out: Path | None = None
    """Directory of the run; `runs/<script>-<id>-<seed>` when left out."""

    num_envs: int = 16
    """Lanes that step together."""

    settings: Annotated[tuple[str, ...], tyro.conf.arg(name="set")] = ()
    """Further keywords of the id, such as `eta=0.1`; `transreward settings darc` lists those of DARC."""

    autoreset: Literal["SameStep", "NextStep"] = "SameStep"
    """When a lane whose episode is over starts again; what is learned from is the same."""

    threads: int = 0
    """Threads that step the lanes; all CPUs when 0."""

    torch_threads: int = 1
    """Threads of PyTorch; small networks are no faster with more."""

    device: DeviceName = "auto"
    """Of the networks; `auto` is the GPU if there is one."""

    eval_every: int = 50_000
    """Environment steps between two evaluations."""

    eval_episodes: int = 10
    """Episodes of an evaluation, in each domain."""

    eval_both: bool = False
    """Evaluate in target and source under the id of a pair's source or target too, as under its training ids; in the
    target alone where the source has another robot."""

    checkpoint_every: int = 100_000
    """Environment steps between two checkpoints."""

    quiet: bool = False
    """Show neither a progress bar nor evaluations."""

    keep_policies: bool = False
    """Keep the policy of every evaluation, as a file in `policies/`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", tuple(self.settings))
        find_spec(self.env_id)
        evaluation_ids(self.env_id, both=self.eval_both)
        parse_settings(self.settings)
        for name in ("total_steps", "num_envs", "torch_threads", "eval_every", "eval_episodes", "checkpoint_every"):
            require_count(name, getattr(self, name), at_least=1)
        for name in ("seed", "threads"):
            require_count(name, getattr(self, name))
        if self.max_seconds is not None:
            require_positive("max_seconds", self.max_seconds)
        if self.autoreset not in ("SameStep", "NextStep"):
            raise ValueError(unknown("autoreset mode", self.autoreset, ("SameStep", "NextStep")))
        require_device(self.device)

    def plain_keywords(self) -> dict[str, Any]:
        """Return the keywords of the id when a policy is evaluated in it: those of training are left out."""
        return {name: value for name, value in self.keywords().items() if name not in TRAINING_KEYWORDS}

    def keywords(self) -> dict[str, Any]:
        """Return the keywords of the id, the seed and the discount of a compensation that takes them among them."""
        found = find_training_pair(self.env_id)
        settings = parse_settings(self.settings)
        return with_agents_own(found[1] if found else "", settings, seed=self.seed, gamma=self.gamma)


def make_env(args: RunArgs) -> Lanes:
    """Make the lanes to train in."""
    return Lanes(
        make_lanes(args.env_id, args.num_envs, autoreset=args.autoreset, threads=args.threads, settings=args.keywords())
    )
