"""The commands that the images run, run: each role on the compose file's configuration with nothing there that it needs."""
import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from .common import run
from .program import answer, free_port

CONFIGURATION = "deploy/almanac.yaml"
ROLES = ("collect", "analyze", "store", "serve")
# Port 1 of loopback: connections are refused at once.
ABSENT = {
    "messaging.kafka.brokers": "127.0.0.1:1", "store.mysql.host": "127.0.0.1", "store.mysql.port": "1",
    "coordination.zookeeper.hosts": "127.0.0.1:1",
}


def check(report, almanac):
    with tempfile.TemporaryDirectory() as folder:
        compose = report.document("deploy/compose.yaml")
        for name in compose.get("secrets", {}):
            (Path(folder) / name).write_text("0123456789abcdef\n")
        file = Path(folder) / "almanac.yaml"
        file.write_text(report.text(CONFIGURATION).replace("/run/secrets", folder))
        common = ["--config", str(file)] + [part for key, value in ABSENT.items() for part in ("--set", f"{key}={value}")]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ALMANAC_")}
        started = []
        try:
            for role in ROLES:
                started.append(Role(role, almanac, common, folder, environment))
            check_init(report, almanac, common, environment)
            for role in started:
                role.check(report)
            ending = time.monotonic()
            for role in started:
                role.process.send_signal(signal.SIGTERM)
            for role in started:
                grace = int(re.match(r"\d+", compose["services"][role.name]["stop_grace_period"]).group())
                role.await_end(report, grace, ending)
        finally:
            for role in started:
                role.process.kill()
                role.process.wait()
    report.done("the commands of the images: start with nothing there, answer probes, end in time")


def check_init(report, almanac, common, environment):
    """Waits for as long as it is told, then says what is not there."""
    code, output = run([almanac.path, "init", *common, "--wait", "1"], env=environment, timeout=120)
    report.require(code == 1 and "almanac: " in output, "almanac init", f"without a broker it ends with {code}: {output[-200:]}")


class Role:
    def __init__(self, name, almanac, common, folder, environment):
        self.name, self.almanac, self.environment = name, almanac, environment
        self.port = free_port()
        self.log = Path(folder) / f"{name}.log"
        self.process = subprocess.Popen(
            [str(almanac.path), name, *common, "--listen", f"127.0.0.1:{self.port}", "--data", f"{folder}/{name}"],
            stdout=self.log.open("w"), stderr=subprocess.STDOUT, cwd=folder, env=environment)

    def check(self, report):
        place, base = f"almanac {self.name}", f"http://127.0.0.1:{self.port}"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None and answer(f"{base}/-/healthy")[0] != 200:
            time.sleep(0.1)
        if not report.require(self.process.poll() is None, place, f"ends: {self.log.read_text()[-300:]}"):
            return
        code, output = run([self.almanac.path, "probe", f"{base}/-/healthy"], env=self.environment)
        report.require(code == 0, place, f"`probe` of /-/healthy ends with {code}: {output[:200]}")
        # Collectors hold what they scrape until Kafka is there.
        if self.name != "collect":
            code, output = run([self.almanac.path, "probe", f"{base}/-/ready"], env=self.environment)
            report.require(code == 1 and "waitingFor" in output, place, f"is ready with nothing there: `probe` ends with {code}")

    def await_end(self, report, grace, since):
        try:
            self.process.wait(max(0.1, since + grace - time.monotonic()))
        except subprocess.TimeoutExpired:
            report.problem(f"almanac {self.name}", f"does not end within the {grace} s of stop_grace_period")
