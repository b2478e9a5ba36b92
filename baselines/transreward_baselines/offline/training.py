"""Trains many runs of an offline algorithm at once, and on in the target: checkpoints, results, runs to start from."""

from __future__ import annotations

import dataclasses
import json
import math
import time
import warnings
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from transreward_baselines.devices import torch_device
from transreward_baselines.offline.agent import Imitates, MakeAgent, OfflineAgent, Prepares, Schedules
from transreward_baselines.offline.args import OfflineArgs
from transreward_baselines.offline.data import OfflineData
from transreward_baselines.offline.evaluation import OfflineEvaluation, evaluate, score_of
from transreward_baselines.offline.online import Collector
from transreward_baselines.offline.requirements import require_room
from transreward_baselines.offline.streams import Streams
from transreward_baselines.results import read_rows, write_rows
from transreward_baselines.run_directory import (
    RunDirectoryError,
    check_directory,
    checkpoints,
    held,
    new_checkpoint,
    read_settings,
)
from transreward_wrappers.errors import CorruptFileError
from transreward_wrappers.storage import (
    Tensors,
    load_optimizer_tensors,
    load_tensors,
    optimizer_tensors,
    save_tensors,
    with_prefix,
    without_prefix,
    write_json,
)

MAY_CHANGE = (
    "updates",
    "finetune_steps",
    "out",
    "quiet",
    "tell",
    "torch_threads",
    "device",
    "compile",
    "root",
    "start",
)
"""Settings with which runs may go on that began with others, but for what their script ``keeps``; ``start`` counts
before the first checkpoint alone."""

UNTOLD = {"decay": False}
"""Settings as they were in runs that do not tell them."""

MODELS = "networks.models."
"""How the names of world models' tensors begin; these are fitted to each run's own data alone."""


def train(script: str, args: OfflineArgs, make_agent: MakeAgent) -> list[OfflineEvaluation]:
    """Train all runs to the end, from the newest checkpoint if there is one, and return all evaluations.

    Args:
        script: Name of the script.
        args: What it was told.
        make_agent: Makes the agent of all runs.

    Raises:
        RunDirectoryError: The directory belongs to other runs, its checkpoint cannot be read, or the runs to start from
            are other ones.
        FileNotFoundError: A dataset is not there.
        ValueError: Data are of other spaces, or not finite.
        MemoryError: They, or the networks, take more memory than there is.
    """
    torch.set_num_threads(args.torch_threads)
    directory = args.out or Path("runs") / f"{script}-{args.pair}"
    settings = json.loads(json.dumps({"script": script, **dataclasses.asdict(args)}, default=str))
    may_change = [name for name in MAY_CHANGE if name not in args.keeps]
    check_directory(directory, settings, may_change=may_change, read=read_settings, untold=UNTOLD)
    device, seeds = torch_device(args.device), [run.seed for run in args.runs]
    names = [run.data for run in args.runs]
    data = OfflineData(names, device=device, normalise=args.normalise, root=args.root, pair=args.pair)
    if args.finetune_steps:
        data.reserve(args.finetune_steps, args.online_share)
    rows = args.batch_size * args.actions_each
    require_room(_draft(args, data, make_agent), runs=len(seeds), rows=rows, device=device)
    streams = Streams(seeds, device)
    agent = make_agent(args, data, streams)
    agent.networks.to(device)
    with held(directory), closing(_Training(directory, args, data, streams, agent)) as training:
        if args.start is not None and not checkpoints(directory):
            training.start_from(args.start, settings)
        if not (directory / "config.json").exists():  # only now is it clear that there is anything to run
            write_json(directory / "config.json", settings)
        if isinstance(agent, Prepares):
            agent.prepare(directory)
        training.load()
        training.go()
    return training.rows


def _draft(args: OfflineArgs, data: OfflineData, make_agent: MakeAgent) -> torch.nn.Module:
    """Return networks that take no memory, as large as those to be."""
    nowhere = torch.device("meta")
    with nowhere:
        return make_agent(args, data, Streams([run.seed for run in args.runs], nowhere)).networks


class _Training:
    """What trains, and how far it has come."""

    def __init__(
        self, directory: Path, args: OfflineArgs, data: OfflineData, streams: Streams, agent: OfflineAgent
    ) -> None:
        self.directory, self.args, self.data, self.streams, self.agent = directory, args, data, streams, agent
        self.step, self.seconds, self.started = 0, 0.0, False
        self.rows: list[OfflineEvaluation] = []
        self.collector = Collector(args, data, streams, agent) if data.fresh is not None else None
        update = self._update
        self._step = torch.compile(update) if args.compile else update

    def go(self) -> None:
        """Train, evaluate and keep, by turns; offline first, then in the target."""
        args, total = self.args, self.args.total_updates
        title = f"{len(args.runs)} runs on {args.pair}"
        scheduled = self.agent if isinstance(self.agent, Schedules) else None
        bar = tqdm(total=total, initial=self.step, desc=title, unit="step", disable=args.quiet or None)
        with bar:
            since = time.perf_counter()
            while self.step < total:
                if self.collector is not None and self.step >= args.updates:
                    self.collector.step(self.step)
                if scheduled is not None:
                    scheduled.schedule(self.step)
                self._step(self.step)
                self.step += 1
                bar.update()
                if self.step % args.eval_every == 0 or self.step in (args.updates, total):
                    self.seconds += time.perf_counter() - since
                    self._evaluate(bar)
                    self._save()
                    since = time.perf_counter()

    def close(self) -> None:
        """Close the lanes of the target, if there are any."""
        if self.collector is not None:
            self.collector.close()

    def load(self) -> None:
        """Go back to the newest checkpoint, if there is one.

        Raises:
            RunDirectoryError: It cannot be read, or was kept at another number of steps in the target.
        """
        if not (found := checkpoints(self.directory)):
            return
        try:
            tensors, progress = load_tensors(found[-1] / "agent.safetensors")
            self._restore(tensors)
            for name, optimizer in self.agent.optimizers.items():
                load_optimizer_tensors(optimizer, without_prefix(f"optimizer.{name}", tensors))
            self.streams.restore(progress["drawn"])
            self.step, self.seconds = int(progress["step"]), float(progress["seconds"])
            if isinstance(self.agent, Imitates) and "first_steps" in progress:
                self.agent.first_steps = int(progress["first_steps"])
            online = int(progress.get("online", 0))
            if self.data.fresh is not None and online and self.step < self.args.total_updates:
                self.data.fresh.load(load_tensors(found[-1] / "fresh.safetensors")[0])
        except (CorruptFileError, OSError, KeyError, ValueError, RuntimeError) as error:
            raise RunDirectoryError(f"The checkpoint {found[-1]} cannot be read ({error}). Delete it.") from error
        if self.args.start is not None and not progress.get("started", True):
            raise RunDirectoryError(
                f"Runs start from others before their first checkpoint alone; those in {self.directory} started from "
                f"nothing, not from {self.args.start}. Choose another `--out`, or leave out `--start`."
            )
        self.started = bool(progress.get("started", False))
        if (online or self.args.finetune_steps) and online != self._online:
            raise RunDirectoryError(
                f"Once runs go on in the target, `updates` cannot change; {found[-1]} was kept after "
                f"{self.step - online} gradient steps offline and {online} online, and `updates` is "
                f"{self.args.updates}. Choose another `--out`, or ask for as many."
            )
        self.rows = [row for row in read_rows(self.directory, OfflineEvaluation) if row.update <= self.step]

    def start_from(self, directory: Path, settings: Mapping[str, Any]) -> None:
        """Begin with the networks and the normalisation of other runs, as their newest checkpoint has them.

        Optimisers begin anew, and so do world models with what they imagine: all of that is of other data.

        Raises:
            RunDirectoryError: These are other runs, or have no checkpoint that can be read.
        """
        theirs = read_settings(directory)
        for name in ("script", "seeds", "return_span"):
            if (value := settings.get(name)) != theirs.get(name):
                raise RunDirectoryError(
                    f"Runs start from runs of the same {name}; those in {directory} have {theirs.get(name)!r}, these "
                    f"{value!r}. Choose another `start`."
                )
        if not (found := checkpoints(directory)):
            raise RunDirectoryError(f"Runs start from a checkpoint; {directory} has none yet. Train these runs first.")
        try:
            tensors, _ = load_tensors(found[-1] / "agent.safetensors")
            own = with_prefix("networks", self.agent.networks.state_dict())
            self._restore({name: own[name] if name.startswith(MODELS) else tensors[name] for name in tensors})
            self.started = True
        except (CorruptFileError, OSError, KeyError, ValueError, RuntimeError) as error:
            raise RunDirectoryError(f"These runs cannot start from the checkpoint {found[-1]}: {error}") from error

    def _restore(self, tensors: Tensors) -> None:
        """Put back networks, and the normalisation that they are used to."""
        self.agent.networks.load_state_dict(without_prefix("networks", tensors))
        self.data.restore(without_prefix("data", tensors))

    @property
    def _online(self) -> int:
        """Steps in the target so far."""
        return max(self.step - self.args.updates, 0)

    def _update(self, step: int) -> None:
        batch = self.data.sample(self.streams, self.args.batch_size)
        with torch.autocast(batch.actions.device.type, torch.bfloat16, enabled=self.args.bfloat16, cache_enabled=False):
            self.agent.update(batch, step)

    def _evaluate(self, bar: Any) -> None:
        returns = evaluate(self.agent, self.data, self.args)
        for run, of_run in zip(self.args.runs, returns, strict=True):
            row = OfflineEvaluation(
                update=self.step,
                data=run.data,
                seed=run.seed,
                return_mean=float(of_run.mean()),
                return_std=float(of_run.std()),
                episodes=len(of_run),
                score=score_of(self.args.pair, float(of_run.mean())),
                seconds=self.seconds,
                online_steps=self._online,
            )
            if math.isnan(row.return_mean) and not self._has_diverged(row):
                warnings.warn(
                    f"The run of seed {run.seed} on {run.data} has diverged: after {self.step:,} gradient steps its "
                    "policy gives actions that are not finite, and its returns are NaN. All others go on.",
                    stacklevel=2,
                )
            self.rows.append(row)
            if self.args.tell and not self.args.quiet:
                bar.write(f"step {row.update}: return {row.return_mean:.0f}, score {row.score:.1f} ({row.data})")
        write_rows(self.directory, self.rows, OfflineEvaluation)

    def _has_diverged(self, new: OfflineEvaluation) -> bool:
        """Return whether an earlier evaluation of the same run was NaN."""
        return any(math.isnan(row.return_mean) for row in self.rows if (row.data, row.seed) == (new.data, new.seed))

    def _save(self) -> None:
        tensors: Tensors = with_prefix("networks", self.agent.networks.state_dict())
        tensors |= with_prefix("data", self.data.normalisation())
        for name, optimizer in self.agent.optimizers.items():
            tensors |= with_prefix(f"optimizer.{name}", optimizer_tensors(optimizer))
        if self.collector is not None:
            self.collector.cut()
        told = {"step": self.step, "seconds": self.seconds, "drawn": self.streams.drawn, "online": self._online}
        told["started"] = self.started
        if isinstance(self.agent, Imitates):
            told["first_steps"] = self.agent.first_steps
        with new_checkpoint(self.directory, self.step) as draft:
            if self.data.fresh is not None and self._online:
                save_tensors(draft / "fresh.safetensors", self.data.fresh.tensors(), {})
            save_tensors(draft / "agent.safetensors", tensors, told)
