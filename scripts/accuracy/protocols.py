"""What is compared: the protocols, and their series as folders of CSV files that `almanac evaluate forecast` reads."""
import csv
import sys
from dataclasses import dataclass, field
from pathlib import Path

from accuracy import simulated

HORIZON_SECONDS = 600


@dataclass
class Protocol:
    """Origins lie evenly spaced from the context's end to the last full horizon of each series; `context` samples are seen before each."""

    name: str
    about: str
    step: int  # seconds
    context: int  # samples
    origins: int
    season: int  # samples, where the series itself says nothing
    flair_frequency: str  # pandas notation, from which FLAIR takes its candidate periods
    # Ours over the best peer may be at most this on the path: (MAE, CRPS).
    targets: tuple[float, float] | None = None
    seasons: dict[str, int] = field(default_factory=dict)  # series: samples

    @property
    def horizon(self) -> int:
        return HORIZON_SECONDS // self.step

    @property
    def key(self) -> str:
        """Names what peers' cached forecasts depend on, beside the series and the origin."""
        return f"{self.name}-c{self.context}-h{self.horizon}"

    def season_of(self, series: str) -> int:
        return self.seasons.get(series, self.season)


def protocols() -> list[Protocol]:
    return [
        Protocol("5min", "data/forecast, series of 5 minutes", 300, 2016, 12, 288, "5T", (0.87, 0.90)),
        Protocol("1min", "data/forecast, series of 1 minute", 60, 2880, 8, 1440, "T", (0.94, 0.85)),
        Protocol("nab", "the real NAB series of data/nab and data/forecast, of 5 minutes, each once", 300, 2016, 12, 288, "5T", (0.87, 0.90)),
        Protocol("nab-artificial", "data/nab, its artificial series, of 5 minutes", 300, 2016, 12, 288, "5T"),
        Protocol("15s-simulated", "simulated seasonal series of 15 seconds", 15, 2880, 8, 240, "15S"),
        Protocol("15s-node", "this machine's node exporter page, recorded by scripts/record-series.py", 15, 2880, 8, 240, "15S"),
    ]


def prepare(protocol: Protocol, options) -> Path | None:
    """The folder of the protocol's series; None with a message where there are none."""
    folder = options.work / "data" / protocol.name
    folder.mkdir(parents=True, exist_ok=True)
    before = set(folder.rglob("*.csv"))
    if protocol.name in ("5min", "1min"):
        wanted = _link_manifest(protocol, options.data, folder)
    elif protocol.name == "nab":
        wanted = _convert_nab(options.data.parent / "nab", "real*", folder)
        if (options.data / "manifest.csv").is_file():
            wanted |= _link_manifest(protocol, options.data, folder, "nab_", {path.name for path in wanted})
        for missing in (path for path in (options.data.parent / "nab", options.data / "manifest.csv") if not path.exists()):
            print(f"\n{protocol.name}: {missing} is not there, its series are left out", file=sys.stderr)
    elif protocol.name == "nab-artificial":
        wanted = _convert_nab(options.data.parent / "nab", "artificial*", folder)
    elif protocol.name == "15s-simulated":
        wanted = _write_simulated(protocol, folder)
    else:
        wanted = _link_recorded(protocol, options.recorded, folder)
    for old in before - wanted:
        old.unlink()
    if not wanted:
        print(f"\n{protocol.name}: left out, no series found ({protocol.about})", file=sys.stderr)
        return None
    return folder


def _link_manifest(protocol: Protocol, data: Path, folder: Path, datasets: str = "", other_than: set[str] = frozenset()) -> set[Path]:
    """The manifest's series of the protocol's step, of data sets whose name begins so; files of other names only."""
    manifest = data / "manifest.csv"
    if not manifest.is_file():
        sys.exit(f"{manifest} is not there; give --data the folder that holds manifest.csv")
    wanted = set()
    with open(manifest) as lines:
        for row in csv.DictReader(lines):
            if int(row["step_s"]) == protocol.step and row["dataset"].startswith(datasets) and f"{row['series']}.csv" not in other_than:
                name = f"{row['dataset']}/{row['series']}"
                wanted.add(_link(data / f"{name}.csv", folder / f"{name}.csv"))
                protocol.seasons[name] = int(row["season"])
    return wanted


def _link(target: Path, link: Path) -> Path:
    if not target.is_file():
        sys.exit(f"{target} is not there, though its manifest names it")
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink() or link.readlink() != target.resolve():
        link.unlink(missing_ok=True)
        link.symlink_to(target.resolve())
    return link


def _write(path: Path, values: list[str]) -> Path:
    """Leaves a file that is right as it is: another run may be reading it."""
    text = "value\n" + "\n".join(values) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)
    return path


def _convert_nab(data: Path, folders: str, folder: Path) -> set[Path]:
    """NAB's `timestamp,value`; the values in order, as one every 5 minutes."""
    wanted = set()
    for path in sorted(data.glob(f"{folders}/*.csv")):
        with open(path) as lines:
            wanted.add(_write(folder / path.parent.name / path.name, [row["value"] for row in csv.DictReader(lines)]))
    return wanted


def _write_simulated(protocol: Protocol, folder: Path) -> set[Path]:
    wanted = set()
    for name, cycle, values in simulated.all_series():
        protocol.seasons[f"simulated/{name}"] = cycle
        wanted.add(_write(folder / "simulated" / f"{name}.csv", [f"{value:.6g}" for value in values]))
    return wanted


def _link_recorded(protocol: Protocol, recorded: Path, folder: Path) -> set[Path]:
    paths = sorted(recorded.glob("*.csv")) if recorded.is_dir() else []
    if not paths:
        return set()
    length = min(sum(1 for _ in open(path)) - 1 for path in paths)
    # A young recording is compared with less context rather than not at all.
    protocol.context = next((c for c in (2880, 1440, 720, 480, 240, 120) if length >= c + 3 * protocol.horizon), 60)
    protocol.season = min(protocol.season, protocol.context // 2)
    return {_link(path, folder / path.name) for path in paths}


def read_values(folder: Path, series: str) -> list[float]:
    """The values of one series; a line that is no number is NaN, as `almanac evaluate` reads it."""
    path, values = folder / f"{series}.csv", []
    if not path.is_file():
        sys.exit(f"{path} is not there: is the CSV of ours of this protocol?")
    for line in path.read_text().splitlines()[1:]:
        try:
            values.append(float(line))
        except ValueError:
            values.append(float("nan"))
    return values
