# `make` lists the targets. ARGS goes to the program that a target runs: make run ARGS="--config almanac.yml"

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run build test bench accuracy fuzz soak format lint clean

ARGS ?=
RELEASE := -c release --static-swift-stdlib
# All but what a generator wrote.
SWIFT_SOURCES = $(shell find Sources Tests -name '*.swift' ! -name '*.pb.swift') Package.swift

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: ## build for release and run Almanac on this machine: http://127.0.0.1:5002/
	@scripts/install-deps.sh run
	swift build $(RELEASE) --product almanac
	@exec .build/release/almanac run $(ARGS)

build: ## build for release: .build/release/almanac
	@scripts/install-deps.sh run
	swift build $(RELEASE) --product almanac

# One test at a time: many start real servers and kill processes, and two cores are all that CI has.
test: ## build and run all tests (debug): make test ARGS="--filter WindowTests"
	@scripts/install-deps.sh test
	swift build --build-tests
	swift test --skip-build --disable-xctest --no-parallel $(ARGS)

test-spark: ## install Spark from PyPI into .build and run the tests that need it: make test-spark ARGS="--skip SparkProgramTests"
	@scripts/install-deps.sh run
	@scripts/test-spark.sh $(ARGS)

proto: ## generate the messages of Spark Connect anew; needs protoc
	@scripts/spark-proto.sh

bench: ## build the benchmarks for release and run them
	@scripts/install-deps.sh run
	swift run $(RELEASE) almanac-bench $(ARGS)

accuracy: ## compare forecasts with statsforecast and FLAIR, anomalies with NAB's scores: make accuracy ARGS="--protocols 1min"
	@scripts/install-deps.sh run
	swift build $(RELEASE) --product almanac && swift build $(RELEASE) --product almanac-bench
	@scripts/accuracy.py $(ARGS)
	.build/release/almanac-bench road-speeds ../shared/data/road-speeds/los_speed_60_sensors.csv
	.build/release/almanac evaluate anomalies --data ../shared/data/nab --out .accuracy/nab
	@scripts/nab-score.py --data ../shared/data/nab --scores .accuracy/nab

fuzz: ## feed the parsers what libFuzzer thinks up, for a minute: make fuzz ARGS="-max_total_time=3600"
	swift build --package-path fuzz -c release
	@mkdir -p fuzz/corpus
	cd fuzz && SWIFT_BACKTRACE=enable=no .build/release/Fuzz -max_len=4096 -artifact_prefix=corpus/ $(or $(ARGS),-max_total_time=60) corpus

soak: ## many processes under fire for an hour, and a week of vehicles (debug)
	@scripts/install-deps.sh test
	swift build --build-tests
	ALMANAC_TEST_TOPOLOGY_SECONDS=3600 ALMANAC_TEST_FLEET_HOURS=168 \
	    swift test --skip-build --disable-xctest --no-parallel --filter "ChaosTests|FleetTests" $(ARGS)

format: ## format the sources in place
	@swift format format --in-place --parallel $(SWIFT_SOURCES)

lint: ## check the format of the sources, change nothing
	@swift format lint --strict --parallel $(SWIFT_SOURCES)

clean: ## remove what was built
	swift package clean
