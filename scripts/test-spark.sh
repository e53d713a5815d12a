#!/usr/bin/env bash
# Runs the tests that need Spark: installs PyPI's pyspark, which holds the whole engine, into .build/spark, builds with the trait Spark and
# starts real Connect servers on loopback. `make test-spark` calls it; arguments go to `swift test`.
#
# ALMANAC_TEST_SPARK_HOME=DIR takes a Spark that is there; PYSPARK_VERSION another version.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly version=${PYSPARK_VERSION:-4.3.0}
complain() { echo "test-spark: $*" >&2; }

java=${JAVA_HOME:+$JAVA_HOME/bin/}java
if ! command -v "$java" >/dev/null; then
    complain "Java 17 or newer is missing: apt-get install openjdk-17-jre-headless"
    exit 1
fi
major=$("$java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
if [[ ! $major =~ ^[0-9]+$ || $major -lt 17 ]]; then
    complain "Spark 4 needs Java 17 or newer, this is $("$java" -version 2>&1 | head -n 1)"
    exit 1
fi

if [[ -z ${ALMANAC_TEST_SPARK_HOME:-} ]]; then
    venv=.build/spark/$version
    if [[ ! -e $venv/complete ]]; then
        echo "test-spark: installing pyspark $version from PyPI into $venv (some 460 MB)"
        rm -rf "$venv"
        python3 -m venv "$venv" || {
            complain "python3 cannot make a virtual environment: apt-get install python3-venv"
            exit 1
        }
        "$venv/bin/pip" install --quiet --disable-pip-version-check "pyspark==$version"
        touch "$venv/complete"
    fi
    home=("$PWD/$venv"/lib/python3*/site-packages/pyspark)
    export ALMANAC_TEST_SPARK_HOME=${home[0]}
fi
if [[ ! -x $ALMANAC_TEST_SPARK_HOME/bin/spark-submit ]]; then
    complain "there is no Spark in $ALMANAC_TEST_SPARK_HOME"
    exit 1
fi

swift build --traits Spark --build-tests
swift test --traits Spark --skip-build --disable-xctest --no-parallel --filter '^Spark' "$@"
