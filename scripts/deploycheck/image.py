"""The Dockerfiles."""
import json
import re
import shutil
import sys
from pathlib import Path

from .common import image_is_pinned, run

FILE = "deploy/Dockerfile"
SPARK = "deploy/spark/Dockerfile"


def instructions(text):
    """(instruction, arguments) with continued lines joined and comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    return [(word.upper(), rest.strip()) for word, _, rest in (line.strip().partition(" ") for line in joined.splitlines()) if word]


def check(report, almanac):
    text = report.text(FILE)
    hadolint = Path(sys.executable).parent / "hadolint"
    for file in (FILE, SPARK):
        code, output = run([hadolint, "--no-color", report.root / file])
        report.require(code == 0, file, f"hadolint: {' | '.join(output.splitlines()[:5])}")
    check_spark(report, almanac, text)

    steps = instructions(text)
    stages = [at for at, (name, _) in enumerate(steps) if name == "FROM"]
    report.require(len(stages) >= 2, FILE, "has one stage: the compiler would be in the image")
    for at in stages:
        image = steps[at][1].split()[0]
        report.require(image_is_pinned(image), FILE, f"{image} is not pinned by a version")
    final = steps[stages[-1]:] if stages else []
    values = {}
    for name, rest in final:
        values.setdefault(name, []).append(rest)

    user = values.get("USER", [""])[-1].split(":")[0]
    report.require(user.isdigit() and int(user) > 0, FILE, f"USER is {user or 'missing'}; a number above 0 lets runAsNonRoot be verified")
    entry = json.loads(values.get("ENTRYPOINT", ["[]"])[-1])
    report.require(entry[-1:] == ["/usr/local/bin/almanac"], FILE, f"ENTRYPOINT is {entry}")
    almanac.check_command(f"{FILE} CMD", json.loads(values.get("CMD", ["[]"])[-1]))
    health = re.search(r"CMD\s+(\[.*\])", values.get("HEALTHCHECK", [""])[-1])
    if report.require(health, FILE, "has no HEALTHCHECK in exec form"):
        ports = [int(port) for port in values.get("EXPOSE", [])]
        almanac.check_probe(f"{FILE} HEALTHCHECK", json.loads(health.group(1))[1:], ports[0] if ports else 0)
    for label in ("title", "licenses", "version", "revision", "base.name"):
        report.require(f"org.opencontainers.image.{label}=" in text, FILE, f"has no label org.opencontainers.image.{label}")
    report.require(f"ARG VERSION={almanac.version}" in text, FILE, f"ARG VERSION is not {almanac.version}")
    check_libraries(report, almanac, " ".join(values.get("RUN", [])), " ".join(rest for name, rest in steps if name == "RUN"))
    check_context(report, steps)
    report.done("Dockerfiles: hadolint, pins, user, health check, labels, libraries, context")


def check_spark(report, almanac, text):
    """The image of Spark: the program needs there what it needs in its own, and the connector must be of Spark's version."""
    spark = report.text(SPARK)
    report.require(f"ARG VERSION={almanac.version}" in spark, SPARK, f"ARG VERSION is not {almanac.version}")
    for package in re.findall(r"\blib[a-z0-9+-]+\b", instructions_of_last_stage(text)):
        report.require(package in spark.split(), SPARK, f"lacks {package}, which {FILE} installs")
    version = re.search(r"ARG SPARK_VERSION=(\S+)", spark)
    connectors = re.findall(r"spark-sql-kafka-[\d-]+_[\d.]+:(\S+)", report.text("deploy/compose.yaml"))
    if report.require(version and connectors, SPARK, "names no version, or compose.yaml no connector for Kafka"):
        report.require(set(connectors) == {version.group(1)}, SPARK, f"Spark is {version.group(1)}, the connector {connectors}")


def instructions_of_last_stage(text):
    """What the last stage installs with apt."""
    runs = [rest for name, rest in instructions(text[text.rindex("\nFROM"):]) if name == "RUN"]
    return " ".join(re.findall(r"apt-get install([^&]*)", " ".join(runs)))


def check_libraries(report, almanac, runtime, build):
    """What the program itself links must be in the image, apt brings what those need; the build needs what install-deps.sh installs."""
    wanted = re.findall(r"need_file \S+ (\S+-dev)$", report.text("scripts/install-deps.sh"), re.M)
    for package in wanted:
        report.require(package in build.split(), FILE, f"the build stage does not install {package}, which install-deps.sh wants")
    if not all(shutil.which(tool) for tool in ("ldd", "readelf", "dpkg-query")):
        return
    direct = set(re.findall(r"NEEDED.*\[(.+)\]", run(["readelf", "-d", almanac.path])[1]))
    _, output = run(["ldd", almanac.path])
    base = {"libc6", "libgcc-s1"}
    for library, path in re.findall(r"(\S+\.so\S*) => (/\S+)", output):
        # A release has Swift's own libraries in it.
        if library not in direct or "swift" in path:
            continue
        # Debian 12 keeps some libraries in /usr/lib under the path /lib.
        owners = [run(["dpkg-query", "-S", name]) for name in (path, str(Path(path).resolve()))]
        packages = {line.split(":")[0] for code, text in owners if code == 0 for line in text.splitlines()}
        if packages and not packages & base:
            report.require(packages & set(runtime.split()), FILE, f"the image lacks {library} of {', '.join(sorted(packages))}")


def check_context(report, steps):
    """Everything that is copied in passes .dockerignore, and secrets do not."""
    rules = [line.strip() for line in report.text(".dockerignore").splitlines() if line.strip() and not line.startswith("#")]
    report.require(rules[:1] == ["*"], ".dockerignore", "does not begin by leaving out everything")
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    for name, rest in steps:
        if name == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                plain = source.rstrip("*")
                report.require(plain in allowed, ".dockerignore", f"keeps {source} from the builder")
                report.require((report.root / plain).exists() or source.endswith("*"), FILE, f"COPY {source}: is not there")
    for rule in allowed:
        report.require(not rule.startswith("deploy"), ".dockerignore", f"lets {rule} into the context, where secrets lie")
