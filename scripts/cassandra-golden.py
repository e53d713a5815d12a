#!/usr/bin/env python3
"""Writes Tests/CassandraClientTests/Golden: bytes of CQL's native protocol as another implementation makes or reads them.

    python3 -m venv golden-venv && golden-venv/bin/pip install cassandra-driver==3.30.1
    golden-venv/bin/python scripts/cassandra-golden.py

Requests, values, segments and tokens are encoded by the driver. Responses are put together here and *decoded by the driver*: what it
read stands beside them. Lines are `name | bytes in hexadecimal | what they mean`; `#` begins a comment.
"""
import io
import os
import struct
import sys
import uuid
import zlib

from cassandra import ConsistencyLevel, cqltypes
from cassandra.murmur3 import _murmur3
from cassandra.protocol import (
    AuthResponseMessage, BatchMessage, ExecuteMessage, OptionsMessage, PrepareMessage, ProtocolHandler, QueryMessage, RegisterMessage,
    StartupMessage)
from cassandra.query import BatchType
from cassandra.segment import Segment, SegmentCodec

folder = os.path.join(os.path.dirname(__file__), "..", "Tests", "CassandraClientTests", "Golden")


def write(name, head, lines):
    with open(os.path.join(folder, name), "w") as out:
        out.write("# Made by scripts/cassandra-golden.py: %s\n" % head)
        for line in lines:
            out.write(" | ".join(line) + "\n")


def frame(message, version, stream=0):
    return ProtocolHandler.encode_message(message, stream, version, None, False).hex()


# Requests

def requests():
    one, quorum = ConsistencyLevel.ONE, ConsistencyLevel.LOCAL_QUORUM
    values = [struct.pack(">q", 7), "größe".encode(), None, b"", struct.pack(">d", 1.5)]
    query_id, metadata_id = bytes(range(16)), bytes(range(16, 32))
    batch = BatchMessage(BatchType.UNLOGGED, [(True, query_id, values[:2]), (False, "DELETE FROM t", [])], quorum, timestamp=1234567890123)
    serial = BatchMessage(BatchType.LOGGED, [(True, query_id, [])], one, serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL)
    paged = QueryMessage("SELECT * FROM t", quorum, fetch_size=500, paging_state=b"\x01\x02\x03", timestamp=42)
    execute = ExecuteMessage(query_id, values, one, timestamp=99, skip_meta=False, result_metadata_id=metadata_id)
    executed_page = ExecuteMessage(
        query_id, values[:1], one, serial_consistency_level=ConsistencyLevel.SERIAL, fetch_size=10, paging_state=b"\xff" * 4,
        result_metadata_id=metadata_id)
    messages = {
        "options": OptionsMessage(), "startup": StartupMessage("3.0.0", {}), "auth": AuthResponseMessage(b"\0almanac\0secret"),
        "register": RegisterMessage(["TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE"]),
        "query": QueryMessage("SELECT release_version FROM system.local", one), "paged": paged,
        "prepare": PrepareMessage("SELECT a FROM k.t WHERE b = ?"), "execute": execute, "executed page": executed_page, "batch": batch,
        "serial batch": serial,
    }
    for version in (4, 5):
        for stream, (name, message) in enumerate(messages.items()):
            yield "v%d %s" % (version, name), frame(message, version, stream)


# Values

def values():
    t = cqltypes
    u = uuid.UUID("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0")
    cases = [
        ("ascii", t.AsciiType, "plain"), ("text", t.UTF8Type, "Größe 🚚"), ("text empty", t.UTF8Type, ""), ("int", t.Int32Type, -123456),
        ("bigint", t.LongType, -(2 ** 63)), ("bigint max", t.LongType, 2 ** 63 - 1), ("smallint", t.ShortType, -300),
        ("tinyint", t.ByteType, -7), ("double", t.DoubleType, -0.1), ("float", t.FloatType, 0.5), ("boolean", t.BooleanType, True),
        ("blob", t.BytesType, bytes(range(256))), ("timestamp", t.DateType, 1785585600123), ("uuid", t.UUIDType, u),
        ("inet 4", t.InetAddressType, "127.0.0.1"), ("inet 6", t.InetAddressType, "2001:db8::1"),
        ("list int", t.ListType.apply_parameters([t.Int32Type]), [1, -2, 3]), ("list empty", t.ListType.apply_parameters([t.Int32Type]), []),
        ("set text", t.SetType.apply_parameters([t.UTF8Type]), ["a", "bc"]),
        ("map text bigint", t.MapType.apply_parameters([t.UTF8Type, t.LongType]), {"k": 5, "": -1}),
        ("list list int", t.ListType.apply_parameters([t.ListType.apply_parameters([t.Int32Type])]), [[1], [], [2, 3]]),
        ("tuple int text", t.TupleType.apply_parameters([t.Int32Type, t.UTF8Type]), (4, None)),
    ]
    for name, kind, value in cases:
        yield name, kind.to_binary(value, 5).hex(), repr(value).replace("|", "")
    for name, days in (("date", 0), ("date before", -719162), ("date after", 20000)):
        yield name, t.SimpleDateType.serialize(days + 2 ** 31, 5).hex(), str(days)


# Segments

def segments():
    def encoded(payload):
        buffer = io.BytesIO()
        SegmentCodec().encode(buffer, payload)
        return buffer.getvalue()

    small = ProtocolHandler.encode_message(QueryMessage("SELECT key FROM system.local", 1), 3, 5, None, False)
    yield "one frame", encoded(small).hex(), small.hex()
    yield "two frames", encoded(small + small).hex(), (small + small).hex()
    yield "empty", encoded(b"").hex(), ""
    # Long ones by their lengths and a checksum of the whole: the frame is QUERY with the text "x" so often.
    for name, count in (("just fits", Segment.MAX_PAYLOAD_LENGTH - 9 - 4 - 6), ("one too many", Segment.MAX_PAYLOAD_LENGTH - 18),
                        ("three segments", 300_000)):
        message = ProtocolHandler.encode_message(QueryMessage("x" * count, 1), 3, 5, None, False)
        whole = encoded(message)
        yield "long " + name, "%d %d %08x" % (count, len(whole), zlib.crc32(whole)), ""


# Tokens

def tokens():
    keys = [b"", b"a", b"ab", b"123", b"\xfe\xff", b"\x80" * 9, bytes(range(200, 216)), bytes(range(15)), bytes(range(16)), bytes(range(17)),
            b"fingerprint", bytes([255] * 33), bytes(range(256)), "Größe".encode(), struct.pack(">q", -1), b"\x00\x04\xff\x00\x00\x01\x00\x01\x80\x00"]
    state = 1
    for length in range(1, 50):
        key = bytearray()
        for _ in range(length):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2 ** 64
            key.append(state >> 56)
        keys.append(bytes(key))
    for i, key in enumerate(keys):
        yield str(i), key.hex(), str(_murmur3(key))


# Responses

def string(text):
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw


def bytes_(raw):
    return struct.pack(">i", -1) if raw is None else struct.pack(">i", len(raw)) + raw


def response(version, opcode, body, stream=1, flags=0):
    return struct.pack(">BBhBI", 0x80 | version, flags, stream, opcode, len(body)) + body


def read(version, opcode, body, flags=0, metadata=None):
    return ProtocolHandler.decode_message(version, {}, 1, flags, opcode, body, None, metadata)


def responses():
    for version in (4, 5):
        def line(name, opcode, body, show, flags=0, metadata=None):
            message = read(version, opcode, body, flags, metadata)
            return "v%d %s" % (version, name), response(version, opcode, body, 1, flags).hex(), show(message)

        columns = string("k") + string("t") + string("n") + struct.pack(">H", 2) + string("s") + struct.pack(">H", 0x0D) + string(
            "d") + struct.pack(">H", 7) + string("l") + struct.pack(">HH", 0x20, 9)
        row1 = bytes_(struct.pack(">q", 12)) + bytes_("zwölf".encode()) + bytes_(struct.pack(">d", 0.5)) + bytes_(
            struct.pack(">iiiii", 2, 4, 1, 4, 2))
        row2 = bytes_(None) + bytes_(b"") + bytes_(None) + bytes_(None)
        rows = struct.pack(">ii", 0x01 | 0x02, 4) + bytes_(b"\xca\xfe") + columns + struct.pack(">i", 2) + row1 + row2
        yield line("rows", 8, struct.pack(">i", 2) + rows, lambda m: "%r %s" % (m.parsed_rows, m.paging_state.hex()))
        local = string("k") + string("t") + string("n") + struct.pack(">H", 2)
        yield line("rows local spec", 8, struct.pack(">iii", 2, 0, 1) + local + struct.pack(">i", 1) + bytes_(struct.pack(">q", 3)),
                   lambda m: repr(m.parsed_rows))
        known = [("k", "t", "n", cqltypes.LongType)]
        yield line("rows without metadata", 8, struct.pack(">iiii", 2, 4, 1, 1) + bytes_(struct.pack(">q", 3)),
                   lambda m: repr(m.parsed_rows), 0, known)
        if version == 5:
            changed = struct.pack(">iii", 2, 0x08, 1) + struct.pack(">H", 2) + b"\xab\xcd" + local + struct.pack(">i", 0)
            yield line("rows changed", 8, changed, lambda m: m.result_metadata_id.hex())
        prepared = struct.pack(">H", 4) + b"\x01\x02\x03\x04" + (struct.pack(">H", 2) + b"\x0a\x0b" if version == 5 else b"")
        prepared += struct.pack(">iiiHH", 1, 3, 2, 2, 0) + string("k") + string("t")
        for name, kind in (("day", 9), ("v", 7), ("id", 0x0C)):
            prepared += string(name) + struct.pack(">H", kind)
        prepared += struct.pack(">ii", 4, 0)
        yield line("prepared", 8, struct.pack(">i", 4) + prepared, lambda m: "%s %r %s" % (
            m.query_id.hex(), m.pk_indexes, ",".join(c.name + ":" + c.type.typename for c in m.bind_metadata)))
        yield line("void", 8, struct.pack(">i", 1), lambda m: "void")
        yield line("keyspace", 8, struct.pack(">i", 3) + string("almanac"), lambda m: m.new_keyspace)
        schema = string("UPDATED") + string("TABLE") + string("almanac") + string("series")
        yield line("schema change", 8, struct.pack(">i", 5) + schema, lambda m: "%(change_type)s %(target_type)s %(keyspace)s %(table)s" % m.schema_change_event)
        inet = lambda host, port: bytes([len(host)]) + host + struct.pack(">i", port)
        yield line("node up", 12, string("STATUS_CHANGE") + string("UP") + inet(bytes([10, 0, 0, 7]), 9042),
                   lambda m: "%s %s %s %d" % (m.event_type, m.event_args["change_type"], *m.event_args["address"]))
        yield line("node added", 12, string("TOPOLOGY_CHANGE") + string("NEW_NODE") + inet(bytes([0x20, 1, 0xd, 0xb8] + [0] * 11 + [1]), 9043),
                   lambda m: "%s %s %s %d" % (m.event_type, m.event_args["change_type"], *m.event_args["address"]))
        yield line("warned", 8, struct.pack(">H", 1) + string("too many partitions") + struct.pack(">i", 1), lambda m: repr(m.warnings), 8)
        supported = string("CQL_VERSION") + struct.pack(">H", 1) + string("3.4.5")
        supported += string("COMPRESSION") + struct.pack(">H", 2) + string("snappy") + string("lz4")
        yield line("supported", 6, struct.pack(">H", 2) + supported, lambda m: "%r %r" % (m.cql_versions, m.options))
        yield line("authenticate", 3, string("org.apache.cassandra.auth.PasswordAuthenticator"), lambda m: m.authenticator)

        def error(name, code, more=b""):
            return line("error " + name, 0, struct.pack(">i", code) + string("said " + name) + more,
                        lambda m: "%04x %s %s" % (m.code, m.message, sorted(m.info.items()) if isinstance(m.info, dict) else
                                                  m.info.hex() if isinstance(m.info, bytes) else ""))

        reasons = struct.pack(">i", 1) + bytes([4, 10, 0, 0, 1]) + struct.pack(">H", 2) if version == 5 else struct.pack(">i", 1)
        yield error("server", 0)
        yield error("protocol", 0x0A)
        yield error("credentials", 0x100)
        yield error("unavailable", 0x1000, struct.pack(">Hii", 4, 2, 1))
        yield error("overloaded", 0x1001)
        yield error("bootstrapping", 0x1002)
        yield error("truncate", 0x1003)
        yield error("write timeout", 0x1100, struct.pack(">Hii", 6, 1, 2) + string("UNLOGGED_BATCH"))
        yield error("read timeout", 0x1200, struct.pack(">HiiB", 6, 2, 2, 0))
        yield error("read failure", 0x1300, struct.pack(">Hii", 6, 1, 2) + reasons + b"\1")
        yield error("function", 0x1400, string("k") + string("f") + struct.pack(">H", 1) + string("int"))
        yield error("write failure", 0x1500, struct.pack(">Hii", 6, 1, 2) + reasons + string("SIMPLE"))
        yield error("cdc", 0x1600)
        yield error("syntax", 0x2000)
        yield error("unauthorized", 0x2100)
        yield error("invalid", 0x2200)
        yield error("config", 0x2300)
        yield error("exists", 0x2400, string("k") + string("t"))
        yield error("unprepared", 0x2500, struct.pack(">H", 3) + b"\1\2\3")


os.makedirs(folder, exist_ok=True)
write("requests.txt", "whole frames, the stream is the number of the message", requests())
write("values.txt", "values without their length", values())
write("segments.txt", "segments and the frames within; `long`: length of the text, of all segments, zlib's CRC32 of them", segments())
write("tokens.txt", "partition keys and their tokens", tokens())
write("responses.txt", "whole frames and what the driver reads in them", responses())
