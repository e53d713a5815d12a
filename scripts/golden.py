#!/usr/bin/env python3
"""Golden values from statsmodels for a folder of CSV files.

    python3 -m venv .venv && .venv/bin/pip install statsmodels==0.15.0
    .venv/bin/python scripts/golden.py DIR [--length 2880] [--out FILE]

Reads every *.csv below DIR (one value a line under the header `value`), takes the first --length values and writes the JSON list that
Tests/AnalyticsTests/Golden/statsmodels.json holds, without STL, decomposition and windows. A series that statsmodels refuses (constant,
too short) gets `"error"` in place of the values.
"""
import argparse
import json
import math
import pathlib
import sys
import warnings

import numpy as np
from statsmodels.regression.linear_model import burg
from statsmodels.tsa.stattools import acf, adfuller, kpss, levinson_durbin

warnings.simplefilter("ignore")


def read(path, length):
    values = []
    with open(path) as lines:
        next(lines, None)
        for line in lines:
            if line.strip() and len(values) < length:
                values.append(float(line))
    return np.array(values)


def dickey_fuller(x, regression):
    stat, p, lag, nobs, critical, icbest = adfuller(x, regression=regression, autolag="AIC", result_object=False)
    return {"stat": stat, "p": p, "lag": int(lag), "nobs": int(nobs), "crit": critical, "icbest": icbest}


def kwiatkowski(x, regression):
    stat, p, lags, _ = kpss(x, regression=regression, nlags="auto", result_object=False)
    return {"stat": stat, "p": p, "lags": int(lags)}


def golden(x):
    lags = min(40, len(x) - 1)
    order = min(20, len(x) // 2 - 1)
    r, _, q, p = acf(x, nlags=lags, adjusted=False, fft=False, qstat=True, alpha=0.05)
    coefficients, variance = burg(x, order=min(10, len(x) - 2))
    return {
        "adf_c_aic": dickey_fuller(x, "c"),
        "adf_ct_aic": dickey_fuller(x, "ct"),
        "kpss_c": kwiatkowski(x, "c"),
        "kpss_ct": kwiatkowski(x, "ct"),
        "acf40": r.tolist(),
        "ljungbox_q40": float(q[-1]),
        "ljungbox_p40": float(p[-1]),
        "pacf_ldb20": levinson_durbin(x - x.mean(), nlags=order, isacov=False)[2].tolist(),
        "burg10": coefficients.tolist(),
        "burg10_s2": float(variance),
    }


def finite(value):
    """JSON has no NaN and no infinity."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value


def main():
    parser = argparse.ArgumentParser(description="Golden values from statsmodels for a folder of CSV files.")
    parser.add_argument("dir", type=pathlib.Path)
    parser.add_argument("--length", type=int, default=2880, help="values of each file to use (default 2880)")
    parser.add_argument("--out", type=argparse.FileType("w"), default=sys.stdout)
    options = parser.parse_args()
    results = []
    for path in sorted(options.dir.rglob("*.csv")):
        x = read(path, options.length)
        entry = {"name": str(path.relative_to(options.dir).with_suffix("")), "n": len(x)}
        try:
            entry.update(golden(x))
        except Exception as error:  # statsmodels raises many kinds
            entry["error"] = f"{type(error).__name__}: {error}"
        results.append(finite(entry))
    json.dump(results, options.out, indent=1)
    options.out.write("\n")


if __name__ == "__main__":
    main()
