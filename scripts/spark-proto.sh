#!/usr/bin/env bash
# Generates Sources/SparkProto/spark_connect.pb.swift from the .proto beside it. Needs protoc (Debian: protobuf-compiler) and the checkout of
# swift-protobuf that `swift package --traits Spark resolve` brings. `make proto` calls it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v protoc >/dev/null || {
    echo "spark-proto: protoc is missing: apt-get install protobuf-compiler" >&2
    exit 1
}
plugin=${PROTOC_GEN_SWIFT:-}
if [[ -z $plugin ]]; then
    swift package --traits Spark resolve
    built=.build/proto
    swift build -c release --package-path .build/checkouts/swift-protobuf --scratch-path "$built" --product protoc-gen-swift
    plugin=$built/release/protoc-gen-swift
fi
plugin=$(realpath "$plugin")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
(cd Sources/SparkProto && protoc --plugin="protoc-gen-swift=$plugin" --swift_out="$out" \
    --swift_opt=Visibility=Package --swift_opt=UseAccessLevelOnImports=true spark_connect.proto)
# Without the trait there is no swift-protobuf to import, and the target is empty.
{
    echo '#if Spark'
    cat "$out/spark_connect.pb.swift"
    echo '#endif'
} >Sources/SparkProto/spark_connect.pb.swift
