"""Prometheus' configuration and rules, and Grafana's dashboards: syntax by promtool, metrics against the program."""
import json
import re
import shutil
import tempfile
from pathlib import Path

import yaml

from .common import run

PROMETHEUS = "deploy/prometheus"
GRAFANA = "deploy/grafana"
# What Prometheus and its discovery add to every series.
TARGET_LABELS = {"job", "instance", "role", "le", "namespace", "__name__"}
VARIABLES = {"$__rate_interval": "1m", "$__interval": "1m", "$instance": ".*"}


def check(report, almanac):
    promtool = shutil.which("promtool")
    expressions = rule_expressions(report) + dashboard_expressions(report)
    if promtool:
        check_config(report, promtool)
        for command in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts.test.yml"]):
            code, output = run([promtool, *command], cwd=report.root / PROMETHEUS)
            report.require(code == 0, f"{PROMETHEUS}/{command[2]}", f"promtool: {' | '.join(output.split(chr(10)))[:600]}")
        check_expressions(report, promtool, expressions)
    else:
        print("       promtool is not installed: PromQL is not parsed")
    for place, expression in expressions:
        check_metrics(report, almanac, place, expression)
    report.done(f"Prometheus and Grafana: configuration, rules with tests, {len(expressions)} expressions on metrics that are there")


def check_config(report, promtool):
    """With the secret's file replaced by one that is there."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "almanac_read_token").write_text("x")
        shutil.copy(report.root / PROMETHEUS / "alerts.yml", folder)
        text = report.text(f"{PROMETHEUS}/prometheus.yml").replace("/run/secrets", folder)
        (Path(folder) / "prometheus.yml").write_text(text)
        code, output = run([promtool, "check", "config", f"{folder}/prometheus.yml"])
        report.require(code == 0, f"{PROMETHEUS}/prometheus.yml", f"promtool: {output[:400]}")


def rule_expressions(report):
    found, names = [], set()
    for group in report.document(f"{PROMETHEUS}/alerts.yml").get("groups", []):
        for rule in group["rules"]:
            place = f"{PROMETHEUS}/alerts.yml {rule['alert']}"
            found.append((place, rule["expr"]))
            report.require(rule["alert"] not in names, place, "is there twice")
            names.add(rule["alert"])
            severity = rule.get("labels", {}).get("severity")
            report.require(severity in ("warning", "critical"), place, f"has the severity {severity}")
            report.require({"summary", "description"} <= set(rule.get("annotations", {})), place, "has no summary and description")
            manual = report.text("docs/OPERATIONS.md")
            report.require(f"`{rule['alert']}`" in manual, place, "is not in docs/OPERATIONS.md")
    return found


def dashboard_expressions(report):
    found = []
    sources = report.document(f"{GRAFANA}/provisioning/datasources/prometheus.yaml").get("datasources", [])
    uids = {source["uid"] for source in sources}
    for provider in report.document(f"{GRAFANA}/provisioning/dashboards/almanac.yaml").get("providers", []):
        path = provider["options"]["path"]
        report.require(f"./grafana/dashboards:{path}:ro" in report.text("deploy/compose.yaml"), GRAFANA, f"{path} is not mounted")
    for file in sorted((report.root / GRAFANA / "dashboards").glob("*.json")):
        place = f"{GRAFANA}/dashboards/{file.name}"
        try:
            dashboard = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            report.problem(place, f"is no JSON: {error}")
            continue
        report.require(dashboard.get("uid") and dashboard.get("title"), place, "has no uid and title")
        ids = [panel["id"] for panel in dashboard["panels"]]
        report.require(len(set(ids)) == len(ids), place, "two panels have one id")
        check_layout(report, place, dashboard["panels"])
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                report.require(target["datasource"]["uid"] in uids, place, f"{panel['title']}: the data source is not provisioned")
                found.append((f"{place} {panel['title']}", target["expr"]))
        for variable in dashboard["templating"]["list"]:
            found.append((f"{place} ${variable['name']}", re.sub(r"label_values\((\w+), \w+\)", r"\1", variable["definition"])))
    report.require(found, GRAFANA, "has no dashboard")
    return found


def check_layout(report, place, panels):
    taken = {}
    for panel in panels:
        at = panel["gridPos"]
        report.require(at["x"] + at["w"] <= 24, place, f"{panel['title']} is wider than the grid")
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                other = taken.setdefault((x, y), panel["title"])
                if other != panel["title"]:
                    return report.problem(place, f"{panel['title']} lies over {other}")


def check_expressions(report, promtool, expressions):
    """All as recording rules in one file; when that fails, one by one for their places."""
    def failure(some):
        rules = [{"record": f"check:{number}", "expr": plain(expression)} for number, (_, expression) in enumerate(some)]
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            yaml.safe_dump({"groups": [{"name": "check", "rules": rules}]}, file)
            file.flush()
            code, output = run([promtool, "check", "rules", file.name])
            return output if code != 0 else None

    if failure(expressions):
        for place, expression in expressions:
            output = failure([(place, expression)])
            report.require(not output, place, f"promtool: {' '.join((output or '').split())[:300]}")


def plain(expression):
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def check_metrics(report, almanac, place, expression):
    """Each metric is one of the program's, and each label it is asked by is one of the metric's."""
    bare = re.sub(r'"[^"]*"', '""', plain(expression))
    for name, matchers in re.findall(r"\b((?:almanac|process)_[a-z0-9_]+)\b(?:\{([^}]*)\})?", bare):
        labels = almanac.metric_labels(name)
        if not report.require(labels is not False, place, f"almanac has no metric {name}"):
            continue
        for label in re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)", matchers or ""):
            known = labels is None or label in labels | TARGET_LABELS
            report.require(known, place, f"{name} has no label {label}; it has {sorted(labels or [])}")
