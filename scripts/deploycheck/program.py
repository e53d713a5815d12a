"""The built program: its commands, its keys, its probes and its metrics."""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import yaml

from .common import run


class Program:
    def __init__(self, path, report):
        self.path = path
        self.report = report
        self.helps = {}
        code, text = run([path, "version"])
        match = re.match(r"almanac (\S+)", text)
        self.version = match.group(1) if match else "?"
        report.require(code == 0 and match, str(path), f"`version` says {text!r}")
        _, self.keys = run([path, "check", "--keys"])
        # <n> stands for the number of an element.
        names = re.findall(r"`(ALMANAC_[A-Z0-9_<>n]+)`", self.keys) + ["ALMANAC_CONFIG"]
        self.variables = re.compile("|".join(re.escape(name).replace("<n>", r"\d+") for name in names))
        self.live()

    # Commands

    def check_command(self, place, arguments):
        """`arguments` begin with a subcommand that the program has, with options that it knows."""
        if not self.report.require(arguments, place, "gives almanac no command"):
            return
        name = arguments[0]
        if name not in self.helps:
            self.helps[name] = run([self.path, "help", name])[1]
        text = self.helps[name]
        if not self.report.require(f"USAGE: almanac {name}" in text, place, f"almanac has no command `{name}`"):
            return
        for argument in arguments[1:]:
            option = argument.split("=")[0]
            if option.startswith("-"):
                known = re.search(rf"(^|[\s,\[]){re.escape(option)}([\s,\]=<]|$)", text, re.M)
                self.report.require(known, place, f"`almanac {name}` has no option {option}")

    def check_probe(self, place, arguments, port):
        """`probe URL` that asks this container's port for a path that is there."""
        self.check_command(place, arguments)
        urls = [argument for argument in arguments[1:] if "://" in argument]
        if not self.report.require(len(urls) == 1, place, "the probe needs one URL"):
            return
        match = re.fullmatch(r"http://127\.0\.0\.1:(\d+)(/\S+)", urls[0])
        if self.report.require(match, place, f"{urls[0]} is no address of this container"):
            self.report.require(int(match.group(1)) == port, place, f"the probe asks port {match.group(1)}; almanac listens on {port}")
            self.check_path(place, match.group(2))

    def check_path(self, place, path):
        self.report.require(path in self.paths, place, f"almanac does not answer {path}")

    # Configuration

    @staticmethod
    def addresses(effective):
        """(host, port) of all that a configuration in effect names and uses."""
        found = []
        if effective["messaging"]["kind"] == "kafka":
            found += effective["messaging"]["kafka"]["brokers"]
        if effective["store"]["kind"] == "mysql":
            found.append("{host}:{port}".format(**effective["store"]["mysql"]))
        if effective["store"]["kind"] == "cassandra":
            found += effective["store"]["cassandra"]["hosts"]
        if effective["coordination"]["kind"] == "zookeeper":
            found += effective["coordination"]["zookeeper"]["hosts"]
        for job in effective["collect"].get("scrape") or []:
            found += job.get("targets") or [job["url"]]
        found += [server["url"] for server in effective["collect"].get("prometheus") or []]
        pairs = (re.sub(r"^https?://|/.*", "", address).rpartition(":") for address in found)
        return [(host, int(port)) for host, _, port in pairs]

    def check_variables(self, place, environment):
        for name in environment:
            if name.startswith("ALMANAC_"):
                self.report.require(self.variables.fullmatch(name), place, f"{name} is the variable of no key")

    def check_configuration(self, place, text, environment, secrets_at, secrets):
        """`almanac check` on the text, its secrets replaced by files that hold one; gives what is in effect, None with mistakes."""
        with tempfile.TemporaryDirectory() as folder:
            for name in secrets:
                (Path(folder) / name).write_text("0123456789abcdef\n")
            file = Path(folder) / "almanac.yaml"
            file.write_text(text.replace(secrets_at, folder))
            inherited = {key: value for key, value in os.environ.items() if not key.startswith("ALMANAC_")}
            ours = {key: value for key, value in environment.items() if key.startswith("ALMANAC_") and key != "ALMANAC_CONFIG"}
            code, output = run([self.path, "check", file, "--print"], env={**inherited, **ours})
            output = output.replace(folder, secrets_at)
            lines = [line for line in output.splitlines() if "warning:" not in line]
            warnings = [line for line in output.splitlines() if "warning:" in line]
            self.report.require(code == 0, place, f"almanac check: {' | '.join(lines[:5])}")
            for warning in warnings:
                self.report.problem(place, warning)
            return yaml.safe_load("\n".join(lines)) if code == 0 else None

    # A running one

    def live(self):
        """Starts `almanac run` for what it answers: probe paths and the names and labels of metrics."""
        self.paths, self.metrics = set(), {}
        folder = tempfile.mkdtemp()
        port = free_port()
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ALMANAC_")}
        process = subprocess.Popen(
            [str(self.path), "run", "--listen", f"127.0.0.1:{port}", "--data", f"{folder}/data", "--set", "collect.interval=1s",
             "--set", "collect.timeout=1s"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, env=environment)
        try:
            base = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and process.poll() is None and answer(f"{base}/-/ready")[0] != 200:
                time.sleep(0.1)
            for path in ("/-/healthy", "/-/ready", "/metrics"):
                if answer(base + path)[0] == 200:
                    self.paths.add(path)
            for _ in range(20):
                self.learn(answer(f"{base}/metrics")[1])
                if "almanac_store_rows_total" in self.metrics and "almanac_http_requests_total" in self.metrics:
                    break
                time.sleep(0.2)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
            shutil.rmtree(folder, ignore_errors=True)
        self.report.require(len(self.paths) == 3, "almanac run", f"answers only {sorted(self.paths)} of the probes and /metrics")
        # Metrics of what this process did not use (Kafka, MySQL, ZooKeeper): by their names in the sources.
        for file in (self.report.root / "Sources").rglob("*.swift"):
            for name in re.findall(r'"(almanac_[a-z0-9_]+)"', file.read_text(encoding="utf-8")):
                self.metrics.setdefault(name, None)
        self.report.done("the program: version, keys, probes, metrics")

    def learn(self, page):
        for name, labels in re.findall(r"^([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? ", page, re.M):
            known = self.metrics.setdefault(name, set())
            known.update(re.findall(r'([a-z_]+)="', labels))

    def metric_labels(self, name):
        """False for a metric that is not there; None where its labels are not known, else their names."""
        if name in self.metrics:
            return self.metrics[name]
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        return self.metrics.get(base, False)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answer(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except OSError:
        return 0, ""
