"""The page of reference returns and its figure; `make docs` draws and writes both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from marks import between

from transreward_baselines.policies.choose import MEDIUM, share
from transreward_envs import Pair, get_suite
from transreward_envs.pairs.domains import domain_name
from transreward_envs.references import measured_returns

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "references.md"
FIGURE = ROOT / "docs" / "images" / "gaps.png"
SUITES = ("odrl", "dara", "darc", "core", "sparse", "cross")
Row = dict[str, Any]


def page() -> str:
    """Return the text of the page, with its tables as they are measured now."""
    return between(PAGE.read_text(), "references", "\n".join(tables()))


def tables() -> Iterator[str]:
    """Yield the lines of the table of plain robots, and of one table a suite."""
    if FIGURE.exists():
        yield "![What the source's expert scores in each target](images/gaps.png)\n"
    domains = measured_returns()["domains"]
    yield "## Plain robots\n"
    yield "| robot | random | medium | expert (95 % interval) | steps to the expert |"
    yield "|---|---|---|---|---|"
    for name, row in domains.items():
        if "-" not in name:
            expert = row["expert"]
            interval = f"{expert['low']:,.1f} - {expert['high']:,.1f}"
            random, mean, steps = row["random"]["mean"], expert["mean"], expert["steps"]
            yield f"| {name} | {random:,.1f} | {medium(row)} | {mean:,.1f} ({interval}) | {steps:,} |"
    for suite in SUITES:
        measured = [(pair, row) for pair in get_suite(suite) if (row := gap(pair)) is not None]
        missing = len(get_suite(suite)) - len(measured)
        yield f"\n## Suite `{suite}`\n"
        if missing:
            yield f"{missing} of its {len(get_suite(suite))} pairs are not measured yet." + "\n" * bool(measured)
        if measured:
            yield "| pair | random | source's expert | medium | expert | gap [% of expert - random] |"
            yield "|---|---|---|---|---|---|"
        for pair, row in measured:
            share = f"{100 * row['gap']:.0f}" if row["open"] else f"{100 * row['gap']:.0f}, none to close"
            mark = " \\*" if row["remark"] else ""
            yield (
                f"| `{pair.name}` | {row['random']:,.0f} | {row['source']:,.0f} | {row['medium']} | "
                f"{row['expert']:,.0f}{mark} | {share} |"
            )
        if any(row["remark"] for _, row in measured):
            yield (
                "\n\\* No better than random actions, or less than a third of the plain robot's return over them; its "
                "metadata say so."
            )
        if any("†" in row["medium"] for _, row in measured):
            yield "\n† Not between a third and a half of the way from random to expert by these episodes."
        if any(row["medium"] == "-" for _, row in measured):
            yield "\n- No policy between a third and a half of the way was found."


def medium(row: Row) -> str:
    """Return what the medium policy returns, if there is one, with a mark if that is out of its range."""
    if "medium" not in row:
        return "-"
    random, reached, expert = (row[level]["mean"] for level in ("random", "medium", "expert"))
    mark = "" if MEDIUM[0] <= share(reached, low=random, high=expert) <= MEDIUM[1] else " †"
    return f"{reached:,.1f}{mark}"


def gap(pair: Pair) -> Row | None:
    """Return what is known of a pair's gap; ``None`` where it was not measured.

    There is a gap to close where the intervals of the source's expert and of the target's do not meet.
    """
    table = measured_returns()
    target, transfer = table["domains"].get(domain_name(pair, "target"), {}), table["pairs"].get(pair.name)
    if transfer is None or "expert" not in target:
        return None
    random, source, expert = target["random"]["mean"], transfer["source_expert"], target["expert"]
    return {
        "random": random,
        "source": source["mean"],
        "medium": medium(target),
        "expert": expert["mean"],
        "gap": (expert["mean"] - source["mean"]) / max(expert["mean"] - random, 1e-9),
        "open": source["high"] < expert["low"],
        "remark": "remark" in target,
    }


def draw() -> None:
    """Draw the source's expert's score in each target of suites `odrl` and `dara`."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.patches import Patch

    measured = [
        (pair, row) for suite in ("odrl", "dara") for pair in get_suite(suite) if (row := gap(pair)) is not None
    ]
    if not measured:
        return
    robots = sorted({pair.robot for pair, _ in measured})
    figure, panels = plt.subplots(1, len(robots), figsize=(4.2 * len(robots), 6.2), squeeze=False, layout="constrained")
    for axes, robot in zip(panels[0], robots, strict=True):
        rows = [(pair.name.removeprefix(f"{robot}-"), row) for pair, row in measured if pair.robot == robot]
        scores = [100.0 * (1.0 - row["gap"]) for _, row in rows]
        colours = ["#1f77b4" if row["open"] else "#c7c7c7" for _, row in rows]
        axes.barh(range(len(rows)), scores, color=colours)
        axes.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=7)
        axes.axvline(100.0, color="#7f7f7f", linewidth=0.8, linestyle="--")
        axes.invert_yaxis()
        axes.set(title=robot, xlabel="source's expert in the target\n[0: random, 100: target's expert]")
    marks = {"a gap to close": "#1f77b4", "no gap: the intervals of both experts meet": "#c7c7c7"}
    handles = [Patch(color=colour, label=label) for label, colour in marks.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    FIGURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(FIGURE, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    draw()
