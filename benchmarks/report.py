"""The page about speed, from what was measured."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from benchmarks import machine
from benchmarks.contenders import ENVPOOL, OURS, OURS_WORLDS, PROCESSES, RAW
from benchmarks.scaling import slope
from benchmarks.tables import read

OTHERS = ("SyncVectorEnv", *PROCESSES, ENVPOOL)
"""Contenders that the summary compares lanes with, besides plain physics."""

OUT = Path("runs/speed")
"""Where measurements go."""

TEXT = Path(__file__).with_name("speed.md")
"""The page's text, with places for the tables."""


def write(folder: Path) -> None:
    """Write the page beside the folder, and its plots into it."""
    if read(folder / "stepping.csv"):
        draw_contenders(folder)
    if read(folder / "scaling.csv"):
        draw_scaling(folder)
    folder.with_suffix(".md").write_text(page(folder))


def page(folder: Path) -> str:
    """Return the page."""
    text = TEXT.read_text()
    for name, part in (
        ("machine", machine.told(folder)),
        ("summary", summary_table(folder)),
        ("missing", missing(folder)),
        ("scaling", scaling_table(folder)),
        ("memory", memory_table(folder)),
        ("compensation", plain_table(read(folder / "compensation.csv"))),
        ("sb3", plain_table(read(folder / "sb3.csv"))),
    ):
        text = text.replace(f"<!-- {name} -->", part)
    return text


def summary_table(folder: Path) -> str:
    """Return a line a robot, at the most threads and at the most lanes that every contender was timed with."""
    rows = read(folder / "stepping.csv")
    timed: dict[str, set[int]] = {}
    for row in rows:
        timed.setdefault(row["contender"], set()).add(int(row["lanes"]))
    if OURS not in timed:
        return "Nothing was measured yet."
    lanes = max(set.intersection(*timed.values()) or timed[OURS])
    threads = max(int(row["threads"]) for row in rows if row["contender"] == OURS)
    lines = [
        f"Steps a second of {lanes} lanes on {threads} thread{'s' if threads > 1 else ''}, medians, and in brackets "
        "how many times as fast as each other way that is:",
        "",
        f"| robot | lanes | of raw physics, by CPU, on one thread | {RAW}, one thread | {' | '.join(OTHERS)} |",
        "|---" + "|---:" * (3 + len(OTHERS)) + "|",
    ]
    for robot in sorted({row["robot"] for row in rows}):
        own = {
            (row["contender"], int(row["threads"])): row
            for row in rows
            if row["robot"] == robot and int(row["lanes"]) == lanes
        }
        if (OURS, threads) in own:
            ours = float(own[OURS, threads]["per_second"])
            share = f"{float(own[OURS, 1]['of_raw_cpu']):.2f}" if (OURS, 1) in own else "-"
            others = [_against(ours, own.get((name, threads))) for name in (RAW, *OTHERS)]
            lines.append(f"| {' | '.join([robot, f'{ours:,.0f}', share, *others])} |")
    return "\n".join(lines)


def _against(ours: float, row: dict[str, str] | None) -> str:
    """Return another contender's steps a second, if it took any, and how many times as many ours are."""
    theirs = float(row["per_second"]) if row else 0.0
    return f"{theirs:,.0f} ({ours / theirs:.1f})" if theirs else "-"


def missing(folder: Path) -> str:
    """Return which contenders are missing where."""
    rows = read(folder / "stepping.csv")
    parts = []
    if rows and "counts" not in rows[0]:
        parts.append(
            "These are of an earlier version, which counted steps that only start lanes again, of ours and of "
            "Gymnasium's: 3.9 % of Hopper's and 3.8 % of Humanoid's, 0.8 % of Ant's, and none of HalfCheetah's. They "
            "stand too high by as much."
        )
    if not any(row["contender"] == ENVPOOL for row in rows):
        parts.append("EnvPool was not timed: no interpreter that has it was given.")
    most = max((int(row["lanes"]) for row in rows if row["contender"] in PROCESSES), default=0)
    if any(int(row["lanes"]) > most for row in rows):
        parts.append(f"{' and '.join(PROCESSES)} start a process a lane; beyond {most} lanes they are left out.")
    return " ".join(parts)


def scaling_table(folder: Path) -> str:
    """Return the fitted powers of the cost of a step."""
    note = (
        "These are of an earlier version, which timed few lanes later in their episodes than many, where a step costs "
        "more: what the powers lack of 1 may be due to that.\n\n"
    )
    lines = ["| robot | from lanes | to lanes | a step at the most lanes [ms] | power of the number of lanes |"]
    lines += ["|---|---|---|---|---|"]
    for robot, lanes, costs in curves(folder):
        cells = [robot, f"{lanes[0]:.0f}", f"{lanes[-1]:,.0f}", f"{costs[-1] / 1000:.1f}", f"{slope(lanes, costs):.3f}"]
        lines.append(f"| {' | '.join(cells)} |")
    aged = any("after" not in row for row in read(folder / "scaling.csv"))
    return note * aged + "\n".join(lines)


def memory_table(folder: Path) -> str:
    """Return the table of memory."""
    lines = ["| robot | lanes | threads | | grows by [MB] |", "|---|---|---|---|---|"]
    for row in read(folder / "memory.csv"):
        lines.append(f"| {' | '.join(row[name] for name in ('robot', 'lanes', 'threads', 'worlds', 'megabytes'))} |")
    return "\n".join(lines)


def plain_table(rows: list[dict[str, str]]) -> str:
    """Return rows as they are, under the names of their columns."""
    if not rows:
        return "Nothing was measured yet."
    lines = [f"| {' | '.join(rows[0])} |", "|---" * len(rows[0]) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row.values())} |" for row in rows)])


def curves(folder: Path) -> list[tuple[str, list[float], list[float]]]:
    """Return robots, their numbers of lanes and the costs of a step [us]."""
    rows = read(folder / "scaling.csv")
    found = []
    for robot in dict.fromkeys(row["robot"] for row in rows):
        own = [row for row in rows if row["robot"] == robot]
        found.append((robot, [float(row["lanes"]) for row in own], [float(row["microseconds"]) for row in own]))
    return found


def draw_contenders(folder: Path) -> None:
    """Draw steps a second of each contender at the fewest lanes and the fewest threads, a panel a robot."""
    rows = read(folder / "stepping.csv")
    robots = list(dict.fromkeys(row["robot"] for row in rows))
    figure, panels = plt.subplots(1, len(robots), figsize=(4.2 * len(robots), 3.6), sharey=True, squeeze=False)
    lanes, threads = (str(min(int(row[name]) for row in rows)) for name in ("lanes", "threads"))
    for panel, robot in zip(panels[0], robots, strict=True):
        own = [row for row in rows if (row["robot"], row["lanes"], row["threads"]) == (robot, lanes, threads)]
        own.sort(key=lambda row: row["contender"])
        low, rates, high = ([float(row[f"per_second{end}"]) / 1000 for row in own] for end in ("_low", "", "_high"))
        spread = [np.subtract(rates, low), np.subtract(high, rates)]
        colours = ["C1" if row["contender"] in (OURS, OURS_WORLDS) else "C7" for row in own]
        panel.barh([row["contender"] for row in own], rates, xerr=spread, color=colours)
        panel.set(title=robot, xlabel="thousand steps a second")
    figure.suptitle(f"{lanes} lanes, {threads} thread{'s' if threads != '1' else ''}")
    save(figure, folder / "stepping.svg")


def draw_scaling(folder: Path) -> None:
    """Draw the cost of a step over the number of lanes."""
    figure, panel = plt.subplots(figsize=(6, 4))
    for robot, lanes, costs in curves(folder):
        panel.loglog(lanes, costs, marker="o", label=f"{robot}: lanes to the power of {slope(lanes, costs):.2f}")
    panel.set(xlabel="lanes", ylabel="a step of all lanes [us of CPU]")
    panel.grid(alpha=0.3)
    panel.legend()
    save(figure, folder / "scaling.svg")


def save(figure: plt.Figure, path: Path) -> None:
    """Save a figure, without the time it was drawn at."""
    figure.tight_layout()
    with plt.rc_context({"svg.hashsalt": "speed"}):
        figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
