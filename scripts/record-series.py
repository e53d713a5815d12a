#!/usr/bin/env python3
"""Records a node exporter's page as evenly spaced series for `scripts/accuracy.py`, with nothing but Python's library.

    almanac exporter --listen 127.0.0.1:9101 &
    scripts/record-series.py poll   --url http://127.0.0.1:9101/metrics --raw DIR/pages.jsonl --hours 14 &
    scripts/record-series.py export --raw DIR/pages.jsonl --out DIR/series

`poll` reads the page at every multiple of --step on the clock and appends one JSON line {"t": seconds, "v": {series: value}}; it can be
stopped and started again. `export` writes one CSV a series (header `value`, one value a line): gauges as they are, counters as rate per
second (a counter that falls has started again from 0). A missed page is a gap: a gauge repeats its last value, a rate is the mean over
the gap. Only series of CHOICE that took at least --distinct values are written.
"""
import argparse
import json
import re
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

# Varied in kind: busy and idle, smooth and bursty, bounded and drifting, some sticky. At most one device each is on most machines.
CHOICE = [
    r'node_cpu_seconds_total\{cpu="[01]",mode="(user|system|idle)"\}',
    r'node_cpu_seconds_total\{cpu="0",mode="(iowait|softirq)"\}',
    r"node_(context_switches|forks|intr)_total",
    r"node_procs_running",
    r"node_load(1|5|15)",
    r"node_memory_(MemAvailable|Cached|Dirty|AnonPages|Active_file|PageTables|Committed_AS)_bytes",
    r'node_disk_(written_bytes|writes_completed|io_time_seconds|read_bytes)_total\{device="(vda|sda|nvme0n1)"\}',
    r'node_network_(receive_bytes|transmit_packets)_total\{device="(lo|eth0|ens3)"\}',
    r"node_netstat_Tcp_(ActiveOpens|InSegs|CurrEstab)",
    r"node_sockstat_(TCP_alloc|sockets_used)",
    r"node_vmstat_(pgfault|pgpgout)",
    r"node_pressure_(cpu_waiting|io_waiting)_seconds_total",
    r"node_filefd_allocated",
    r'node_filesystem_avail_bytes\{.*mountpoint="/"\}',
]
SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*(?:\{.*\})?) (\S+)")
# Node exporter calls these `untyped`, though they count.
COUNTERS = re.compile(r"_total(\{|$)|node_vmstat_|node_netstat_(?!.*CurrEstab)")


def parse(page: str) -> dict[str, float]:
    """The samples of a page in the text format, without timestamps and infinities."""
    values = {}
    for line in page.splitlines():
        if match := SAMPLE.match(line):
            try:
                value = float(match[2])
            except ValueError:
                continue
            if value == value and abs(value) != float("inf"):
                values[match[1]] = value
    return values


def poll(options) -> None:
    options.raw.parent.mkdir(parents=True, exist_ok=True)
    end = time.time() + options.hours * 3600
    with open(options.raw, "a") as out:
        while True:
            due = (time.time() // options.step + 1) * options.step
            if due > end:
                return
            time.sleep(max(0, due - time.time()))
            try:
                with urllib.request.urlopen(options.url, timeout=options.step / 2) as answer:
                    values = parse(answer.read().decode())
            except (urllib.error.URLError, OSError, ValueError) as error:
                print(f"{options.url}: {error}; a gap at {due:.0f}", file=sys.stderr, flush=True)
                continue
            out.write(json.dumps({"t": due, "v": values}) + "\n")
            out.flush()


def pages(path: Path):
    with open(path) as lines:
        for number, line in enumerate(lines, 1):
            try:
                page = json.loads(line)
                yield page["t"], page["v"]
            except (ValueError, KeyError, TypeError):
                print(f"{path}:{number}: not a recorded page, left out", file=sys.stderr)


def evenly_spaced(samples: list[tuple[float, float]], step: float, counter: bool) -> list[float]:
    """One value a step between the first and last sample; of a counter the rate, so one value fewer."""
    values = [] if counter else [samples[0][1]]
    for (t0, v0), (t1, v1) in zip(samples, samples[1:]):
        steps = max(1, round((t1 - t0) / step))
        if counter:
            values += [(v1 - v0 if v1 >= v0 else v1) / (t1 - t0)] * steps
        else:
            values += [v0] * (steps - 1) + [v1]
    return values


def export(options) -> None:
    chosen = re.compile("|".join(f"(?:{pattern})" for pattern in CHOICE))
    series: dict[str, list[tuple[float, float]]] = {}
    for time_, values in pages(options.raw):
        for name, value in values.items():
            if chosen.fullmatch(name):
                series.setdefault(name, []).append((time_, value))
    if not series:
        sys.exit(f"{options.raw}: none of the chosen series is in it")
    options.out.mkdir(parents=True, exist_ok=True)
    written = 0
    for name, samples in sorted(series.items()):
        values = evenly_spaced(samples, options.step, bool(COUNTERS.search(name)))
        if len(set(values)) < options.distinct:
            print(f"{name}: {len(set(values))} different values, left out", file=sys.stderr)
            continue
        stem = re.sub(r"\W+", "_", re.sub(r'(device|mode|cpu|mountpoint|fstype)="/?([^"]*)"', r"\2", name)).strip("_")
        (options.out / f"{stem}.csv").write_text("value\n" + "".join(f"{value:.10g}\n" for value in values))
        written += 1
    print(f"{options.out}: {written} series, {len(values)} values in the last")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("poll", help="read a page at every step, append to a file")
    command.add_argument("--url", default="http://127.0.0.1:9100/metrics")
    command.add_argument("--hours", type=float, default=14, help="stop after so many hours (default 14)")
    command.set_defaults(run=poll)
    command = commands.add_parser("export", help="write the recorded pages as CSV, one file a series")
    command.add_argument("--out", type=Path, required=True, help="the folder to write")
    command.add_argument("--distinct", type=int, default=8, help="leave out series with fewer different values (default 8)")
    command.set_defaults(run=export)
    for command in commands.choices.values():
        command.add_argument("--raw", type=Path, required=True, help="the file of recorded pages")
        command.add_argument("--step", type=float, default=15, help="seconds between two pages (default 15)")
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
