#!/usr/bin/env python3
"""Golden values from statsmodels for a folder of CSV files, and Almanac's beside them.

    scripts/golden.py DIR [--length 2880] [--period 240] [--out FILE]
    scripts/golden.py DIR --compare [--almanac .build/release/almanac] [--length 2880] [--period 240]

Reads every *.csv below DIR (one value a line under the header `value`; what is no number counts as missing) and takes the first --length
values. Without --compare it writes a JSON list of the form of Tests/AnalyticsTests/Golden/statsmodels.json; `stl<P>` and `sd<P>`
are there for the period given, at the indices 0, 1000 (or the middle) and the last. A series that statsmodels refuses (constant, too
short, missing values) has `"error"` with the reason of each part.

With --compare it runs `almanac evaluate profile` on the same values, prints the largest relative difference of each field, and ends with 1
if one exceeds 1e-8 or a lag differs. A number near zero is compared with the largest of its list, times 1e-6. Three things are listed and no
difference: answers that only Almanac gives; those that it refuses with a reason that holds (constant, missing values, exactly predictable,
where statsmodels divides rounding errors by rounding errors); and what follows from a remainder that is nothing but rounding. A series that
lies far from zero for its range (1e9 and noise of 1e-3), or whose range is far from one, is moved and scaled by a power of two before
statsmodels sees it: that changes no statistic but keeps the digits that statsmodels loses.

statsmodels is installed from PyPI into a virtual environment outside the tree (ALMANAC_VENV, or ~/.cache/almanac/golden-venv).
"""
import argparse
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import venv
import warnings

VERSION = "0.15.0"
TOLERANCE = 1e-8
ROOT = pathlib.Path(__file__).resolve().parent.parent


def in_environment():
    """Starts this script again with a Python that has statsmodels."""
    default = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "almanac" / "golden-venv"
    home = pathlib.Path(os.environ.get("ALMANAC_VENV", default))
    python = home / "bin" / "python"
    if pathlib.Path(sys.prefix) == home:
        sys.exit(f"statsmodels cannot be imported in {home}; remove it and try again")
    if not python.exists():
        print(f"making {home}", file=sys.stderr)
        venv.create(home, with_pip=True)
    if subprocess.run([python, "-c", "import statsmodels"], capture_output=True).returncode != 0:
        subprocess.run([python, "-m", "pip", "install", "--quiet", f"statsmodels=={VERSION}"], check=True)
    os.execv(python, [str(python), *sys.argv])


try:
    import numpy as np
    from statsmodels.regression.linear_model import burg
    from statsmodels.tsa.seasonal import STL, seasonal_decompose
    from statsmodels.tsa.stattools import acf, adfuller, kpss, levinson_durbin
except ImportError:
    in_environment()

warnings.simplefilter("ignore")


def number(text):
    try:
        return float(text)
    except ValueError:
        return math.nan


def read(path, length):
    """The values of a file, or None if it is of another form."""
    lines = path.read_text().split("\n")
    if lines[0].strip() != "value":
        return None
    lines = lines[1:]
    while lines and not lines[-1].strip():
        lines.pop()
    return np.array([number(line) for line in lines[:length]])


def dickey_fuller(x, regression):
    stat, p, lag, nobs, critical, icbest = adfuller(x, regression=regression, autolag="AIC", result_object=False)
    return {"stat": stat, "p": p, "lag": int(lag), "nobs": int(nobs), "crit": critical, "icbest": icbest}


def kwiatkowski(x, regression):
    stat, p, lags, _ = kpss(x, regression=regression, nlags="auto", result_object=False)
    return {"stat": stat, "p": p, "lags": int(lags)}


def autocorrelations(x):
    r, _, q, p = acf(x, nlags=min(40, len(x) - 1), adjusted=False, fft=False, qstat=True, alpha=0.05)
    adjusted = acf(x, nlags=min(40, len(x) - 1), adjusted=True, fft=False)
    return {
        "acf40": r.tolist(), "ljungbox_q40": float(q[-1]), "ljungbox_p40": float(p[-1]), "acf_adjusted40": adjusted.tolist(),
    }


def partial(x):
    return levinson_durbin(x - x.mean(), nlags=min(20, len(x) // 2 - 1), isacov=False)[2].tolist()


def burg_model(x, unit):
    coefficients, variance = burg(x, order=min(10, len(x) - 2))
    return {"burg10": coefficients.tolist(), "burg10_s2": float(variance) * unit * unit}


def strength(part, residual):
    both = np.var(part + residual)
    return float(max(0, 1 - np.var(residual) / both)) if both > 0 else 0.0


def decompositions(x, period, shift, unit):
    n = len(x)
    at = [0, min(1000, n // 2), n - 1]
    fit = STL(x, period=period).fit()
    jump = max(1, round(0.15 * period))
    fast = STL(x, period=period, trend_jump=jump, low_pass_jump=jump).fit()
    classical = seasonal_decompose(x, period=period)
    half = period // 2
    return {
        f"stl{period}": {
            "trend": (fit.trend[at] * unit + shift).tolist(), "seasonal": (fit.seasonal[at] * unit).tolist(),
            "resid_std": float(np.std(fit.resid)) * unit,
            "Fs": strength(fit.seasonal, fit.resid), "Ft": strength(fit.trend, fit.resid),
        },
        f"stl{period}_jump{jump}_resid_std": float(np.std(fast.resid)) * unit,
        f"sd{period}": {
            "seasonal": (classical.seasonal[:5] * unit).tolist(),
            "trend": (classical.trend[[half, at[1], n - 1 - half]] * unit + shift).tolist(),
            "n_nan": int(np.isnan(classical.trend).sum()),
        },
    }


def windows(x, shift, unit):
    """Of the newest values; missing ones are left out, as in Almanac's windows."""
    result = {}
    for length in (240, 720, 2880):
        part = x[-length:]
        part = part[np.isfinite(part)]
        if len(x) >= length and len(part) > 1:
            result[str(length)] = {
                "max": float(part.max() * unit + shift), "min": float(part.min() * unit + shift),
                "mean": math.fsum(part) / len(part) * unit + shift, "std_pop": float(np.std(part)) * unit,
                "std_sample": float(np.std(part, ddof=1)) * unit,
            }
    return result


def golden(x, period, shift=0.0, unit=1.0):
    """Of x * unit + shift."""
    parts = {
        "adf_c_aic": lambda: {"adf_c_aic": dickey_fuller(x, "c")}, "adf_ct_aic": lambda: {"adf_ct_aic": dickey_fuller(x, "ct")},
        "kpss_c": lambda: {"kpss_c": kwiatkowski(x, "c")}, "kpss_ct": lambda: {"kpss_ct": kwiatkowski(x, "ct")},
        "acf40": lambda: autocorrelations(x), "pacf_ldb20": lambda: {"pacf_ldb20": partial(x)}, "burg10": lambda: burg_model(x, unit),
        "windows": lambda: {"windows": windows(x, shift, unit)},
    }
    if period:
        parts[f"stl{period}"] = lambda: decompositions(x, period, shift, unit)
    entry, errors = {}, {}
    for name, compute in parts.items():
        try:
            entry.update(compute())
        except Exception as error:  # statsmodels raises many kinds
            errors[name] = f"{type(error).__name__}: {error}"
    return entry | ({"error": errors} if errors else {})


def finite(value):
    """JSON has no NaN and no infinity."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value


# The fields of `evaluate profile` by those of the golden file.
FIELDS = [
    ("acf", "acf40", ["acf"]), ("ljungBox.q", "ljungbox_q40", ["ljungBox", "q"]),
    ("ljungBox.pValue", "ljungbox_p40", ["ljungBox", "pValue"]), ("pacf", "pacf_ldb20", ["pacf"]),
    ("burg.coefficients", "burg10", ["burg", "coefficients"]), ("burg.variance", "burg10_s2", ["burg", "variance"]),
]
for ours, theirs in (("adf", "adf_c_aic"), ("adfTrend", "adf_ct_aic"), ("kpss", "kpss_c"), ("kpssTrend", "kpss_ct")):
    names = [("statistic", "stat"), ("pValue", "p"), ("lags", "lag" if "adf" in theirs else "lags")]
    names += [("observations", "nobs")] if "adf" in theirs else []
    FIELDS += [(f"{ours}.{a}", f"{theirs}.{b}", [ours, a]) for a, b in names]
for length in ("240", "720"):
    names = [("max", "max"), ("min", "min"), ("mean", "mean"), ("stddev", "std_sample")]
    FIELDS += [(f"windows.{length}.{a}", f"windows.{length}.{b}", ["windows", length, a]) for a, b in names]


def decomposition_fields(period):
    stl = [("trend", "trend"), ("seasonal", "seasonal"), ("residualDeviation", "resid_std"), ("seasonalStrength", "Fs"),
           ("trendStrength", "Ft")]
    return [(f"stl.{a}", f"stl{period}.{b}", ["stl", a]) for a, b in stl] + [
        (f"decompose.{a}", f"sd{period}.{a}", ["decompose", a]) for a in ("seasonal", "trend")]


def member(value, path):
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def difference(ours, theirs, scale):
    """Relative, numbers near zero relative to `scale`; infinite where only statsmodels has a number; None where it has none."""
    if isinstance(theirs, list):
        size = max((abs(v) for v in theirs if v is not None), default=0) * 1e-6
        ours = ours if isinstance(ours, list) else [None] * len(theirs)
        if len(ours) != len(theirs):
            return math.inf
        found = [difference(a, b, max(size, scale)) for a, b in zip(ours, theirs)]
        return max((d for d in found if d is not None), default=None)
    if theirs is None:
        return None
    if ours is None:
        return math.inf
    if isinstance(theirs, int):
        return 0.0 if ours == theirs else math.inf
    return 0.0 if ours == theirs else abs(ours - theirs) / max(abs(ours), abs(theirs), scale)


def evaluate(program, series, period):
    """Almanac's answers by name, on copies of exactly the values that statsmodels saw."""
    with tempfile.TemporaryDirectory() as folder:
        for name, x in series.items():
            path = pathlib.Path(folder) / (name + ".csv")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("value\n" + "".join(f"{v!r}\n" if math.isfinite(v) else "NaN\n" for v in x.tolist()))
        command = [program, "evaluate", "profile", "--data", folder, "--step", "60s"]
        command += ["--period", str(period)] if period else []
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    answers = (json.loads(line) for line in output.splitlines())
    return {answer["file"].removesuffix(".csv"): answer for answer in answers}


def refusal(x, answer, path):
    """Why Almanac has no number, if that is so."""
    place = member(answer, path[:-1])
    reason = (place.get("reason") if isinstance(place, dict) else None) or answer.get("reason") or ""
    holds = {
        "constant": np.nanmin(x) == np.nanmax(x), "not finite": not np.isfinite(x).all(), "too short": len(x) < 64,
        "exactly predictable": True, "a straight line": True,
    }
    return reason if any(reason.startswith(text) and held for text, held in holds.items()) else None


def normalized(x):
    """x near zero and of a range near one where it is far from that, and its old place and unit. Nothing is rounded."""
    known = x[np.isfinite(x)]
    if len(known) == 0 or np.ptp(known) == 0:
        return x, 0.0, 1.0
    spread = float(np.ptp(known))
    shift = float(known[len(known) // 2]) if np.abs(known).max() > 1e4 * spread else 0.0
    unit = 2.0 ** math.floor(math.log2(spread)) if not 1e-6 < spread < 1e6 and math.isfinite(spread) else 1.0
    return (x - shift) / unit, shift, unit


def is_rounding(ours, entry, x, period):
    """Whether the value follows from a remainder that is next to nothing but rounding: there statsmodels' own digits end early (against 80-bit
    arithmetic it has 7 of Burg's coefficients where a millionth of the variance is left), or doubles of the series' size cannot hold the trend."""
    spread = float(np.nanstd(normalized(x)[0])) * normalized(x)[2]
    if ours.startswith("burg"):
        return (entry.get("burg10_s2") or 0) < 1e-6 * spread * spread
    if ours.endswith("Strength"):
        digits = float(np.nanmax(np.abs(x))) * 1e-13
        return (member(entry, [f"stl{period}", "resid_std"]) or 0) < max(1e-9 * spread, digits)
    return False


def compare(series, entries, answers, period):
    largest, listed = {}, []
    for entry in entries:
        answer = answers.get(entry["name"], {})
        # In the unit of the series, what a double can hold of it.
        x = series[entry["name"]]
        top = float(np.nanmax(np.abs(x), initial=0, where=np.isfinite(x)))
        for ours, theirs, path in FIELDS + (decomposition_fields(period) if period else []):
            expected = member(entry, theirs.split("."))
            found = member(answer, path)
            scale = top * 1e-6 if ours.startswith(("stl.", "decompose.")) and "Strength" not in ours else 0
            if expected is None:
                if found is not None:
                    listed.append(f"only Almanac answers: {entry['name']}: {ours}")
                continue
            if found is None and refusal(x, answer, path):
                listed.append(f"only statsmodels answers: {entry['name']}: {ours}: {refusal(x, answer, path)}")
                continue
            if is_rounding(ours, entry, x, period):
                listed.append(f"nothing but rounding: {entry['name']}: {ours}")
                continue
            d = difference(found, expected, scale)
            if d is not None and d >= largest.get(ours, (-1,))[0]:
                largest[ours] = (d, entry["name"], found, expected)
    print(f"{'field':26}{'largest difference':22}series")
    isGood = True
    for ours, (d, name, found, expected) in largest.items():
        isMet = d <= TOLERANCE
        isGood = isGood and isMet
        values = "" if isMet or isinstance(expected, list) else f": {found} for {expected}"
        print(f"{ours:26}{d:<22.3g}{name if d > 0 else 'all equal'}{'' if isMet else '  ABOVE ' + str(TOLERANCE) + values}")
    for line in listed:
        print(line)
    print(f"{len(entries)} series: {'all within' if isGood else 'NOT all within'} {TOLERANCE}")
    return isGood


def main():
    parser = argparse.ArgumentParser(description="Golden values from statsmodels for a folder of CSV files.")
    parser.add_argument("dir", type=pathlib.Path)
    parser.add_argument("--length", type=int, default=2880, help="values of each file to use (default 2880)")
    parser.add_argument("--period", type=int, help="period for STL and seasonal_decompose, in samples")
    parser.add_argument("--out", type=argparse.FileType("w"), default=sys.stdout)
    parser.add_argument("--compare", action="store_true", help="compare with `almanac evaluate profile`")
    parser.add_argument("--almanac", default=str(ROOT / ".build" / "release" / "almanac"), help="the program to compare with")
    options = parser.parse_args()
    series = {}
    for path in sorted(options.dir.rglob("*.csv")):
        x = read(path, options.length)
        if x is not None:
            series[str(path.relative_to(options.dir).with_suffix(""))] = x
    if not series:
        sys.exit(f"{options.dir} holds no CSV file with the header 'value'")
    if options.compare:
        entries = []
        for name, x in series.items():
            moved, shift, unit = normalized(x)
            entries.append(finite({"name": name, "n": len(x)} | golden(moved, options.period, shift, unit)))
        try:
            answers = evaluate(options.almanac, series, options.period)
        except (OSError, subprocess.CalledProcessError) as error:
            detail = getattr(error, "stderr", "") or ""
            sys.exit(f"{options.almanac} cannot be run: {error}. {detail}".strip() + " Build it (make build) or name it with --almanac")
        sys.exit(0 if compare(series, entries, answers, options.period) else 1)
    entries = [finite({"name": name, "n": len(x)} | golden(x, options.period)) for name, x in series.items()]
    json.dump(entries, options.out, indent=1)
    options.out.write("\n")


if __name__ == "__main__":
    main()
