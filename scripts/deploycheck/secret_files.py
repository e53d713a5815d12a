"""No secret is in the repository, and every secret that is needed has an example."""
import re

from .common import run

FOLDER = "deploy/secrets"


def check(report, almanac):
    compose = report.document("deploy/compose.yaml")
    declared = compose.get("secrets", {})
    for name, secret in declared.items():
        file = secret["file"].removeprefix("./")
        example = f"deploy/{file}.example"
        report.require((report.root / example).is_file(), example, f"is missing: the secret {name} has no example")
        code, _ = run(["git", "-C", report.root, "check-ignore", "-q", f"deploy/{file}"])
        report.require(code in (0, 128), f"deploy/{file}", "would not be ignored by git")
    used = set()
    for service in compose.get("services", {}).values():
        used.update(service.get("secrets", []))
    report.require(used == set(declared), "deploy/compose.yaml", f"secrets declared and not used: {sorted(set(declared) - used)}")
    for example in (report.root / FOLDER).glob("*.example"):
        report.require(example.stem in declared, f"{FOLDER}/{example.name}", "is the example of no secret")
    code, output = run(["bash", "-n", report.root / FOLDER / "generate.sh"])
    report.require(code == 0, f"{FOLDER}/generate.sh", output)
    check_kept_files(report)
    report.done("secrets: examples, ignored by git, none in a file that is kept")


def check_kept_files(report):
    code, listed = run(["git", "-C", report.root, "ls-files", "-co", "--exclude-standard", "deploy"])
    files = listed.splitlines() if code == 0 else []
    for name in files:
        path = report.root / name
        if not path.is_file():
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            random = re.search(r"\b[0-9a-f]{32,}\b", line)
            given = re.search(r"(?i)(password|token|secret)\w*\s*[:=]\s*['\"]?(?!/|replace-me|\w*_file\b)[A-Za-z0-9+/]{8,}['\"]?\s*$", line)
            key = "PRIVATE KEY" in line
            report.require(not (random or given or key), f"{name}:{number}", "looks like a secret")
