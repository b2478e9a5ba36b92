"""Generate what the documentation says about pairs, from the table and from measurements: `make docs`.

Writes a page a robot in docs/robots/, with the effective values of every pair, the tables of docs/references.md and
docs/drae.md, those of docs/evidence.md, docs/drae-results.md, docs/offline.md and docs/reward-free.md from
docs/results, what the demonstration found in docs/demo.md and README.md, and the table of suites in README.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from transreward_envs import METHODS, PAIRS, ROBOTS, SUITES, Pair, get_suite
from transreward_envs.methods import training_methods
from transreward_envs.verification.effective import effective_values

sys.path.insert(0, str(Path(__file__).parent))
import demo_results
import drae_bias
import drae_results
import evidence
import offline_results
import references
import reward_free_results
from marks import between

ROOT = Path(__file__).parents[1]


def pages() -> dict[Path, str]:
    """Return the text of every generated file."""
    written = {ROOT / "docs" / "robots" / f"{robot}.md": robot_page(robot) for robot in ROBOTS}
    written[ROOT / "docs" / "robots" / "README.md"] = index()
    parts = (demo_results, drae_bias, drae_results, evidence, offline_results, references, reward_free_results)
    for part in parts:
        written[part.PAGE] = part.page()
    readme = demo_results.readme((ROOT / "README.md").read_text())
    written[ROOT / "README.md"] = between(readme, "suites", suites_table())
    return written


def suites_table() -> str:
    """Return the table of suites."""
    rows = ["| suite | pairs | robots | what it holds |", "|---|---|---|---|"]
    for suite, what in SUITES.items():
        pairs = get_suite(suite)
        robots = sorted({pair.robot for pair in pairs}, key=list(ROBOTS).index)
        named = ", ".join(robots) if len(robots) <= 4 else f"{len(robots)} robots"
        rows.append(f"| `{suite}` | {len(pairs)} | {named} | {what} |")
    return "\n".join(rows) + f"\n\n{len(PAIRS)} pairs in all.\n"


def index() -> str:
    """Return the page that lists the robots."""
    rows = ["| robot | pairs | stock task | time limit [steps] |", "|---|---|---|---|"]
    for name, robot in ROBOTS.items():
        count = sum(pair.robot == name for pair in PAIRS.values())
        own = f"see extra `{robot.extra}`" if robot.extra else "own model"
        stock = f"`{robot.stock_id}`" if robot.stock_id else own
        rows.append(f"| [{name}]({name}.md) | {count} | {stock} | {robot.max_episode_steps} |")
    return (
        "# Robots and their pairs\n\n"
        "Each page lists a robot's pairs with their effective values: what the simulator makes of a shift, measured on "
        "the compiled models and by stepping. Friction is that of contacts as the solver sees them.\n\n"
        + "\n".join(rows)
        + "\n"
    )


def robot_page(robot: str) -> str:
    """Return the page of one robot."""
    pairs = [pair for pair in PAIRS.values() if pair.robot == robot]
    methods = ", ".join(f"`{name}`" for name in METHODS)
    across = next((training_methods(pair) for pair in pairs if pair.source_robot), None)
    exception = f"; where the source has another robot, {', '.join(f'`{name}`' for name in across)}" if across else ""
    lines = [
        f"# {robot}",
        "",
        f"Ids: `TransReward/<pair>-source-v0`, `-target-v0`, and a training id for each of {methods}{exception}. "
        "Values are measured; see [how](README.md).",
        "",
        "| pair | suites | what differs | unit | source | target |",
        "|---|---|---|---|---|---|",
    ]
    for pair in pairs:
        lines += _rows(pair)
    return "\n".join(lines) + "\n"


def _rows(pair: Pair) -> Iterator[str]:
    """Yield the rows of one pair."""
    head = f"`{pair.name}` | {', '.join(pair.suites)}"
    for value in effective_values(pair):
        yield f"| {head} | {value.quantity} | {value.unit} | {value.source} | {value.target} |"
        head = " | "


def main() -> None:
    """Write the pages; with ``--check``, only say which are stale."""
    stale = []
    for path, text in pages().items():
        if not path.exists() or path.read_text() != text:
            stale.append(str(path.relative_to(ROOT)))
            if "--check" not in sys.argv:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    if stale and "--check" in sys.argv:
        sys.exit(f"Stale pages: {', '.join(stale)}. Run `make docs`.")


if __name__ == "__main__":
    main()
