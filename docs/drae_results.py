"""The tables of docs/drae-results.md, from the studies that are published in docs/results."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from marks import between, table

from transreward_baselines.results import read_table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from studies import drae_error_tables as errors  # noqa: E402  # found by the line above
from studies import drat  # noqa: E402

PAGE = ROOT / "docs" / "drae-results.md"
RESULTS = ROOT / "docs" / "results"
SHOWN = (errors.TESTED[0], *(name for names in errors.RIVALS.values() for name in names))
AIMS = {"at most half of": 0.5, "below": 1.0}
HORIZON = 100
"""Of the table of biases and deviations."""


def page() -> str:
    """Return the text of the page, with the tables that are published now."""
    rows = read_table(RESULTS / "drae-error" / "errors.csv", errors.Row)
    meta_tests = read_table(RESULTS / "drat" / "drat.csv", drat.Row)
    text = between(PAGE.read_text(), "aims", "\n".join(aims(rows)))
    text = between(text, "ratios", "\n".join(ratios(rows)))
    text = between(text, "errors", "\n".join(biases(rows)))
    text = between(text, "kinds", "\n".join(kinds(rows)))
    return between(text, "meta-tests", "\n".join(table(drat.HEADS, drat.cells(meta_tests))))


def aims(rows: Sequence[errors.Row]) -> Iterator[str]:
    """Yield the lines of the table of how many cases meet what was aimed at, by horizon and by clips of rivals."""
    horizons = sorted({row.horizon for row in rows})
    columns = [(horizon, equal) for equal in (False, True) for horizon in horizons]
    found = {equal: list(errors.ratios(rows, equal_clips=equal)) for equal in (False, True)}
    heads = (f"horizon {horizon}{', equal clips' * equal}" for horizon, equal in columns)
    lines = []
    for aim, bound in AIMS.items():
        for rival in errors.RIVALS:
            cells = []
            for horizon, equal in columns:
                those = [of[rival] for case, _, of in found[equal] if case[-1] == horizon]
                surely = sum(one.high is not None and one.high <= bound for one in those)
                cells.append(f"{sum(one.value <= bound for one in those)} ({surely}) of {len(those)}")
            lines.append([f"{aim} that of {rival}", *cells])
    yield from table(("DRaE's error is", *heads), lines)


def ratios(rows: Sequence[errors.Row]) -> Iterator[str]:
    """Yield the lines of the table of DRaE's error over that of each rival."""
    cells = (
        [f"`{case[0]}`", *map(str, case[2:]), *map(errors.told, of.values())] for case, _, of in errors.ratios(rows)
    )
    yield from table(("pair", "V and Q", "horizon", *errors.RIVALS), cells, words=2)


def biases(rows: Sequence[errors.Row]) -> Iterator[str]:
    """Yield the lines of the table of biases and deviations over seeds."""
    found: dict[tuple[str, str, str], dict[str, str]] = {}
    for one in errors.summary([row for row in rows if row.horizon == HORIZON]):
        if (one.clip, one.policy_clip) in ((0.0, 0.0), errors.TESTED[1]):
            case = (f"`{one.pair}`", one.quality, f"{one.truth:.0f}")
            found.setdefault(case, {})[one.estimator] = f"{one.bias:+.0f} ± {one.variance**0.5:.0f}"
    cells = ([*case, *(of.get(name, "-") for name in SHOWN)] for case, of in found.items())
    yield from table(("pair", "V and Q", "value", *SHOWN), cells, words=2)


def kinds(rows: Sequence[errors.Row]) -> Iterator[str]:
    """Yield the lines of the tables of kinds of ratios and clips, one a quality of V and Q."""
    lines = list(errors.kinds(rows))
    clips = list(dict.fromkeys(name for _, _, name, *_ in lines if name))
    for place, quality in enumerate(errors.QUALITIES, start=3):
        found: dict[str, dict[str, str]] = {}
        for line in lines:
            found.setdefault(line[1], {})[line[2]] = line[place]
        cells = ([name, *(of.get(clip, of.get("", "-")) for clip in clips)] for name, of in found.items())
        yield from table((f"{quality} V and Q; clips:", *clips), cells)
        yield ""
