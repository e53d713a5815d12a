"""The peers' forecasts on the origins of one of our CSV files, cached in the same format.

Cache: WORK/cache/<protocol>/<model>.csv with our columns, and <model>.times.csv with `series,origin,seconds,failed,digest`: CPU time of fit
and forecast, and a digest of what the fit was given and what came. An origin of another digest counts as missing; what is missing is
computed.
"""
import csv
import fcntl
import hashlib
import os
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import numpy as np

from accuracy.protocols import Protocol, read_values

HEADER = "series,origin,kind,step,actual,mean,q025,q10,q20,q30,q40,q50,q60,q70,q80,q90,q975".split(",")
TIMES = ["series", "origin", "seconds", "failed", "digest"]
PROBABILITIES = [0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975]
LEVELS = [20, 40, 60, 80, 95]
LAST_VALUE, LAST_BLOCK = "last value", "last block"
# In order of cost. `last block` (the last h samples' own max, min and avg, a point) forecasts the statistics only.
MODELS = [LAST_VALUE, LAST_BLOCK, "SeasonalNaive", "FLAIR", "AutoETS", "AutoTheta", "AutoTheta seasonal", "AutoARIMA"]


def models_for(protocol: Protocol) -> list[str]:
    """AutoTheta with the season's length is run where it costs little; it is the same model where the season is too long to be tested."""
    return [model for model in MODELS if model != "AutoTheta seasonal" or protocol.name in ("5min", "nab", "nab-artificial")]


def statsforecast_path(model: str, y: np.ndarray, h: int, season: int) -> np.ndarray:
    """(h, 12): the mean and the eleven quantiles at each step, from the model's own intervals.

    AutoETS and AutoARIMA are not told the season: at 288 samples a fit takes half a minute and at 1,440 it fails.
    """
    from statsforecast import models

    made = {
        LAST_VALUE: lambda: models.Naive(),
        "SeasonalNaive": lambda: models.SeasonalNaive(season_length=season),
        "AutoETS": lambda: models.AutoETS(season_length=1),
        "AutoTheta": lambda: models.AutoTheta(season_length=1),
        "AutoTheta seasonal": lambda: models.AutoTheta(season_length=season),
        "AutoARIMA": lambda: models.AutoARIMA(season_length=1),
    }[model]()
    forecast = made.forecast(y=y, h=h, level=LEVELS)
    mean = np.asarray(forecast["mean"], float)
    low = [np.asarray(forecast[f"lo-{level}"], float) for level in reversed(LEVELS)]
    high = [np.asarray(forecast[f"hi-{level}"], float) for level in LEVELS]
    return np.column_stack([mean, *low, mean, *high])


def statistics_of_path(path: np.ndarray) -> dict[str, np.ndarray]:
    """The statistic of the mean path and of each quantile's path (all steps high or low together)."""
    return {"max": path.max(axis=0), "min": path.min(axis=0), "avg": path.mean(axis=0)}


def summary(samples: np.ndarray) -> np.ndarray:
    """FLAIR's point forecast is the median of its samples: its mean has 5 % more absolute error."""
    return np.concatenate([[np.median(samples)], np.quantile(samples, PROBABILITIES)])


def forecast(model: str, y: np.ndarray, h: int, season: int, frequency: str) -> dict[str, np.ndarray]:
    """kind: values (mean and quantiles); `path` is (h, 12)."""
    if model == LAST_BLOCK:
        return {kind: np.repeat(value, 12) for kind, value in (("max", y[-h:].max()), ("min", y[-h:].min()), ("avg", y[-h:].mean()))}
    if model == "FLAIR":
        import flaircast

        samples = flaircast.forecast(y, horizon=h, freq=frequency, seed=1)  # (200, h) sample paths
        made = {"path": np.array([summary(samples[:, step]) for step in range(h)])}
        made |= {"max": summary(samples.max(axis=1)), "min": summary(samples.min(axis=1)), "avg": summary(samples.mean(axis=1))}
    else:
        path = statsforecast_path(model, y, h, season)
        made = {"path": path, **statistics_of_path(path)}
    if not all(np.isfinite(values).all() for values in made.values()):
        raise ValueError("a forecast that is not finite")
    return made


def _fit(task: tuple) -> tuple:
    """One origin of one model: its rows, seconds of CPU, and whether it failed (then the rows are last value's)."""
    warnings.simplefilter("ignore")
    model, series, origin, y, actual, season, frequency = task
    h = len(actual)
    if np.isnan(y).any():  # the peers take no gaps: the value before is repeated
        known = np.maximum.accumulate(np.where(np.isnan(y), 0, np.arange(len(y))))
        y = np.nan_to_num(y[known], nan=float(np.nanmean(y)))
    start, failed = time.process_time(), 0
    try:
        made = forecast(model, y, h, season, frequency)
    except Exception:  # noqa: BLE001 - whatever a library raises, as statsforecast's own fallback_model does
        made, failed = forecast(LAST_VALUE, y, h, season, frequency), 1
    seconds = time.process_time() - start
    came = {"max": actual.max(), "min": actual.min(), "avg": actual.mean()}
    rows = []
    for kind, values in made.items():
        if kind == "path":
            rows += [[series, origin, kind, step + 1, actual[step], *values[step]] for step in range(h)]
        else:
            rows.append([series, origin, kind, 0, came[kind], *values])
    return model, series, origin, rows, seconds, failed


def _warm_up(niceness: int) -> None:
    os.nice(niceness)
    warnings.simplefilter("ignore")
    y = np.random.default_rng(1).standard_normal(200).cumsum()
    for model in MODELS:  # imports and first calls cost time that is no fit's
        try:
            forecast(model, y, 2, 12, "5T")
        except Exception:  # noqa: BLE001
            pass


def ours_origins(path: Path) -> dict[tuple[str, int], list[float]]:
    """(series, origin): the values that came, of a CSV that `almanac evaluate forecast` wrote."""
    origins: dict[tuple[str, int], list[float]] = {}
    with open(path) as lines:
        reader = csv.DictReader(lines)
        if reader.fieldnames != HEADER:
            sys.exit(f"{path}: the header is not {','.join(HEADER)}; is it of `almanac evaluate forecast`?")
        for row in reader:
            if row["kind"] == "path":
                origins.setdefault((row["series"], int(row["origin"])), []).append(float(row["actual"]))
    return origins


def digests(protocol: Protocol, folder: Path, origins: dict[tuple[str, int], list[float]]) -> dict[tuple[str, int], str]:
    """Of each origin: what a peer is given (context, season, frequency) and what came."""
    made, values = {}, {}
    for (series, origin), actual in origins.items():
        if series not in values:
            values[series] = np.array(read_values(folder, series))
        told = f"{protocol.season_of(series)} {protocol.flair_frequency}".encode()
        context = values[series][origin - protocol.context:origin].tobytes()
        made[series, origin] = hashlib.sha256(told + context + np.array(actual).tobytes()).hexdigest()[:12]
    return made


def complete(path: Path, wanted: dict[tuple[str, int], str]) -> set[tuple[str, int]]:
    """The origins of `wanted` that a model's cache has, with the same digest."""
    times = path.with_suffix(".times.csv")
    if not path.is_file() or not times.is_file():
        return set()
    with open(times) as lines:
        rows = [line.split(",") for line in lines.read().splitlines()[1:]]
    return {(row[0], int(row[1])) for row in rows if len(row) == len(TIMES) and wanted.get((row[0], int(row[1]))) == row[4]}


def _drop(path: Path, complete: set[tuple[str, int]], wanted: dict[tuple[str, int], str]) -> None:
    """Removes what is to be computed again and what an interruption cut off. Origins that this run does not want stay."""
    for part, columns in ((path, len(HEADER)), (path.with_suffix(".times.csv"), len(TIMES))):
        if part.is_file():
            header, *lines = part.read_text().splitlines() or [""]
            keys = [(row[0], int(row[1])) if len(row := line.split(",")) == columns else None for line in lines]
            kept = [line for line, key in zip(lines, keys) if key is not None and (key in complete or key not in wanted)]
            if len(kept) < len(lines):
                part.write_text("\n".join([header, *kept]) + "\n")


def run(protocol: Protocol, folder: Path, ours: Path, cache: Path, processes: int, niceness: int, only: list[str] | None) -> None:
    """Computes what the cache lacks. One run at a time writes a protocol's cache; another waits for it."""
    target = cache / protocol.key
    target.mkdir(parents=True, exist_ok=True)
    with open(target / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _compute(protocol, folder, ours_origins(ours), target, processes, niceness, only)


def _compute(protocol: Protocol, folder: Path, origins: dict, target: Path, processes: int, niceness: int, only: list[str] | None) -> None:
    wanted = digests(protocol, folder, origins)
    values = {series: np.array(read_values(folder, series)) for series in {series for series, _ in origins}}
    tasks = []
    for model in only or models_for(protocol):
        path = target / f"{model}.csv"
        done = complete(path, wanted)
        _drop(path, done, wanted)
        for (series, origin), actual in origins.items():
            if (series, origin) not in done:
                y = values[series][origin - protocol.context:origin]
                tasks.append((model, series, origin, y, np.array(actual), protocol.season_of(series), protocol.flair_frequency))
    if not tasks:
        return
    print(f"{protocol.name}: {len(tasks)} fits of peers to compute, cached in {target}", file=sys.stderr, flush=True)
    started = time.monotonic()
    with ProcessPoolExecutor(processes, initializer=_warm_up, initargs=(niceness,)) as pool:
        for count, future in enumerate(as_completed([pool.submit(_fit, task) for task in tasks]), 1):
            model, series, origin, rows, seconds, failed = future.result()
            _append(target / f"{model}.csv", HEADER, rows)
            _append(target / f"{model}.times.csv", TIMES, [[series, origin, f"{seconds:.6f}", failed, wanted[series, origin]]])
            if count % 50 == 0:
                print(f"{protocol.name}: {count} of {len(tasks)} fits, {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


def _append(path: Path, header: list[str], rows: list[list]) -> None:
    fresh = not path.is_file()
    with open(path, "a") as out:
        if fresh:
            out.write(",".join(header) + "\n")
        for row in rows:
            out.write(",".join(repr(float(cell)) if isinstance(cell, float) else str(cell) for cell in row) + "\n")
