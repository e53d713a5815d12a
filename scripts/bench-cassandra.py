#!/usr/bin/env python3
"""Rows that a client writes to Cassandra for a second of its own CPU: this project's client beside PyPI's cassandra-driver, in one run.

    scripts/bench-cassandra.py [HOST:PORT] [--rows 200000] [--runs 3]

Without HOST:PORT both write to a node of this script's own, which takes requests apart as far as needed to answer them and keeps nothing: the cost of
the clients is measured, not that of a server. Wants .build/release/almanac-bench (swift build -c release --static-swift-stdlib --product almanac-bench).
"""
import argparse
import os
import re
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".build" / "cassandra-venv"
DRIVER = "cassandra-driver==3.30.1"
COLUMNS = ["series", "day", "time_ms", "window_ms", "count", "min", "max", "avg", "stddev", "p50", "p95", "p99"]
TYPES = [0x0D, 0x09, 0x02, 0x02, 0x02] + [0x07] * 7
TABLE = "almanac_bench.statistics"


# ---- A node that answers and forgets

def text(value):
    raw = value.encode()
    return struct.pack(">H", len(raw)) + raw


def cell(raw):
    return struct.pack(">i", -1) if raw is None else struct.pack(">i", len(raw)) + raw


def rows(table, columns, values):
    """A result of rows: columns as (name, type option), values as lists of bytes."""
    out = struct.pack(">iii", 2, 1, len(columns)) + text("system") + text(table)
    for name, option in columns:
        out += text(name) + option
    out += struct.pack(">i", len(values))
    return out + b"".join(cell(value) for row in values for value in row)


VARCHAR, UUID, INET, INT = (struct.pack(">H", option) for option in (0x0D, 0x0C, 0x10, 0x09))
SET = struct.pack(">HH", 0x22, 0x0D)
MAP = struct.pack(">HHH", 0x21, 0x0D, 0x0D)
TOKEN = b"-9223372036854775808"
LOCAL = {
    "key": (VARCHAR, b"local"), "cluster_name": (VARCHAR, b"bench"), "data_center": (VARCHAR, b"dc1"), "rack": (VARCHAR, b"rack1"),
    "release_version": (VARCHAR, b"4.0.0"), "partitioner": (VARCHAR, b"org.apache.cassandra.dht.Murmur3Partitioner"),
    "host_id": (UUID, uuid.UUID(int=1).bytes), "schema_version": (UUID, uuid.UUID(int=2).bytes),
    "tokens": (SET, struct.pack(">i", 1) + cell(TOKEN)), "rpc_address": (INET, socket.inet_aton("127.0.0.1")),
    "broadcast_address": (INET, socket.inet_aton("127.0.0.1")), "listen_address": (INET, socket.inet_aton("127.0.0.1")),
    "native_transport_address": (INET, socket.inet_aton("127.0.0.1")),
}


def answer_query(query):
    """The body of a RESULT for a statement that is not prepared."""
    lower = query.lower()
    if "from system.local" in lower:
        wanted = re.match(r"select (.*?) from", lower, re.S).group(1)
        names = list(LOCAL) if wanted.strip() == "*" else [name.strip() for name in wanted.split(",")]
        known = [name for name in names if name in LOCAL]
        return rows("local", [(name, LOCAL[name][0]) for name in known], [[LOCAL[name][1] for name in known]])
    if "from system_schema.keyspaces" in lower:
        replication = struct.pack(">i", 2) + b"".join(map(cell, [b"class", b"SimpleStrategy", b"replication_factor", b"1"]))
        return rows("keyspaces", [("keyspace_name", VARCHAR), ("replication", MAP)], [[b"almanac_bench", replication]])
    if lower.startswith("select"):
        return rows("nothing", [("peer", INET)], [])
    return struct.pack(">i", 1)


def prepared():
    keyspace, table = TABLE.split(".")
    markers = struct.pack(">iii", 1, len(COLUMNS), 2) + struct.pack(">HH", 0, 1) + text(keyspace) + text(table)
    for name, option in zip(COLUMNS, TYPES):
        markers += text(name) + struct.pack(">H", option)
    return struct.pack(">i", 4) + text("0123456789abcdef") + markers + struct.pack(">ii", 4, 0)


class Node(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pending = b""
        while chunk := self.request.recv(1 << 20):
            pending += chunk
            out, at = [], 0
            while len(pending) - at >= 9:
                version, _, stream, opcode, length = struct.unpack_from(">BBhBi", pending, at)
                if len(pending) - at - 9 < length:
                    break
                out.append(self.answer(version & 0x7F, stream, opcode, pending[at + 9:at + 9 + length] if opcode in (7, 9) else b""))
                at += 9 + length
            pending = pending[at:]
            if out:
                self.request.sendall(b"".join(out))

    @staticmethod
    def answer(version, stream, opcode, body):
        if version != 4:
            message = struct.pack(">i", 0x0A) + text("Invalid or unsupported protocol version; the lowest supported version is 4 and the greatest is 4")
            return struct.pack(">BBhBi", 0x84, 0, stream, 0, len(message)) + message
        if opcode == 5:  # OPTIONS
            kind, result = 6, struct.pack(">H", 2) + text("CQL_VERSION") + struct.pack(">H", 1) + text("3.4.5") + text("COMPRESSION") + struct.pack(">H", 0)
        elif opcode in (1, 11):  # STARTUP, REGISTER
            kind, result = 2, b""
        elif opcode == 7:  # QUERY
            length = struct.unpack_from(">i", body)[0]
            kind, result = 8, answer_query(body[4:4 + length].decode())
        elif opcode == 9:  # PREPARE
            kind, result = 8, prepared()
        else:  # EXECUTE, BATCH
            kind, result = 8, b"\0\0\0\1"
        return struct.pack(">BBhBi", 0x84, 0, stream, kind, len(result)) + result


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads = True, True


# ---- The driver

def drive(address, count):
    from cassandra import ConsistencyLevel
    from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
    from cassandra.concurrent import execute_concurrent
    from cassandra.policies import RoundRobinPolicy
    from cassandra.query import BatchStatement, BatchType

    host, port = address.rsplit(":", 1)
    profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), consistency_level=ConsistencyLevel.LOCAL_QUORUM)
    cluster = Cluster(
        [host], port=int(port), protocol_version=4, execution_profiles={EXEC_PROFILE_DEFAULT: profile}, schema_metadata_enabled=False,
        token_metadata_enabled=False, compression=False)
    session = cluster.connect()
    session.execute("CREATE KEYSPACE IF NOT EXISTS almanac_bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    session.execute(
        f"CREATE TABLE IF NOT EXISTS {TABLE} (series text, day int, time_ms bigint, window_ms bigint, count bigint, min double, max double, avg double, "
        "stddev double, p50 double, p95 double, p99 double, PRIMARY KEY ((series, day), time_ms, window_ms))")
    insert = session.prepare(f"INSERT INTO {TABLE} ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})")

    def values(i, series):
        return (f"0123456789abcdef0123456789{100_000 + series % 1000}", 20_000, 1_700_000_000_000 + i * 1000, 3_600_000, 240,
                *(float(i + k) for k in range(7)))

    def single():
        return ((insert, values(i, i)) for i in range(count))

    def batches():
        for start in range(0, count, 50):
            batch = BatchStatement(BatchType.UNLOGGED)
            for i in range(start, min(count, start + 50)):
                batch.add(insert, values(i, start))
            yield batch, ()

    for name, statements in (("single", single()), ("batch", batches())):
        begun, used = time.perf_counter(), time.process_time()
        for outcome in execute_concurrent(session, statements, concurrency=256, results_generator=True):
            assert outcome.success, outcome
        wall, cpu = time.perf_counter() - begun, time.process_time() - used
        print(f"{name} {count} rows {wall} s {cpu} cpu-s {count / cpu} rows/cpu-s", flush=True)
    cluster.shutdown()


# ---- Both

def figures(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {(done.stderr or done.stdout).strip()[-2000:]}")
    return {line.split()[0]: float(line.split()[-2]) for line in done.stdout.splitlines() if line.endswith("rows/cpu-s")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", nargs="?", help="a node; without it one of this script's own")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--drive", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.drive:
        return drive(options.address, options.rows)
    bench = ROOT / ".build" / "release" / "almanac-bench"
    if not os.access(bench, os.X_OK):
        sys.exit(f"{bench} is not there: swift build -c release --static-swift-stdlib --product almanac-bench")
    python = VENV / "bin" / "python3"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([VENV / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", DRIVER], check=True)
    address = options.address
    if not address:
        server = Server(("127.0.0.1", 0), Node)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_address[1]}"
    ratios = {"single": [], "batch": []}
    for run in range(options.runs):
        theirs = figures([python, __file__, address, "--rows", str(options.rows // 4), "--drive"])
        ours = figures([bench, "cassandra", address, str(options.rows)])
        for name, list_of_ratios in ratios.items():
            list_of_ratios.append(ours[name] / theirs[name])
            print(f"run {run + 1}, {name}: {ours[name]:,.0f} rows a CPU-second, cassandra-driver {theirs[name]:,.0f}: {list_of_ratios[-1]:.1f} times", flush=True)
    for name, list_of_ratios in ratios.items():
        print(f"{name}: {sorted(list_of_ratios)[len(list_of_ratios) // 2]:.1f} times (median of {options.runs}; at least 3 promised)")


main()
