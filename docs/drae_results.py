"""The tables of docs/drae-results.md, from the studies that are published in docs/results."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterable, Iterator, Sequence
from pathlib import Path

from marks import between

from transreward_baselines.results import read_table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from studies import drae_error_tables as errors  # noqa: E402  # found by the line above
from studies import drat  # noqa: E402

PAGE = ROOT / "docs" / "drae-results.md"
RESULTS = ROOT / "docs" / "results"
SHOWN = (errors.TESTED[0], f"{errors.TESTED[0]}{errors.NORMALISED}", *errors.RIVALS)
AIMS = {"at most half of": 0.5, "below": 1.0}
HORIZON = 100
"""Of the table of biases and deviations."""


def page() -> str:
    """Return the text of the page, with the tables that are published now."""
    rows = read_table(RESULTS / "drae-error" / "errors.csv", errors.Row)
    meta_tests = read_table(RESULTS / "drat" / "drat.csv", drat.Row)
    usual = [row for row in rows if not row.settings]
    text = between(PAGE.read_text(), "ratios", "\n".join(ratios(usual)))
    text = between(text, "errors", "\n".join(biases(usual)))
    text = between(text, "kinds", "\n".join(kinds(usual)))
    text = between(text, "settings", "\n".join(settings(rows)))
    return between(text, "meta-tests", "\n".join(table(drat.HEADS, drat.cells(meta_tests), words=1)))


def ratios(rows: Sequence[errors.Row]) -> Iterator[str]:
    """Yield the lines of what is said of the claim, and of the table of it."""
    found = list(errors.ratios(rows))
    yield "| DRaE's error is | in cases | by the whole interval |"
    yield "|---|---:|---:|"
    for aim, bound in AIMS.items():
        for rival in errors.RIVALS:
            met = sum(of[rival].value <= bound for *_, of in found)
            surely = sum(of[rival].high is not None and of[rival].high <= bound for *_, of in found)
            yield f"| {aim} that of {rival} | {met} of {len(found)} | {surely} |"
    yield ""
    cells = ([f"`{case[0]}`", *map(str, case[2:]), *map(errors.told, of.values())] for case, _, of in found)
    yield from table(("pair", "V and Q", "horizon", *errors.RIVALS), cells, words=2)


def biases(rows: Sequence[errors.Row]) -> Iterator[str]:
    """Yield the lines of the table of biases and deviations over seeds."""
    found = {}
    for one in errors.summary([row for row in rows if row.horizon == HORIZON]):
        if one.clip in (0.0, errors.TESTED[1]):
            case = (f"`{one.pair}`", one.quality, f"{one.truth:.0f}")
            found.setdefault(case, {})[one.estimator] = f"{one.bias:+.0f} ± {one.variance**0.5:.0f}"
    yield from table(
        ("pair", "V and Q", "value", *SHOWN),
        ([*case, *(cells[name] for name in SHOWN)] for case, cells in found.items()),
        words=2,
    )


def kinds(rows: Sequence[errors.Row]) -> Iterator[str]:
    """Yield the lines of the table of kinds of ratios and clips."""
    yield from table(errors.KINDS_HEADS[1:], (cells for _, *cells in errors.kinds(rows)), words=1)


def settings(rows: Sequence[errors.Row]) -> Iterator[str]:
    """Yield the lines of the table of errors under other settings, over those under the usual ones, of equal seeds."""
    by: dict[tuple[str, str, float, str], dict[Hashable, dict[int, errors.Row]]] = {}
    for row in rows:
        kind = (row.settings, row.estimator, row.clip, row.quality)
        by.setdefault(kind, {}).setdefault((row.pair, row.horizon), {})[row.seed] = row
    found = []
    for changed in dict.fromkeys(row.settings for row in rows if row.settings):
        for estimator, clip in (("V", 0.0), errors.TESTED):
            of = [[by[name, estimator, clip, quality] for name in (changed, "")] for quality in errors.QUALITIES]
            found.append([f"`{changed}`", estimator, *(errors.told(errors.ratio(*pair)) for pair in of)])
    yield from table(("settings", "estimator", *errors.KINDS_HEADS[3:]), found, words=2)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, words: int) -> Iterator[str]:
    """Yield the lines of a table, whose first columns are words and the others numbers."""
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * words}{'---:|' * (len(heads) - words)}"
    for cells in rows:
        yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page())
