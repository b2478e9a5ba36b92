"""``transreward align``: how a target trajectory aligns with a source's, and what that pays."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from rich.table import Table

from transreward_baselines.console import console
from transreward_baselines.run_directory import require_folder
from transreward_baselines.settings import parse_settings
from transreward_envs import get_pair
from transreward_envs.errors import require_count


def align(
    source: str = "expert",
    target: str = "source-expert",
    pair: str | None = None,
    method: Literal["dtw", "soft_dtw", "ot", "temporal_ot", "orca", "min_distance"] = "dtw",
    tau: float | None = None,
    open_end: bool = False,
    band: int | None = None,
    steps: int | None = None,
    seed: int = 0,
    set: tuple[str, ...] = (),
    out: Path = Path("alignment"),
) -> None:
    """Align two trajectories: a figure of costs, path, curves and rewards, and the figures as JSON.

    Args:
        source: What is followed: `expert`, `medium` or `random` (a policy of the pair's source), a policy's file, a
            trajectory's (`.npz`), or a dataset, `<id>#3` for its episode 3.
        target: What follows: the same in the target, `source-expert` for the source's policy there, or `imagined` for
            what a world model imagines in place of a piece of the source.
        pair: The pair in whose domains policies act.
        method: `dtw`, `soft_dtw`, `ot`, `temporal_ot`, `orca` or `min_distance`.
        tau: Cost at which the gate pays 1/e; the number of features when left out.
        open_end: Let a path of `dtw` end anywhere in the source.
        band: Cells that a path of `dtw` may stray from the diagonal.
        steps: Take so many steps of both alone.
        seed: Of the domains, and of what is imagined.
        set: Keywords of the pair's `-dtw-v0` for `imagined`, such as `model_updates=500`.
        out: Directory of the figure and the JSON.
    """
    from transreward_baselines.align.figure import plot_alignment, streamed
    from transreward_baselines.align.trajectories import IMAGINED, imagine, load_trajectory
    from transreward_wrappers.alignment import Carry, transport
    from transreward_wrappers.alignment import align as align_costs
    from transreward_wrappers.storage import write_json

    if method != "dtw" and (open_end or band is not None):
        raise ValueError(f"`open_end` and `band` are of `--method dtw`; got {method!r}. Leave them out.")
    if set and target != IMAGINED:
        raise ValueError(f"`--set` is of `--target {IMAGINED}`, for the model that imagines; got {' '.join(set)}.")
    if target == IMAGINED and source != "expert":
        raise ValueError(
            f"`--target {IMAGINED}` follows the references of a `dtw` compensation; got `--source {source}`. Leave it "
            "out, or say by `--set references=...` which they are."
        )
    require_count("seed", seed)
    if steps is not None:
        require_count("steps", steps, at_least=2)
    require_folder(out)
    the_pair = None if pair is None else get_pair(pair)
    if the_pair is not None and the_pair.source_robot is not None and target != IMAGINED:
        raise ValueError(
            f"Trajectories are aligned by observations of one robot; the source of {pair!r} has "
            f"{the_pair.source_robot}, its target {the_pair.robot}. Choose another pair."
        )
    if target == IMAGINED:
        if the_pair is None:
            raise ValueError("What is `imagined` is a pair's target: name its `--pair`.")
        followed, following = imagine(the_pair, parse_settings(set), seed=seed)
    else:
        followed = load_trajectory(source, the_pair, "source", seed=seed)
        following = load_trajectory(target, the_pair, "target", seed=seed)
    if followed.size != following.size:
        raise ValueError(
            f"Trajectories are aligned by observations of one robot; those of {source} have {followed.size} numbers, "
            f"those of {target} {following.size}. Give two of the same robot."
        )
    followed, following = followed.part(0, steps or len(followed)), following.part(0, steps or len(following))
    of_dtw = {"open_end": open_end or target == IMAGINED, "band": band} if method == "dtw" else {}
    found = align_costs(followed.costs(following.observations), method, **of_dtw)
    gate = float(followed.size) if tau is None else tau
    gated = {
        f"transport, gated, {carry}": transport(found, followed.rewards, carry=carry, tau=gate, floor=followed.floor)
        for carry in get_args(Carry)
    }
    figures = {
        "source steps": len(followed),
        "target steps": len(following),
        "total": found.total,
        "total a target step": found.total / len(following),
        "source's reward": float(followed.rewards.sum()),
        "transport, plain, total": float(transport(found, followed.rewards, tau=None).sum()),
        **{name: float(paid.sum()) for name, paid in gated.items()},
        "progress": float(streamed(followed, following, gate).sum()),
    }
    name = pair or "two trajectories"
    write_json(out / "alignment.json", {"pair": pair, "method": method, "tau": gate, **figures})
    plot_alignment(
        found, followed, following, out / "alignment.png", tau=gate, title=f"{name}: {target} after {source}"
    )
    table = Table(title=f"{name}, {method}", box=None, show_header=False)
    for label, value in figures.items():
        table.add_row(label, f"{value:,.4g}")
    console().print(table)
    print(f"The figure is {out / 'alignment.png'}.")
