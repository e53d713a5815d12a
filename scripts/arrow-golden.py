#!/usr/bin/env python3
"""Writes Tests/SparkClientTests/Golden/*.arrows with pyarrow (PyPI), as vectors for the reader of Arrow streams."""
import datetime
import pathlib

import pyarrow as pa

out = pathlib.Path(__file__).resolve().parent.parent / "Tests/SparkClientTests/Golden"
out.mkdir(parents=True, exist_ok=True)


def write(name, schema, batches):
    with pa.ipc.new_stream(str(out / f"{name}.arrows"), schema) as stream:
        for batch in batches:
            stream.write_batch(pa.record_batch(batch, schema=schema))


types = pa.schema(
    [
        ("byte", pa.int8()),
        ("short", pa.int16()),
        ("int", pa.int32()),
        ("long", pa.int64()),
        ("float", pa.float32()),
        ("double", pa.float64()),
        ("text", pa.utf8()),
        ("bytes", pa.binary()),
        ("flag", pa.bool_()),
        ("day", pa.date32()),
        ("micros", pa.timestamp("us", tz="UTC")),
        ("local", pa.timestamp("ms")),
        ("nothing", pa.null()),
    ]
)
moment = datetime.datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=datetime.timezone.utc)
write(
    "types",
    types,
    [
        [
            pa.array([-128, None, 127], pa.int8()),
            pa.array([-32768, None, 32767], pa.int16()),
            pa.array([-(2**31), None, 2**31 - 1], pa.int32()),
            pa.array([-(2**63), None, 2**63 - 1], pa.int64()),
            pa.array([0.5, None, float("inf")], pa.float32()),
            pa.array([0.1, None, -0.0], pa.float64()),
            pa.array(["", None, "grüße\t\n"], pa.utf8()),
            pa.array([b"", None, b"\x00\xff"], pa.binary()),
            pa.array([True, None, False], pa.bool_()),
            pa.array([datetime.date(1969, 12, 31), None, datetime.date(2026, 1, 31)], pa.date32()),
            pa.array([moment, None, moment], pa.timestamp("us", tz="UTC")),
            pa.array([0, None, -1], pa.timestamp("ms")),
            pa.nulls(3),
        ]
    ],
)
long = pa.schema([("n", pa.int64()), ("text", pa.utf8())])
write("batches", long, [[pa.array(range(a, a + 100), pa.int64()), pa.array([f"row {i}" for i in range(a, a + 100)])] for a in (0, 100)])
write("empty", long, [])
nested = pa.schema([("list", pa.list_(pa.int64()))])
write("nested", nested, [[pa.array([[1, 2]], pa.list_(pa.int64()))]])
