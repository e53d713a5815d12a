"""Prints the tables."""
import math

import pandas as pd

from accuracy.peers import LAST_BLOCK, LAST_VALUE
from accuracy.protocols import Protocol
from accuracy.scores import KINDS, Scored, chance, coverage


def number(value: float, width: int = 7, digits: int = 3) -> str:
    return f"{'-':>{width}}" if math.isnan(value) else f"{value:{width}.{digits}f}"


def percent(rows: pd.DataFrame, column: str, goal: float) -> str:
    """`81.2 +-1.3`, with `*` where it is more than two standard errors from the goal."""
    if rows[column].isna().all():
        return f"{'-':>13}"
    share, error = coverage(rows, column)
    text = f"{100 * share:.1f}" + ("" if math.isnan(error) else f" ±{100 * error:.1f}{'*' if abs(share - goal) > 2 * error else ' '}")
    return f"{text:>13}"


def table(protocol: Protocol, scored: list[Scored], notes: list[str]) -> None:
    series = scored[0].ratios.loc["path"].shape[0]
    origins = len(scored[0].rows[["series", "origin"]].drop_duplicates())
    print(f"\n== {protocol.name}: {protocol.about} ==")
    print(f"{series} series, {origins} origins, {protocol.horizon} steps of {protocol.step} s, context {protocol.context}")
    for note in notes:
        print(f"note: {note}")
    for kind in KINDS:
        print(f"\n{kind:<20} {'relMAE':>7} {'relCRPS':>7} {'in 80 %':>13} {'in 95 %':>13} {'ms a fit':>9}")
        for model in scored:
            rows = model.rows[model.rows["kind"] == kind]
            if rows.empty:
                continue
            failed = f"  {model.failed} failed, last value taken" if model.failed else ""
            print(f"{model.name:<20} {number(model.mae(kind))} {number(model.crps(kind))} {percent(rows, 'in80', 0.8)} "
                  f"{percent(rows, 'in95', 0.95)} {number(model.milliseconds, 9, 2)}{failed}")


def _best(scored: list[Scored], measure) -> Scored:
    return min((m for m in scored[1:] if not math.isnan(measure(m))), key=measure)


def targets(protocol: Protocol, scored: list[Scored]) -> list[str]:
    """Prints ours over the best peer; the names of the targets missed. Last value counts as a peer."""
    print("\nours over the best peer (last value and last block among them); where 90 % of other draws of these origins lie:")
    missed = []
    for kind in KINDS:
        goals = (protocol.targets or (1.0, 1.0)) if kind == "path" else (1.0, None)
        for name, goal, measure in (("MAE", goals[0], lambda m: m.mae(kind)), ("CRPS", goals[1], lambda m: m.crps(kind))):
            peer = _best(scored, measure)
            ratio = measure(scored[0]) / measure(peer)
            low, high = chance(scored[0].rows, peer.rows, kind, "error" if name == "MAE" else "crps")
            verdict = "" if goal is None else f"  target {goal:.2f}: {'met' if ratio <= goal else 'MISSED'}"
            print(f"  {kind:<5} {name:<5} {ratio:6.3f} ({low:.3f} to {high:.3f})  best {peer.name} {measure(peer):.3f}{verdict}")
            if goal is not None and ratio > goal:
                missed.append(f"{protocol.name} {kind} {name} {ratio:.3f} > {goal:.2f}")
    return missed


def by_series(scored: list[Scored], kinds: list[str], everything: bool) -> list[str]:
    """Prints where a peer has the smaller MAE or CRPS, and where ours is over last value by more than 2 %; the latter returned."""
    ours, worse = scored[0], []
    for kind in kinds:
        lines = []
        for series in ours.ratios.loc[kind].index:
            mine = ours.ratios.loc[(kind, series)]
            peers = {m.name: m.ratios.loc[(kind, series)] for m in scored[1:] if (kind, series) in m.ratios.index}
            name = min(peers, key=lambda peer: peers[peer]["mae"])
            by_crps = min(peers, key=lambda peer: peers[peer]["crps"])
            flags = [f"MAE: {name} {peers[name]['mae']:.3f}"] if peers[name]["mae"] < mine["mae"] else []
            flags += [f"CRPS: {by_crps} {peers[by_crps]['crps']:.3f}"] if peers[by_crps]["crps"] < mine["crps"] else []
            if mine["mae"] > 1.02 or mine["crps"] > 1.02:
                flags.append("OVER LAST VALUE")
                worse.append(f"{kind} {series}: MAE {mine['mae']:.3f}, CRPS {mine['crps']:.3f} of last value")
            if flags or everything:
                lines.append(f"  {series:<58} {mine['mae']:6.3f} {mine['crps']:6.3f}   {'; '.join(flags)}")
        print(f"\n{kind}, by series {'(all)' if everything else 'where a peer wins'}: ours relMAE, relCRPS; the peer that is better")
        print("\n".join(lines) if lines else "  none")
    return worse


def legend(as_point: bool) -> str:
    denominator = "as a point (its absolute error)" if as_point else "with the Gaussian intervals of statsforecast's Naive"
    return (f"relCRPS is over the CRPS of {LAST_VALUE} {denominator}. '{LAST_BLOCK}' is a point: the last h samples' own max, min, avg.\n"
            "The peers' max, min and avg are those of their mean path (FLAIR's of its sample paths).\n"
            "* is more than two standard errors (series as clusters) from the goal.")


def coverage_table(protocol: Protocol, way: str, rows: pd.DataFrame) -> list[str]:
    """Ours only, many origins, `way` says how they were forecast; the kinds whose coverage is off."""
    off = []
    counts = rows.drop_duplicates(["series", "origin"]).groupby("series").size()
    print(f"\n== coverage of ours, {protocol.name}, {way}: {len(counts)} series, {counts.min()} to {counts.max()} origins each ==")
    print(f"{'':<14} {'in 80 %':>13} {'in 95 %':>13}   furthest from 80 %")
    last = int(rows["step"].max())
    steps = sorted({1, max(1, last // 2), last})
    parts = [("path", rows[rows["kind"] == "path"])] + [(f"path, step {step}", rows[rows["step"] == step]) for step in steps]
    parts += [(kind, rows[rows["kind"] == kind]) for kind in KINDS[1:]]
    for name, part in parts:
        shares = part.groupby("series")["in80"].mean()
        extremes = sorted(shares.items(), key=lambda pair: -abs(pair[1] - 0.8))[:3]
        print(f"{name:<14} {percent(part, 'in80', 0.8)} {percent(part, 'in95', 0.95)}   "
              + ", ".join(f"{series.split('/')[-1]} {100 * share:.0f}" for series, share in extremes))
        if name in KINDS:
            for column, goal in (("in80", 0.8), ("in95", 0.95)):
                share, error = coverage(part, column)
                if abs(share - goal) > 2 * error:
                    off.append(f"{protocol.name} {way} {name} coverage {100 * goal:.0f} %: {100 * share:.1f} ±{100 * error:.1f}")
    return off
