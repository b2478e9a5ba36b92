"""A run of one of the scripts here: its directory, clock, evaluations, logs, checkpoints and progress bar."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from transreward_baselines.evaluation import evaluate_id
from transreward_baselines.results import Evaluation, read_rows, write_rows
from transreward_baselines.run_directory import (
    RunDirectoryError,
    check_directory,
    checkpoints,
    new_checkpoint,
    read_settings,
)
from transreward_baselines.settings import parse_settings
from transreward_baselines.training_ids import evaluation_ids, find_training_pair, takes_seed
from transreward_baselines.vectors import Lanes, find_shared, find_spec, make_lanes, scale_actions
from transreward_envs.errors import BudgetSpentError, require_count, require_positive, unknown
from transreward_wrappers.errors import CorruptFileError
from transreward_wrappers.storage import Tensors, load_tensors, save_tensors, write_json

MAY_CHANGE = ("total_steps", "max_seconds", "device", "threads", "torch_threads", "out")
"""Settings that may differ when a run is resumed."""


class Agent(Protocol):
    """What is trained, evaluated and kept."""

    def act(self, observations: Any) -> Any:
        """Return the deterministic actions in ``[-1, 1]``, as ``(B, action_size)``."""

    def files(self) -> dict[str, Tensors]:
        """Return all that training changes, by the name of the file to keep it in."""

    def load(self, files: Mapping[str, Tensors]) -> None:
        """Put back what :meth:`files` returned."""


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

    out: Path | None = None
    """Directory of the run; `runs/<script>-<id>-<seed>` when left out."""

    num_envs: int = 16
    """Lanes that step together."""

    settings: tuple[str, ...] = ()
    """Further keywords of the id, such as `eta=0.1`."""

    autoreset: Literal["SameStep", "NextStep"] = "SameStep"
    """When a lane whose episode is over starts again; what is learned from is the same."""

    threads: int = 0
    """Threads that step the lanes; all CPUs when 0."""

    torch_threads: int = 1
    """Threads of PyTorch; small networks are no faster with more."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Of the networks; `auto` is the GPU if there is one."""

    eval_every: int = 50_000
    """Environment steps between two evaluations."""

    eval_episodes: int = 10
    """Episodes of an evaluation, in each domain."""

    checkpoint_every: int = 100_000
    """Environment steps between two checkpoints."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", tuple(self.settings))
        find_spec(self.env_id)
        parse_settings(self.settings)
        for name in ("total_steps", "num_envs", "torch_threads", "eval_every", "eval_episodes", "checkpoint_every"):
            require_count(name, getattr(self, name), at_least=1)
        for name in ("seed", "threads"):
            require_count(name, getattr(self, name))
        if self.max_seconds is not None:
            require_positive("max_seconds", self.max_seconds)
        if self.autoreset not in ("SameStep", "NextStep"):
            raise ValueError(unknown("autoreset mode", self.autoreset, ("SameStep", "NextStep")))
        if self.device not in ("auto", "cpu", "cuda"):
            raise ValueError(unknown("device", self.device, ("auto", "cpu", "cuda")))
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("`device` can be 'cuda' where PyTorch finds a GPU; it finds none. Use 'cpu' or 'auto'.")

    def torch_device(self) -> torch.device:
        """Return the device of the networks."""
        chosen = ("cuda" if torch.cuda.is_available() else "cpu") if self.device == "auto" else self.device
        return torch.device(chosen)

    def keywords(self) -> dict[str, Any]:
        """Return the keywords of the id, the compensation's seed among them."""
        found = find_training_pair(self.env_id)
        seed = {"seed": self.seed} if found and takes_seed(found[1]) else {}
        return {**seed, **parse_settings(self.settings)}


def make_env(args: RunArgs) -> Lanes:
    """Make the lanes to train in."""
    return Lanes(
        make_lanes(args.env_id, args.num_envs, autoreset=args.autoreset, threads=args.threads, settings=args.keywords())
    )


class Run:
    """Counts a run's steps and seconds, and keeps, evaluates and logs its agent as it goes; a context manager.

    It ends early, as a whole run does, where a budget of target steps is spent.

    Args:
        script: Name of the script.
        args: What the script was told.
        agent: The agent.
        lanes: What it trains in.

    Raises:
        RunDirectoryError: The directory belongs to another run, or its checkpoint cannot be read.
    """

    def __init__(self, script: str, args: RunArgs, agent: Agent, lanes: Lanes) -> None:
        self.args, self.agent, self.lanes = args, agent, lanes
        self.directory = args.out or Path("runs") / f"{script}-{args.env_id.replace('/', '-')}-{args.seed}"
        self.steps, self.seconds = 0, 0.0
        settings = {"script": script, **dataclasses.asdict(args), "out": None}
        check_directory(self.directory, _as_json(settings), may_change=MAY_CHANGE, read=read_settings)
        if not (self.directory / "config.json").exists():
            write_json(self.directory / "config.json", _as_json(settings))
        self._load()
        self.results = [row for row in read_rows(self.directory, Evaluation) if row.step <= self.steps]
        self._domains = evaluation_ids(args.env_id)
        self._bar = tqdm(
            total=args.total_steps,
            initial=self.steps,
            desc=f"{script} {args.env_id} seed {args.seed}",
            unit="step",
            disable=None,
        )
        self._logs = SummaryWriter(str(self.directory / "logs"), purge_step=self.steps + 1)
        self._since = time.perf_counter()

    @property
    def unfinished(self) -> bool:
        """Whether steps and time are left."""
        limit = self.args.max_seconds
        return self.steps < self.args.total_steps and (limit is None or self.seconds < limit)

    def __enter__(self) -> Self:
        self._since = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        spent = isinstance(error, BudgetSpentError)
        try:
            if spent or (error is None and not self.results):
                self._tell_time()
                self._evaluate()
                self._save()
        finally:
            self._bar.close()
            self._logs.close()
            self.lanes.close()
        return spent

    def advance(self, steps: int, scalars: Mapping[str, float]) -> None:
        """Count steps that were taken and learned from; log, evaluate and keep when it is time to.

        Args:
            steps: Environment steps since the last call.
            scalars: What to log.
        """
        before, self.steps = self.steps, self.steps + steps
        self._tell_time()
        self._bar.update(steps)
        self._log({"charts/steps_per_second": self.steps / max(self.seconds, 1e-9), **self._episodes(), **scalars})
        last = not self.unfinished
        if last or before // self.args.eval_every < self.steps // self.args.eval_every:
            self._evaluate()
        if last or before // self.args.checkpoint_every < self.steps // self.args.checkpoint_every:
            self._save()

    def _tell_time(self) -> None:
        """Add the time since the clock was last read or started."""
        now = time.perf_counter()
        self.seconds, self._since = self.seconds + now - self._since, now

    def _evaluate(self) -> None:
        """Evaluate the policy in the plain domains; the clock stands still meanwhile."""
        space = self.lanes.envs.single_action_space
        for domain, env_id in self._domains.items():
            returns = evaluate_id(
                lambda observations: scale_actions(self.agent.act(observations), space),  # type: ignore[arg-type]
                env_id,
                episodes=self.args.eval_episodes,
                threads=self.args.threads,
                settings=self.args.keywords() if domain == "plain" else None,
            )
            row = Evaluation(
                step=self.steps,
                seconds=self.seconds,
                domain=domain,
                return_mean=float(returns.mean()),
                return_std=float(returns.std()),
                episodes=len(returns),
            )
            self.results.append(row)
            self._bar.write(f"step {row.step}: return {row.return_mean:.0f} +- {row.return_std:.0f} ({domain})")
            self._log({f"evaluation/{domain}": row.return_mean})
        write_rows(self.directory, self.results, Evaluation)
        self._since = time.perf_counter()

    def _save(self) -> None:
        """Write a checkpoint, after the results: rows beyond it are dropped when a run resumes."""
        with new_checkpoint(self.directory, self.steps) as draft:
            for name, tensors in self.agent.files().items():
                save_tensors(draft / f"{name}.safetensors", tensors, {})
            progress: dict[str, Any] = {"steps": self.steps, "seconds": self.seconds}
            if (steps := find_shared(self.lanes.envs, "steps")) is not None:
                progress["spent"] = steps()
            if (save := find_shared(self.lanes.envs, "save_state")) is not None:
                save(str(draft / "compensation.safetensors"))
            write_json(draft / "progress.json", progress)

    def _load(self) -> None:
        """Put agent and lanes back to the newest checkpoint, if there is one."""
        if not (found := checkpoints(self.directory)):
            return
        path = found[-1]
        try:
            progress = json.loads((path / "progress.json").read_text())
            self.agent.load({file.stem: load_tensors(file)[0] for file in path.glob("*.safetensors")})
            if (restore := find_shared(self.lanes.envs, "restore_steps")) is not None:
                restore(**progress["spent"])
            if (load := find_shared(self.lanes.envs, "load_state")) is not None:
                load(str(path / "compensation.safetensors"))
            self.steps, self.seconds = int(progress["steps"]), float(progress["seconds"])
        except (CorruptFileError, OSError, KeyError, ValueError, RuntimeError) as error:
            raise RunDirectoryError(
                f"The checkpoint {path} cannot be read ({error}). Delete it to start again."
            ) from error

    def _episodes(self) -> dict[str, float]:
        """Return the mean return and length of the episodes that ended since the last call."""
        finished = self.lanes.finished
        if not finished:
            return {}
        self.lanes.finished = []
        returns, lengths = np.array(finished).T
        return {"charts/episodic_return": float(returns.mean()), "charts/episodic_length": float(lengths.mean())}

    def _log(self, scalars: Mapping[str, float]) -> None:
        for name, value in scalars.items():
            self._logs.add_scalar(name, value, self.steps)


def _as_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as they are read back from JSON."""
    read: dict[str, Any] = json.loads(json.dumps(settings))
    return read
