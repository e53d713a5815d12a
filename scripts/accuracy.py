#!/usr/bin/env python3
"""Compares Almanac's forecasts with statsforecast's AutoETS, AutoARIMA, AutoTheta and SeasonalNaive, FLAIR, and the last value.

Everything is made below --work (default .accuracy): a virtual environment with statsforecast and flaircast from PyPI, our CSVs, and the
peers' forecasts, which are kept: a later run only forecasts ours again, in seconds. The first run takes the peers about an hour.

    make accuracy                                                  all protocols, then coverage
    scripts/accuracy.py --protocols 5min,1min                      some of them
    scripts/accuracy.py --protocols 1min --score-only mine.csv     score a CSV of `almanac evaluate forecast` that is there
    scripts/accuracy.py --cached-only                              do not compute peers; use those that are complete
    scripts/accuracy.py --protocols 5min --origins 200             many origins a series, where the protocol's few leave it to chance

15s-node needs recordings: scripts/record-series.py says how to make them. Scores are defined in scripts/accuracy/scores.py.
The exit status is 0 also where a target is missed, unless --strict.
"""
import argparse
import hashlib
import os
import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ["statsforecast==2.1.1", "flaircast==0.6.1", "numpy", "pandas"]
NAMES = ["5min", "1min", "nab", "nab-artificial", "15s-simulated", "15s-node"]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data/forecast", help="folder of manifest.csv and the series; "
                        "NAB is read from the folder `nab` beside it (default ../shared/data/forecast)")
    parser.add_argument("--recorded", type=Path, help="series of scripts/record-series.py export (default WORK/recorded)")
    parser.add_argument("--work", type=Path, default=ROOT / ".accuracy", help="where everything made is kept (default .accuracy)")
    parser.add_argument("--out", type=Path, help="where our CSVs go (default WORK/ours)")
    parser.add_argument("--almanac", type=Path, default=ROOT / ".build/release/almanac", help="the binary (default .build/release/almanac)")
    parser.add_argument("--protocols", default=",".join(NAMES), help=f"which, with commas between (default {','.join(NAMES)})")
    parser.add_argument("--models", help="only these peers, with commas between, as they are called in the tables; last value is always in")
    parser.add_argument("--score-only", type=Path, metavar="CSV", help="score this CSV of ours; needs one --protocols; no coverage run")
    parser.add_argument("--cached-only", action="store_true", help="compute no peers: leave out those that are not complete in the cache")
    parser.add_argument("--origins", type=int, help="origins a series of the comparison (default: as the protocol says, 12 or 8)")
    parser.add_argument("--coverage-origins", type=int, default=200, help="origins a series of the coverage run, 0 for none (default 200)")
    parser.add_argument("--coverage-only", action="store_true", help="no peers at all, only the coverage run")
    parser.add_argument("--last-value-point", action="store_true", help="relCRPS over the absolute error of the last value, "
                        "not over the CRPS of its Gaussian intervals")
    parser.add_argument("--all-series", action="store_true", help="print every series, not only those where a peer wins")
    parser.add_argument("--kinds", default="path", help="kinds to print by series, with commas between: path,max,min,avg (default path)")
    parser.add_argument("--processes", type=int, default=2, help="peers at a time (default 2)")
    parser.add_argument("--nice", type=int, default=10, help="niceness of the peers (default 10)")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a target is missed")
    options = parser.parse_args()
    options.protocols = [name for name in options.protocols.split(",") if name]
    if unknown := set(options.protocols) - set(NAMES):
        parser.error(f"--protocols: no {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    options.kinds = options.kinds.split(",")
    if unknown := set(options.kinds) - {"path", "max", "min", "avg"}:
        parser.error(f"--kinds: no {', '.join(sorted(unknown))}; there are path, max, min, avg")
    if options.score_only and len(options.protocols) != 1:
        parser.error("--score-only needs --protocols with the one that the CSV is of")
    if options.origins is not None and options.origins < 1:
        parser.error(f"--origins: {options.origins} is less than 1")
    if options.score_only and not options.score_only.is_file():
        parser.error(f"--score-only: {options.score_only} is not there")
    options.recorded = options.recorded or options.work / "recorded"
    options.out = options.out or options.work / "ours"
    return options


def in_environment(work: Path) -> None:
    """Makes the virtual environment if it is not there or of other packages, and goes on inside it."""
    venv = (work / "venv").resolve()
    if Path(sys.prefix).resolve() == venv:
        return
    stamp, wanted = venv / "packages", hashlib.sha256("\n".join(PACKAGES).encode()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != wanted:
        print(f"installing {', '.join(PACKAGES)} into {venv}", file=sys.stderr)
        try:
            subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
            subprocess.run([str(venv / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", *PACKAGES], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            sys.exit(f"the environment of the peers could not be made: {error}\nNeeded: python3 with venv, and PyPI or a mirror of it.")
        stamp.write_text(wanted)
    os.execv(venv / "bin/python", [str(venv / "bin/python"), __file__, *sys.argv[1:]])


def evaluate(options, protocol, folder: Path, origins: int, out: Path, *more: str) -> tuple[float, int]:
    """Runs `almanac evaluate forecast`, with `more` arguments; seconds of CPU and the number of forecasts."""
    if not options.almanac.is_file():
        sys.exit(f"{options.almanac} is not there; run make build, or give --almanac")
    out.parent.mkdir(parents=True, exist_ok=True)
    command = [str(options.almanac), "evaluate", "forecast", "--data", str(folder), "--step", f"{protocol.step}s",
               "--context", str(protocol.context), "--horizon", f"{protocol.step * protocol.horizon}s", "--origins", str(origins),
               "--csv", str(out), *more]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    if code := subprocess.run(command).returncode:
        sys.exit(f"{' '.join(command)}: exit status {code}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(out) as lines:
        fits = sum(1 for line in lines if ",max,0," in line)
    if fits == 0:
        sys.exit(f"{out}: no forecast in it; is every series of {folder} shorter than {protocol.context + protocol.horizon} values?")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, fits


def evaluate_timed(options, protocol, folder: Path, out: Path) -> float:
    """Writes our CSV; CPU milliseconds a forecast, without reading the files: what more origins cost over one, the least of three runs each."""
    one, fits_of_one = min(evaluate(options, protocol, folder, 1, out) for _ in range(3))
    all_, fits = min(evaluate(options, protocol, folder, protocol.origins, out) for _ in range(3))
    return 1000 * (all_ - one) / (fits - fits_of_one) if fits > fits_of_one else float("nan")


def compare(options, protocol, folder: Path) -> list[str]:
    """Ours against the peers on one protocol; the targets missed."""
    from accuracy import peers, report, scores

    ours, milliseconds = options.score_only, float("nan")
    if not ours:
        ours = options.out / f"{protocol.name}.csv"
        milliseconds = evaluate_timed(options, protocol, folder, ours)
    models = options.models.split(",") if options.models else peers.models_for(protocol)
    if unknown := set(models) - set(peers.MODELS):
        sys.exit(f"--models: no {', '.join(sorted(unknown))}; there are {', '.join(peers.MODELS)}")
    models = [peers.LAST_VALUE, *(model for model in models if model != peers.LAST_VALUE)]
    cache = options.work / "cache"
    if not options.cached_only:
        peers.run(protocol, folder, ours, cache, options.processes, options.nice, models)
    scored, notes = scores.score_all(protocol, folder, ours, milliseconds, cache, models, options.last_value_point)
    report.table(protocol, scored, notes)
    missed = report.targets(protocol, scored)
    worse = report.by_series(scored, options.kinds, options.all_series)
    return missed + [f"{protocol.name} over last value by more than 2 %: {line}" for line in worse]


def cover(options, protocol, folder: Path) -> list[str]:
    from accuracy import report, scores

    missed = []
    # As the product runs, with intervals that each value calibrates; and as `evaluate forecast` does by itself, fitting anew at each origin.
    for way, name, arguments in (("online", "coverage", ["--online"]), ("fitted anew", "coverage-anew", [])):
        out = options.out / f"{protocol.name}-{name}.csv"
        evaluate(options, protocol, folder, options.coverage_origins, out, *arguments)
        frame = scores.read(out)
        missed += report.coverage_table(protocol, way, scores.score_rows(frame, scores.scales(protocol, folder, frame)))
    return missed


def main() -> int:
    options = parse()
    in_environment(options.work)
    sys.dont_write_bytecode = True
    from accuracy import protocols, report

    options.work = options.work.resolve()
    chosen = [protocol for protocol in protocols.protocols() if protocol.name in options.protocols]
    for protocol in chosen:
        protocol.origins = options.origins or protocol.origins
    folders = {protocol.name: folder for protocol in chosen if (folder := protocols.prepare(protocol, options))}
    chosen = [protocol for protocol in chosen if protocol.name in folders]
    if not chosen:
        print("\nnothing was compared")
        return 1 if options.strict else 0
    missed = []
    if not options.coverage_only:
        for protocol in chosen:
            missed += compare(options, protocol, folders[protocol.name])
        print(f"\n{report.legend(options.last_value_point)}")
    if options.coverage_origins > 0 and not options.score_only:
        for protocol in chosen:
            missed += cover(options, protocol, folders[protocol.name])
    print("\nnot reached:" if missed else "\nevery target is met")
    for line in missed:
        print(f"  {line}")
    return 1 if missed and options.strict else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:  # whoever reads has enough, as `head`
        os._exit(0)
    except KeyboardInterrupt:
        sys.exit("interrupted; what the peers had computed is kept")
