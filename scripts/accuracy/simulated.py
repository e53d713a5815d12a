"""Twelve seasonal series at 15 s, always the same: cycles of 60 to 480 samples, of several shapes, with noise, pulses and drift.

A daily shape (5,760 samples) could not be seen in a context of 2,880; these cycles of 15 minutes to 2 hours can: backups, scrapes of
batch jobs, caches that fill and are flushed, thermostats.
"""
from collections.abc import Iterator

import numpy as np

LENGTH = 5760
# (cycle in samples, shape, noise over the cycle's amplitude, pulses per 1,000 samples, drift, jitter of the cycle's length)
SERIES = [
    (60, "sine", 0.2, 0, "none", 0.0),
    (80, "batch", 0.1, 0, "none", 0.0),
    (120, "sawtooth", 0.15, 0, "none", 0.0),
    (120, "sine", 1.0, 5, "walk", 0.0),
    (180, "two", 0.3, 2, "none", 0.0),
    (240, "sine", 0.1, 0, "linear", 0.0),
    (240, "batch", 0.3, 3, "walk", 0.02),
    (240, "sawtooth", 0.5, 0, "shift", 0.0),
    (300, "two", 0.2, 5, "linear", 0.0),
    (360, "batch", 0.15, 0, "none", 0.05),
    (480, "sine", 0.5, 2, "walk", 0.0),
    (480, "counts", 0.0, 2, "none", 0.0),
]


def _shape(kind: str, phase: np.ndarray) -> np.ndarray:
    if kind == "batch":  # busy for a sixth of the cycle
        return (phase % 1 < 1 / 6).astype(float)
    if kind == "sawtooth":
        return phase % 1
    if kind == "two":
        return 0.5 * np.sin(2 * np.pi * phase) + 0.35 * np.sin(6 * np.pi * phase + 1)
    return 0.5 * np.sin(2 * np.pi * phase)


def series(index: int) -> np.ndarray:
    cycle, kind, noise, pulses, drift, jitter = SERIES[index]
    random = np.random.default_rng(1000 + index)
    speed = 1 + jitter * random.standard_normal(LENGTH // cycle + 2).repeat(cycle)[:LENGTH]
    values = _shape(kind, np.cumsum(speed) / cycle)
    white = random.standard_normal(LENGTH)
    red = np.zeros(LENGTH)
    for t in range(1, LENGTH):  # half of the noise remembers
        red[t] = 0.9 * red[t - 1] + np.sqrt(1 - 0.81) * white[t - 1]
    values = values + noise * np.sqrt(0.5) * (red + random.standard_normal(LENGTH)) / 2
    at = random.random(LENGTH) < pulses / 1000
    values = values + at * random.exponential(2, LENGTH)
    if drift == "walk":
        values = values + np.cumsum(random.standard_normal(LENGTH)) * 0.01
    elif drift == "linear":
        values = values + np.arange(LENGTH) / LENGTH * 3
    elif drift == "shift":
        values = values + 2.0 * (np.arange(LENGTH) > 0.7 * LENGTH)
    if kind == "counts":
        return random.poisson(np.exp(1.5 + 2 * np.minimum(values, 1.5))).astype(float)
    return 50 + 20 * values


def all_series() -> Iterator[tuple[str, int, np.ndarray]]:
    """(name, true cycle in samples, values) of each."""
    for index, (cycle, kind, *_rest) in enumerate(SERIES):
        yield f"{index + 1:02d}-{kind}-{cycle}", cycle, series(index)
