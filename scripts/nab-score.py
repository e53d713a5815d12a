#!/usr/bin/env python3
"""Scores anomaly detections with the Numenta Anomaly Benchmark's rules, and baselines beside them.

    almanac evaluate anomalies --data ../shared/data/nab --out scores
    scripts/nab-score.py --data ../shared/data/nab --scores scores

Written from the description in Lavin and Ahmad, "Evaluating Real-Time Anomaly Detection Algorithms - the Numenta
Anomaly Benchmark" (ICMLA 2015):

- A row is detected when its score reaches the threshold. There is one threshold for all files: the one that gives the highest total.
- The first 15 % of a file (at most 750 rows) are probation and count for nothing.
- A labelled window earns the value of its earliest detection, 2 / (1 + exp(5 y)) - 1, divided by its value at the window's left edge;
  y is the position in the window, -1 at the left edge and 0 just after the right one. A window without a detection costs one.
- Every detection outside costs 0.11: less shortly after a window, where the same curve goes on with y > 0, and all from y = 3 on.
- The total is scaled so that no detection at all is 0 and the perfect detector 100.

Standard library only.
"""
import argparse
import csv
import json
import math
import os
import random
import sys
from datetime import datetime

PROBATION_SHARE, PROBATION_ROWS = 0.15, 750


def curve(y):
    return -1.0 if y > 3 else 2 / (1 + math.exp(5 * y)) - 1


LEFT_EDGE = curve(-1)


class Series:
    """One labelled file: what a detection in each row is worth."""

    def __init__(self, name, times, windows):
        self.name = name
        self.rows = len(times)
        self.probation = int(min(math.floor(PROBATION_SHARE * self.rows), PROBATION_ROWS))
        place = {time: row for row, time in reversed(list(enumerate(times)))}
        try:
            self.windows = [(place[moment(a)], place[moment(b)]) for a, b in windows]
        except KeyError as error:
            sys.exit(f"{name}: the window edge {error.args[0]} is not the time of a row")
        self.window = [-1] * self.rows
        self.worth = [-1.0] * self.rows
        for number, (first, last) in enumerate(self.windows):
            width = last - first + 1
            following = self.windows[number + 1][0] if number + 1 < len(self.windows) else self.rows
            for row in range(first, last + 1):
                self.window[row] = number
                self.worth[row] = curve(-(last - row + 1) / width) / LEFT_EDGE
            for row in range(last + 1, following):
                self.worth[row] = curve((row - last) / max(width - 1, 1))


def moment(text):
    text = text.strip()
    for layout in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S"):
        try:
            return datetime.strptime(text, layout)
        except ValueError:
            continue
    sys.exit(f"'{text}' is not a time such as 2014-02-14 14:30:00")


def score(series, detections, weights, threshold=None):
    """(scaled score, threshold, windows found, windows, false detections, share per series) of {name: [score per row]}.

    Without `threshold` the best one is found.
    """
    fp_weight, fn_weight, tp_weight = weights["fpWeight"], weights["fnWeight"], weights["tpWeight"]
    rows, best_in_window, windows = [], {}, 0
    for one in series:
        windows += len(one.windows)
        values = detections[one.name]
        for row in range(one.probation, one.rows):
            key = (one.name, one.window[row]) if one.window[row] >= 0 else None
            if key is not None:
                best_in_window[key] = -fn_weight
            rows.append((values[row], key, one.worth[row]))
    nothing = -fn_weight * len(best_in_window)
    rows.sort(key=lambda row: -row[0])

    total, false_rows = nothing, 0
    best = (total, math.inf, dict(best_in_window), 0)
    for index, (value, key, worth) in enumerate(rows):
        if threshold is not None and value < threshold:
            break
        if key is None:
            total += worth * fp_weight
            false_rows += 1
        elif worth * tp_weight > best_in_window[key]:
            total += worth * tp_weight - best_in_window[key]
            best_in_window[key] = worth * tp_weight
        last_of_its_value = index + 1 == len(rows) or rows[index + 1][0] != value
        if threshold is None and last_of_its_value and total > best[0]:
            best = (total, value, dict(best_in_window), false_rows)
    if threshold is not None:
        best = (total, threshold, best_in_window, false_rows)
    total, chosen, found, false_rows = best
    perfect = windows * tp_weight
    scaled = 100 * (total - nothing) / (perfect - nothing) if windows else math.nan
    return scaled, chosen, sum(1 for value in found.values() if value > -fn_weight), windows, false_rows, found


# Baselines: what is known about them shows whether the scoring is sane.

def windowed_gaussian(values, size=6400):
    """One minus the tail probability of each value under the mean and deviation of the last `size` values, as NAB's baseline."""
    out, total, squares = [], 0.0, 0.0
    base = values[0]
    for row, value in enumerate(values):
        count = min(row, size)
        if count == 0:
            out.append(0.0)
        else:
            mean = total / count
            deviation = math.sqrt(max(squares / count - mean * mean, 0)) or 1e-6
            out.append(1 - 0.5 * math.erfc(abs(value - base - mean) / deviation / math.sqrt(2)))
        old = values[row - size] - base if row >= size else 0.0
        total += value - base - old
        squares += (value - base) ** 2 - old ** 2
    return out


BASELINES = {
    "nothing": lambda values, source: [0.5] * len(values),
    "random": lambda values, source: [source.random() for _ in values],
    "windowed Gaussian": lambda values, source: windowed_gaussian(values),
}


def read_column(path, column):
    try:
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
        return [row["timestamp"] for row in rows], [float(row[column]) for row in rows]
    except (OSError, KeyError, ValueError, TypeError) as error:
        sys.exit(f"{path}: needs the columns timestamp and {column} ({error!r})")


def line(name, result):
    scaled, threshold, found, windows, false_rows, _ = result
    print(f"{name:<28}{scaled:7.2f}   threshold {threshold:<10.6g} found {found:3d} of {windows:3d}   false {false_rows:4d}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="NAB's folder: series, windows.json, profiles.json")
    parser.add_argument("--scores", required=True, help="the folder with timestamp,value,anomaly_score files")
    parser.add_argument("--threshold", type=float, help="score at this threshold also, instead of only at the best")
    parser.add_argument("--files", action="store_true", help="one line a file as well")
    parser.add_argument("--no-baselines", action="store_true")
    arguments = parser.parse_args()

    with open(os.path.join(arguments.data, "windows.json")) as file:
        labels = json.load(file)
    with open(os.path.join(arguments.data, "profiles.json")) as file:
        profiles = {name: body["CostMatrix"] for name, body in json.load(file).items()}

    series, ours, values = [], {}, {}
    for name in sorted(labels):
        times, ours[name] = read_column(os.path.join(arguments.scores, name), "anomaly_score")
        values[name] = read_column(os.path.join(arguments.data, name), "value")[1]
        if len(values[name]) != len(times):
            sys.exit(f"{name}: {len(times)} rows of scores for {len(values[name])} rows of data")
        series.append(Series(name, [moment(text) for text in times], labels[name]))

    for profile, weights in profiles.items():
        line(profile, score(series, ours, weights))
    standard = profiles["standard"]
    if arguments.threshold is not None:
        line("standard, given threshold", score(series, ours, standard, arguments.threshold))
    halves = series[0::2], series[1::2]
    chosen = [score(half, ours, standard) for half in halves]
    for number in (0, 1):
        line(f"half {'AB'[number]}", chosen[number])
        line(f"half {'AB'[number]}, the other's thr.", score(halves[number], ours, standard, chosen[1 - number][1]))

    if arguments.files:
        threshold = score(series, ours, standard)[1] if arguments.threshold is None else arguments.threshold
        print()
        for one in series:
            result = score([one], ours, standard, threshold)
            marks = " ".join(f"{value:+.2f}" for _, value in sorted(result[5].items()))
            print(f"{one.name:<62} false {result[4]:3d}   {marks}")
    if not arguments.no_baselines:
        print()
        for name, detector in BASELINES.items():
            source = random.Random(1)
            line(name, score(series, {one.name: detector(values[one.name], source) for one in series}, standard))


if __name__ == "__main__":
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has enough, as `head`
        os._exit(0)
