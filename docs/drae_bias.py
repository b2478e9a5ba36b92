"""The tables of docs/drae.md: biases in a small world, of which every trajectory is listed; `make docs` writes them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from marks import between, table

from transreward_wrappers.drae import DynamicsRatio, direct, model_baseline, residual

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from tests.wrappers.drae.world import Array, Listed, Worlds, poor  # noqa: E402  # found by the line above

PAGE = ROOT / "docs" / "drae.md"
WEIGHTS = ("p_T / p_S", "1", "p_S / p_T", "p_T / p_S, a step late", "p_T / p_S, but w_pi = 1", "0")
"""Headings of the columns: what is put in the place of the ratio of dynamics."""

SEED = 0


def page() -> str:
    """Return the text of the page, with its tables as they are computed now."""
    return between(PAGE.read_text(), "biases", "\n".join(tables()))


def tables() -> Iterator[str]:
    """Yield the lines of one table a kind of reward."""
    for looks_ahead, name in ((True, "r(s, a, s')"), (False, "r(s, a)")):
        worlds = Worlds.random(SEED, looks_ahead=looks_ahead)
        value = worlds.values()[0][0, 0]
        yield f"\nReward `{name}`; the target's value is {value:.3f}:\n"
        heads = ("what V, Q and r_hat are", "form", *(f"`{weights}`" for weights in WEIGHTS))
        yield from table(heads, rows(worlds, value), words=2)


def rows(worlds: Worlds, value: float) -> Iterator[list[str]]:
    """Yield a row a case and form."""
    listed = worlds.listed()
    dynamics, policies = np.exp(listed.log_dynamics()), np.exp(listed.log_policies())
    ones = np.ones_like(dynamics)
    columns = [
        (dynamics, policies),
        (ones, policies),
        (1.0 / dynamics, policies),
        (listed.shifted(dynamics), policies),
        (dynamics, ones),
        (0.0 * ones, policies),
    ]
    for models, form, estimate in cases(worlds, listed):
        biases = [
            listed.expected(estimate(DynamicsRatio(low=ratio, high=ratio), weight)) - value for ratio, weight in columns
        ]
        yield [models, form, *map(shown, biases)]


def cases(worlds: Worlds, listed: Listed) -> Iterator[tuple[str, str, Estimate]]:
    """Yield what is known of values and rewards, the form, and its estimate under ratios and weights of actions."""
    v, q = worlds.values()
    poor_q, poor_reward = poor(q), poor(worlds.reward)
    of_poor_q, consistent = v.copy(), Worlds(**{**vars(worlds), "reward": poor_reward}).values()[0]
    of_poor_q[:-1, :-1] = (worlds.policy * poor_q).sum(axis=-1)
    known = {
        "exact": (v, q, worlds.reward),
        "Q poor, V its mean, r_hat poor": (of_poor_q, poor_q, poor_reward),
        "r_hat poor, V its value in the target, Q exact": (consistent, q, poor_reward),
        "V poor, Q and r_hat exact": (poor(v), q, worlds.reward),
    }
    yield "none, all 0", "residual: importance sampling", Estimate(worlds, listed, 0.0 * v, 0.0 * q)
    for models, (some_v, some_q, model) in known.items():
        yield models, "direct", Estimate(worlds, listed, some_v, some_q, form="direct")
        yield models, "residual, b = Q", Estimate(worlds, listed, some_v, some_q)
        yield models, "residual, b = r_hat + gamma V'", Estimate(worlds, listed, some_v, some_q, model=model)


class Estimate:
    """An estimator in one of the cases."""

    def __init__(
        self, worlds: Worlds, listed: Listed, v: Array, q: Array, *, form: str = "residual", model: Array | None = None
    ) -> None:
        self._gamma, self._form = worlds.gamma, form
        self._steps, self._baseline = listed.of(v), listed.action_values(q)
        if model is not None:
            _, *where = listed.steps.T
            self._baseline = model_baseline(self._steps, model[tuple(where)], gamma=self._gamma)

    def __call__(self, ratio: DynamicsRatio, weight: Array) -> Array:
        """Return G of all steps."""
        form = direct if self._form == "direct" else residual
        return form(self._steps, self._baseline, gamma=self._gamma, policy_weight=weight, ratio=ratio)


def shown(bias: float) -> str:
    """Return a bias as it is written."""
    return "**0**" if abs(bias) < 1e-9 else f"{bias:+.3f}"
