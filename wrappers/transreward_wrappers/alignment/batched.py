"""DTW of many candidates with one reference at once, in PyTorch on the candidates' own device: a planner's score.

The recursion goes along anti-diagonals, whose cells do not depend on one another. With the reference turned round in
time they are the diagonals of the cost tensor, which PyTorch has as views.
"""

from __future__ import annotations

import torch

from transreward_wrappers.alignment.alignment import Alignment
from transreward_wrappers.alignment.band import widened
from transreward_wrappers.alignment.methods import align
from transreward_wrappers.alignment.reference import Reference

BLOCK = 10
"""Steps whose costs are computed at once, few enough for a core's cache."""


@torch.no_grad()
def dtw_totals(
    candidates: torch.Tensor, reference: Reference, *, band: int | None = None, open_end: bool = False
) -> torch.Tensor:
    """Return DTW's total of each candidate, as ``(N,)``: what :func:`~transreward_wrappers.alignment.align` finds.

    A candidate that is not finite has a total that is not. In float32, totals are right to 5e-6 of themselves.

    Args:
        candidates: Observations that are not normalised yet, as ``(N, T, D)`` in float32 or float64.
        reference: What they are compared with.
        band: Allows cells with ``|i - j| <= band`` alone.
        open_end: Lets paths end at any step of the reference.

    Raises:
        TypeError: ``band`` is not an integer, or candidates are of another type.
        ValueError: ``band`` is below 0, or candidates are of another shape.
    """
    if candidates.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"`candidates` must be of torch.float32 or torch.float64; got {candidates.dtype}.")
    if candidates.ndim != 3 or candidates.shape[2] != reference.size or 0 in candidates.shape:
        raise ValueError(f"`candidates` must have the shape (N, T, {reference.size}); got {tuple(candidates.shape)}.")
    band = widened(band, candidates.shape[1], len(reference), open_end=open_end)
    return _recursion(_turned_costs(candidates, reference), band, open_end)


def align_candidate(
    candidate: torch.Tensor, reference: Reference, *, band: int | None = None, open_end: bool = False
) -> Alignment:
    """Return the whole alignment of one candidate, ``(T, D)``, in float64 on the host."""
    costs = reference.costs(candidate.detach().to("cpu", torch.float64).numpy())
    return align(costs, "dtw", band=band, open_end=open_end)


def _turned_costs(candidates: torch.Tensor, reference: Reference) -> torch.Tensor:
    """Return squared distances, as ``(T_ref, T, N)``, with the reference's last step first.

    ``|x|^2 - 2 x y + |y|^2`` is a product of ``(x, |x|^2, 1)`` with a matrix. It cancels, so that the reference's mean
    is taken off both sides, and what falls below 0 is set to 0.
    """
    count, steps, size = candidates.shape
    points = candidates.new_tensor(reference.normalised[::-1].copy())
    factor, mean = candidates.new_tensor(1.0 / reference.scale)[:, None, None], points.mean(dim=0)
    points -= mean
    squares = points.square().sum(dim=1, keepdim=True)
    weights = torch.cat([-2.0 * points, torch.ones_like(squares), squares], dim=1)
    costs = candidates.new_empty(len(points), steps * count)
    for start in range(0, steps, BLOCK):
        block = candidates[:, start : start + BLOCK].permute(2, 1, 0)
        features = candidates.new_ones(size + 2, *block.shape[1:])
        torch.addcmul(-mean[:, None, None], block, factor, out=features[:size])
        torch.sum(features[:size].square(), dim=0, out=features[size])
        place = costs[:, start * count : start * count + features[0].numel()]
        torch.mm(weights, features.flatten(1), out=place).clamp_(min=0.0)
    return costs.view(-1, steps, count)


def _recursion(costs: torch.Tensor, band: int | None, open_end: bool) -> torch.Tensor:
    """Return totals, as ``(N,)``, of costs as ``(T_ref, T, N)`` with the reference turned round.

    Three buffers ``(T + 1, N)`` hold the newest anti-diagonals; row i + 1 is target step i, and row 0 lies outside.
    """
    columns, rows, count = costs.shape
    before, last, new = (costs.new_full((rows + 1, count), torch.inf) for _ in range(3))
    before[0] = 0.0
    best = costs.new_full((count,), torch.inf)
    for diagonal in range(rows + columns - 1):
        low, high = max(0, diagonal - columns + 1), min(rows - 1, diagonal)
        cells = costs.diagonal(diagonal - columns + 1).T
        if band is not None:  # |i - j| = |2 i - diagonal| <= band
            top, bottom = max(low, (diagonal - band + 1) // 2), min(high, (diagonal + band) // 2)
            if top == rows:  # behind an open end
                break
            cells, low, high = cells[top - low : bottom - low + 1], top, bottom
            new[low] = new[min(high + 2, rows)] = torch.inf
        here = new[low + 1 : high + 2]
        torch.minimum(last[low : high + 1], last[low + 1 : high + 2], out=here)
        torch.minimum(here, before[low : high + 1], out=here)
        here += cells
        if diagonal == 0:
            before[0] = torch.inf
        before, last, new = last, new, before
        if high == rows - 1:
            best = torch.minimum(best, last[rows]) if open_end else last[rows]
    return best
