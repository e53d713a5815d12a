#!/usr/bin/env python3
"""Times statsmodels, arch and pandas on the series that `almanac-bench profile` uses, runs that benchmark too, and prints ratios.

Needs PyPI's statsmodels, arch and pandas (pip install statsmodels arch pandas) and a release build: make bench ARGS=profile once.
"""
import re
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent


def bench_series(count: int) -> np.ndarray:
    """The same AR(.8) with a cycle that the benchmark makes."""
    state, level, values = 9, 0.0, []
    for i in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        level = 0.8 * level + (state >> 40) / float(1 << 24) - 0.5
        values.append(level + (i % 240) / 240)
    return np.array(values)


def median_us(body, runs: int) -> float:
    body()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        body()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2] * 1e6


def main() -> int:
    from statsmodels.tsa.stattools import acf, adfuller, kpss, pacf

    # statsmodels switches its own warnings on when it is imported.
    warnings.simplefilter("ignore")
    y = bench_series(2880)
    rows = {
        "profile: ACF, 40 lags": [("statsmodels", median_us(lambda: acf(y, nlags=40, fft=True), 20))],
        "profile: ADF with the AIC search": [("statsmodels", median_us(lambda: adfuller(y, autolag="AIC"), 5))],
        "profile: KPSS": [("statsmodels", median_us(lambda: kpss(y, nlags="auto"), 20))],
        "profile: all of it": [
            (
                "statsmodels",
                median_us(
                    lambda: (
                        acf(y, nlags=40, qstat=True, alpha=0.05), pacf(y, nlags=20, method="ldb"), adfuller(y), adfuller(y, regression="ct"),
                        kpss(y, nlags="auto"), kpss(y, regression="ct", nlags="auto"),
                    ),
                    3,
                ),
            )
        ],
    }
    try:
        from arch.unitroot import ADF, KPSS

        rows["profile: ADF with the AIC search"].append(("arch", median_us(lambda: ADF(y, method="aic").stat, 5)))
        rows["profile: KPSS"].append(("arch", median_us(lambda: KPSS(y).stat, 10)))
    except ImportError:
        print("arch is not installed: its columns are left out", file=sys.stderr)
    output = subprocess.run([ROOT / ".build/release/almanac-bench", "profile"], capture_output=True, text=True, check=True).stdout
    for line in output.splitlines():
        match = re.match(r"\s+(profile: .*?): ([\d.]+) us", line)
        if not match:
            continue
        ours = float(match.group(2))
        for name, theirs in rows.get(match.group(1), []):
            print(f"{match.group(1)}: ours {ours:.1f} us, {name} {theirs:.1f} us, ratio {theirs / ours:.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
