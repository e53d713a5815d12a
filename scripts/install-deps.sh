#!/usr/bin/env bash
# Installs what Almanac needs and this machine lacks. Debian and Ubuntu; elsewhere it says what to install.
#
#   scripts/install-deps.sh run     to build and run (the default)
#   scripts/install-deps.sh test    also what the tests start: Prometheus, node exporter, MariaDB, ZooKeeper, Adminer, a browser
#
# Nothing missing: nothing is done. ALMANAC_SKIP_DEPS=1 only reports, and goes on without what is missing.
set -euo pipefail

readonly wanted_swift=6.3
mode=${1:-run}
case $mode in
    run | test) ;;
    *)
        echo "usage: scripts/install-deps.sh [run|test]" >&2
        exit 2
        ;;
esac

say() { echo "install-deps: $*"; }
complain() { echo "install-deps: $*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }
installed() { has dpkg-query && [[ $(dpkg-query -W -f='${Status}' "$1" 2>/dev/null) == "install ok installed" ]]; }

# The packages that are missing. A program or header that is there counts, whoever installed it.
missing=()
need_program() { has "$1" || missing+=("$2"); }
need_file() { [[ -e $1 ]] || installed "$2" || missing+=("$2"); }
# Any version of PHP.
need_php_mysql() { compgen -G "/usr/lib/php/*/mysqli.so" >/dev/null || installed php-mysql || missing+=(php-mysql); }

check_swift() {
    local hint="Almanac needs Swift $wanted_swift or newer: see https://www.swift.org/install/"
    if ! has swift; then
        complain "swift is not on the PATH. $hint"
        exit 1
    fi
    local text version
    text=$(swift --version 2>&1 </dev/null) || {
        complain "'swift --version' fails: ${text:-no output}. $hint"
        exit 1
    }
    version=$(sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' <<<"$text" | head -n 1)
    if [[ -z $version ]]; then
        complain "'swift --version' names no version: $text. $hint"
        exit 1
    fi
    if [[ $(printf '%s\n' "$wanted_swift" "$version" | sort -V | head -n 1) != "$wanted_swift" ]]; then
        complain "Swift $version ($(command -v swift)) is too old. $hint"
        exit 1
    fi
}

check_run() {
    need_program make make
    need_program git git
    need_program pkg-config pkg-config
    need_file /usr/include/sqlite3.h libsqlite3-dev
    need_file /usr/include/zlib.h zlib1g-dev
    need_file /etc/ssl/certs/ca-certificates.crt ca-certificates
    # The clients of Kafka, MySQL and ZooKeeper: linked always, used when the configuration says so.
    need_file /usr/include/librdkafka/rdkafka.h librdkafka-dev
    need_file /usr/include/mariadb/mysql.h libmariadb-dev
    need_file /usr/include/zookeeper/zookeeper.h libzookeeper-mt-dev
}

check_test() {
    need_program prometheus prometheus
    need_program promtool prometheus
    need_program prometheus-node-exporter prometheus-node-exporter
    need_program mariadbd mariadb-server
    need_file /usr/share/zookeeper/bin/zkServer.sh zookeeper
    need_file /usr/share/adminer/adminer.php adminer
    need_program php php-cli
    need_php_mysql
    need_program strace strace
    need_program python3 python3
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    check_browser
}

# Ubuntu's chromium is a stub for a snap, which needs a running snapd: there the browser is left to the user.
check_browser() {
    local browser
    for browser in chromium chromium-browser google-chrome google-chrome-stable; do
        if has "$browser"; then return; fi
    done
    if grep -qsE '^ID(_LIKE)?=.*ubuntu' /etc/os-release; then
        say "no browser found (chromium or google-chrome): the tests that need one are skipped"
    else
        missing+=(chromium)
    fi
}

# How to become root; fails where that is not possible without asking on a terminal that is not there.
become_root() {
    if [[ $(id -u) == 0 ]]; then
        as_root=()
    elif has sudo && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
        as_root=(sudo)
    else
        return 1
    fi
}

# Debian starts a service as soon as its package is installed. Almanac's tests start their own instances, so no service
# may start: neither now (policy-rc.d answers 101, forbidden) nor at the next boot (disabled again).
policy=/usr/sbin/policy-rc.d
made_policy=no
forbid_services() {
    if [[ -e $policy ]]; then return; fi
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null || return 1
    made_policy=yes
    "${as_root[@]}" chmod 755 "$policy"
}
allow_services() {
    if [[ $made_policy == yes ]]; then "${as_root[@]}" rm -f "$policy"; fi
    made_policy=no
}

disable_services() {
    local package
    for package in "${missing[@]}"; do
        case $package in
            prometheus | prometheus-node-exporter | mariadb-server | zookeeper | php-cli)
                if has systemctl && [[ -d /run/systemd/system ]]; then
                    "${as_root[@]}" systemctl disable --quiet "$package" 2>/dev/null || true
                fi
                ;;
        esac
    done
}

install_missing() {
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -q -o DPkg::Lock::Timeout=120)
    trap allow_services EXIT
    # The caller tests the result, so `set -e` does not hold in here: each step says for itself what a failure means.
    forbid_services || return 1
    say "updating the package lists"
    "${apt[@]}" update </dev/null || complain "the package lists could not all be updated, trying with what is there"
    say "installing: ${missing[*]}"
    "${apt[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null || return 1
    disable_services
    allow_services
}

check_swift
check_run
if [[ $mode == test ]]; then check_test; fi

if [[ ${#missing[@]} == 0 ]]; then
    say "everything for '$mode' is there"
    exit 0
fi
mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)

if [[ ${ALMANAC_SKIP_DEPS:-} == 1 ]]; then
    say "missing: ${missing[*]} (going on without, as ALMANAC_SKIP_DEPS=1 says)"
elif ! has apt-get; then
    complain "missing, by their Debian names: ${missing[*]}"
    complain "this system has no apt-get: install them with its own package manager, then try again"
    exit 1
elif ! become_root; then
    complain "missing: ${missing[*]}"
    complain "only root may install them: sudo apt-get install ${missing[*]}"
    exit 1
elif ! install_missing; then
    complain "apt-get failed; what is needed: ${missing[*]}"
    exit 1
else
    say "done"
fi
