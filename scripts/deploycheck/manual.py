"""docs/OPERATIONS.md: links, files, commands, keys and metrics that it names are there."""
import re

FILE = "docs/OPERATIONS.md"
OTHER_METRICS = {"almanac_consumer_lag"}


def check(report, almanac):
    text = report.text(FILE)
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if "://" not in target:
            report.require((report.root / "docs" / target).exists(), FILE, f"links to {target}, which is not there")
    for path in set(re.findall(r"`((?:deploy|docs|scripts|Sources|Tests)/[\w./-]+)`", text)):
        exists = (report.root / path).exists() or (report.root / f"{path}.example").exists()
        report.require(exists, FILE, f"names {path}, which is not there")
    alerts = set(re.findall(r"alert: (\w+)", report.text("deploy/prometheus/alerts.yml")))
    for name in set(re.findall(r"`(Almanac[A-Z]\w+)`", text)):
        report.require(name in alerts, FILE, f"names the alert {name}, which is not there")
    for name in set(re.findall(r"`(almanac_[a-z_]+)\b", text)) - OTHER_METRICS:
        known = almanac.metric_labels(name) is not False or (report.root / f"deploy/secrets/{name}.example").exists()
        report.require(known, FILE, f"names the metric {name}, which is not there")
    for command in set(re.findall(r"`almanac ([a-z-]+)", text)) - commands_of_traits(report):
        almanac.check_command(FILE, [command])
    check_keys(report, almanac, text)
    report.done("docs/OPERATIONS.md: links, files, alerts, metrics, commands, keys")


def commands_of_traits(report):
    """Commands that only a build with a package trait has: by their names in the sources."""
    texts = [file.read_text(encoding="utf-8") for file in (report.root / "Sources/almanac").rglob("*.swift")]
    return {name for text in texts if text.startswith("#if ") for name in re.findall(r'commandName: "([a-z-]+)"', text)}


def check_keys(report, almanac, text):
    """`store.mysql.tls.ca_file`: the first word is a section of the configuration."""
    rows = re.findall(r"^### `([\w.\[\]]+)`|^\| `(\w+)` \|", almanac.keys, re.M)
    known, section = set(), ""
    for heading, key in rows:
        if heading:
            section = heading.replace("[]", "")
            known.add(section)
        elif key:
            known.add(f"{section}.{key}" if section else key)
    known |= {".".join(path.split(".")[:count]) for path in known for count in range(1, path.count(".") + 1)}
    sections = {path.split(".")[0] for path in known if "." in path}
    for path in set(re.findall(r"`([a-z_]+(?:\.[a-z_0-9]+)+)(?::[^`]*)?`", text)):
        if path.split(".")[0] in sections and not path.startswith("messaging.kafka.properties."):
            report.require(path in known, FILE, f"names the key {path}, which is not there")
