#!/usr/bin/env bash
# Makes the secrets that are missing beside their *.example, each 32 random bytes in hexadecimal. What is there stays.
#
# Containers read them as users of their own, so the files are readable; the directory is not for other users of the host.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

chmod 700 .
for example in *.example; do
    name=${example%.example}
    if [[ -s $name ]]; then
        echo "$name is there"
        continue
    fi
    openssl rand -hex 32 >"$name"
    chmod 444 "$name"
    echo "$name made"
done
