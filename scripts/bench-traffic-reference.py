#!/usr/bin/env python3
"""Times DuckDB and Bytewax on windows of vehicle events like those of `almanac-bench traffic`, runs that benchmark too, and prints ratios.

Needs PyPI's duckdb and bytewax (pip install duckdb bytewax), either of which may be missing, and a release build: make bench ARGS=traffic once.
Events by route and type in windows of one minute, one core each, from a file of JSON lines.
"""
import json
import re
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TYPES = ["Large Truck", "Small Truck", "Private Car", "Bus", "Taxi"]
START = 1_700_000_100_000


def write_events(path: Path, count: int) -> None:
    """The benchmark's events: 100,000 vehicles, 1,000 routes with a type."""
    state = 9

    def chance(bound: int) -> int:
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (state >> 33) % bound

    with path.open("w") as file:
        for i in range(count):
            v = i % 100_000
            digits = f"{(v + 1) * 0x9E3779B97F4A7C15 % 2**64:016x}"
            file.write(
                f'{{"vehicleId":"{digits[:8]}-{digits[8:12]}-{digits[-4:]}-8c93-{digits[-12:]}","vehicleType":"{TYPES[v % 5]}",'
                f'"routeId":"Route-{100 + v // 5 % 200}","latitude":"33.{100000 + chance(900000)}","longitude":"-95.{100000 + chance(900000)}",'
                f'"timestamp":{START + i * 100 // 1000},"speed":{20 + chance(100)}.{chance(10)},"fuelLevel":{10 + chance(90)}.{chance(10)}}}\n'
            )


def duckdb_rate(path: Path, count: int) -> float:
    import duckdb

    connection = duckdb.connect(config={"threads": 1})
    query = f"""
        SELECT routeId, vehicleType, (timestamp + 59999) // 60000 AS minute, count(*) AS events, avg(speed) AS speed
        FROM read_json('{path}', format='newline_delimited', columns={{vehicleId: 'UUID', vehicleType: 'VARCHAR', routeId: 'VARCHAR',
            latitude: 'DOUBLE', longitude: 'DOUBLE', timestamp: 'BIGINT', speed: 'DOUBLE', fuelLevel: 'DOUBLE'}})
        GROUP BY ALL"""
    connection.execute(query).fetchall()
    start = time.perf_counter()
    rows = connection.execute(query).fetchall()
    seconds = time.perf_counter() - start
    assert sum(row[3] for row in rows) == count
    return count / seconds


def bytewax_rate(path: Path, count: int) -> float:
    import bytewax.operators as op
    import bytewax.operators.windowing as windowing
    from bytewax.connectors.files import FileSource
    from bytewax.dataflow import Dataflow
    from bytewax.testing import TestingSink, run_main

    clock = windowing.EventClock(
        ts_getter=lambda event: datetime.fromtimestamp(event["timestamp"] / 1000, timezone.utc), wait_for_system_duration=timedelta(seconds=5))
    minutes = windowing.TumblingWindower(length=timedelta(minutes=1), align_to=datetime(2023, 1, 1, tzinfo=timezone.utc))
    out: list = []
    flow = Dataflow("traffic")
    lines = op.input("lines", flow, FileSource(str(path)))
    events = op.key_on("key", op.map("json", lines, json.loads), lambda event: f'{event["routeId"]}|{event["vehicleType"]}')
    windows = windowing.fold_window(
        "windows", events, clock, minutes, lambda: [0, 0.0], lambda sums, event: [sums[0] + 1, sums[1] + event["speed"]],
        lambda a, b: [a[0] + b[0], a[1] + b[1]])
    op.output("out", windows.down, TestingSink(out))
    start = time.perf_counter()
    run_main(flow)
    seconds = time.perf_counter() - start
    assert sum(value[1][0] for _, value in out) == count
    return count / seconds


def almanac_rate() -> float:
    text = subprocess.run(
        [ROOT / ".build/release/almanac-bench", "traffic"], check=True, capture_output=True, text=True).stdout
    print(text, end="")
    match = re.search(r"windows of 1 min, 1,000 keys: ([0-9.]+) M events/s", text)
    if not match:
        sys.exit("almanac-bench printed no figure of windows")
    return float(match.group(1)) * 1e6


def main() -> int:
    rates = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, body, count in [("DuckDB", duckdb_rate, 2_000_000), ("Bytewax", bytewax_rate, 200_000)]:
            path = Path(folder) / f"{name}.jsonl"
            write_events(path, count)
            try:
                rates[name] = body(path, count)
            except ImportError as error:
                print(f"{name}: not measured ({error})")
    ours = almanac_rate() if "--without-almanac" not in sys.argv else None
    for name, rate in rates.items():
        ratio = f", almanac {ours / rate:.1f} times as many" if ours else ""
        print(f"{name}: {rate / 1e6:.3f} M events/s{ratio}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
