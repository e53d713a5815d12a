"""Scores of forecasts: errors over a naive scale, relative to the last value, and coverage.

Per row (one series, origin, kind and step):
  error      |actual - mean|
  CRPS       2 * mean over the nine quantiles .1 ... .9 of the pinball loss max(p (y - q), (p - 1) (y - q)); for a point forecast that is
             the absolute error
both over the scale of the origin: mean |y_t - y_(t-1)| of the context. Origins whose context is flat (scale 0) are left out.
Per series the mean over origins and steps; then the ratio to last value, (model + 0.001) / (last value + 0.001); then the geometric
mean of the ratios over series: relMAE and relCRPS. The denominator of relCRPS is the CRPS of the last value with the Gaussian intervals of
statsforecast's Naive; with as_point=True that of the last value as a point (its absolute error), which makes every relCRPS larger, about
by half. What ours has over the best peer hardly depends on it.
"""
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from accuracy.peers import HEADER, LAST_BLOCK, LAST_VALUE, complete, digests, ours_origins
from accuracy.protocols import Protocol, read_values

KINDS = ["path", "max", "min", "avg"]
PADDING = 0.001
NINE = {f"q{p}": p / 100 for p in range(10, 100, 10)}


def read(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path, dtype={"series": str, "kind": str})
    if list(frame.columns) != HEADER:
        raise SystemExit(f"{path}: the header is not {','.join(HEADER)}")
    return frame


def scales(protocol: Protocol, folder: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """`scale` of each series and origin: mean |y_t - y_(t-1)| of the context."""
    rows = []
    for series, group in frame.groupby("series"):
        values = np.array(read_values(folder, series))
        for origin in group["origin"].unique():
            rows.append((series, origin, np.nanmean(np.abs(np.diff(values[origin - protocol.context:origin])))))
    return pd.DataFrame(rows, columns=["series", "origin", "scale"])


def score_rows(frame: pd.DataFrame, scale: pd.DataFrame) -> pd.DataFrame:
    """The frame with `error` and `crps` (scaled), `in80` and `in95`; only rows with a scale above 0."""
    rows = frame.merge(scale, on=["series", "origin"])
    rows = rows[rows["scale"] > 0].copy()
    y = rows["actual"]
    rows["error"] = (y - rows["mean"]).abs() / rows["scale"]
    pinball = sum(np.maximum(p * (y - rows[q]), (p - 1) * (y - rows[q])) for q, p in NINE.items())
    rows["crps"] = 2 * pinball / len(NINE) / rows["scale"]
    rows["in80"] = (y >= rows["q10"]) & (y <= rows["q90"])
    rows["in95"] = (y >= rows["q025"]) & (y <= rows["q975"])
    return rows


def per_series(rows: pd.DataFrame) -> pd.DataFrame:
    """Index (kind, series); columns error, crps."""
    return rows.groupby(["kind", "series"])[["error", "crps"]].mean()


def relative(model: pd.DataFrame, last: pd.DataFrame, as_point: bool) -> pd.DataFrame:
    """Index (kind, series): ratios `mae` and `crps` to last value."""
    last = last.reindex(model.index)
    below = last["error"] if as_point else last["crps"]
    return pd.DataFrame({
        "mae": (model["error"] + PADDING) / (last["error"] + PADDING),
        "crps": (model["crps"] + PADDING) / (below + PADDING),
    })


def geometric_mean(ratios: pd.Series) -> float:
    return float(np.exp(np.log(ratios).mean()))


def chance(ours: pd.DataFrame, peer: pd.DataFrame, kind: str, column: str, draws: int = 2000) -> tuple[float, float]:
    """The 90 % bootstrap interval of ours over a peer, the origins of each series drawn anew in pairs: what other origins of the same
    series might have said. The last value, by which both are divided, drops out of the ratio. Origins are taken as independent."""
    pairs = [rows[rows["kind"] == kind].groupby(["series", "origin"])[column].mean() for rows in (ours, peer)]
    random = np.random.default_rng(1)
    logs, groups = np.zeros(draws), pd.concat(pairs, axis=1, join="inner").groupby(level="series")
    for _, group in groups:
        drawn = group.to_numpy()[random.integers(len(group), size=(draws, len(group)))].mean(axis=1) + PADDING
        logs += np.log(drawn[:, 0] / drawn[:, 1]) / len(groups)
    low, high = np.exp(np.quantile(logs, [0.05, 0.95]))
    return float(low), float(high)


def coverage(rows: pd.DataFrame, column: str) -> tuple[float, float]:
    """The share covered and its standard error with series as clusters (ratio estimator, G / (G - 1))."""
    groups = rows.groupby("series")[column].agg(["sum", "count"])
    total, count, clusters = groups["sum"].sum(), groups["count"].sum(), len(groups)
    share = total / count
    if clusters < 2:
        return share, float("nan")
    residual = groups["sum"] - share * groups["count"]
    return share, float(np.sqrt((residual**2).sum() * clusters / (clusters - 1)) / count)


@dataclass
class Scored:
    """One model on one protocol."""

    name: str
    rows: pd.DataFrame
    ratios: pd.DataFrame
    milliseconds: float  # CPU, mean of a fit and forecast
    failed: int = 0

    def mae(self, kind: str) -> float:
        return geometric_mean(self.ratios.loc[kind, "mae"]) if kind in self.ratios.index else float("nan")

    def crps(self, kind: str) -> float:
        return geometric_mean(self.ratios.loc[kind, "crps"]) if kind in self.ratios.index else float("nan")


def score_all(protocol: Protocol, folder: Path, ours: Path, ours_ms: float, cache: Path, models: list[str], as_point: bool):
    """(ours first, then the peers; notes)."""
    frame = read(ours)
    scale = scales(protocol, folder, frame)
    wanted = digests(protocol, folder, ours_origins(ours))
    flat = int((~(scale["scale"] > 0)).sum())
    notes = [f"{flat} of {len(wanted)} origins left out: their context is flat"] if flat else []
    lengths = [len(read_values(folder, str(path.relative_to(folder))[:-4])) for path in folder.rglob("*.csv")]
    expected = protocol.origins * sum(length >= protocol.context + protocol.horizon for length in lengths)
    if len(wanted) < expected:
        notes.append(f"ours has {len(wanted)} origins of {expected}: the others gave no forecast or have a gap in the horizon")
    rows = {"ours": score_rows(frame, scale)}
    times: dict[str, tuple[float, int]] = {"ours": (ours_ms, 0)}
    for model in models:
        path = cache / protocol.key / f"{model}.csv"
        if not path.is_file():
            notes.append(f"{model}: not computed yet")
            continue
        if missing := len(wanted) - len(complete(path, wanted)):
            notes.append(f"{model}: left out, {missing} of {len(wanted)} origins are not computed yet")
            continue
        peer = read(path)
        peer = peer[pd.MultiIndex.from_frame(peer[["series", "origin"]]).isin(wanted)]
        time = pd.read_csv(path.with_suffix(".times.csv"))
        time = time[pd.MultiIndex.from_frame(time[["series", "origin"]]).isin(wanted)]
        times[model] = (1000 * time["seconds"].mean(), int(time["failed"].sum()))
        rows[model] = score_rows(peer, scale)
    if LAST_VALUE not in rows:
        raise SystemExit(f"{protocol.name}: last value is not computed; run without --cached-only first")
    last = per_series(rows[LAST_VALUE])
    scored = [Scored(name, r, relative(per_series(r), last, as_point), *times[name]) for name, r in rows.items()]
    for model in scored:  # a point covers nothing
        if model.name == LAST_BLOCK:
            model.rows = model.rows.assign(in80=np.nan, in95=np.nan)
    return scored, notes
