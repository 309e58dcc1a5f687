#!/usr/bin/env bash
# Installs the Debian packages that are missing, and nothing else.
#   setup.sh run     what building and `make run` need
#   setup.sh test    the same, and what the tests need
# No service is started, stopped or restarted by it; an nginx that came with
# it is not enabled at boot.
set -eu

run_packages=(
    ca-certificates curl gcc libc6-dev make
    libcjson-dev libcurl4-openssl-dev liblmdb-dev libmicrohttpd-dev
    libsmartcols-dev libssl-dev
    nginx nginx-dev
)
test_packages=(
    chromium-headless-shell clang-14 libclang-rt-14-dev openssl perl procps
    python3-venv
)

policy=/usr/sbin/policy-rc.d
saved=$policy.aigw-saved


installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}


# The names of what is missing. Node's own packages are looked for by command:
# many machines have it from elsewhere.
missing() {
    local p
    for p in "${run_packages[@]}"; do
        installed "$p" || echo "$p"
    done
    [ "$1" = test ] || return 0
    for p in "${test_packages[@]}"; do
        installed "$p" || echo "$p"
    done
    command -v npm >/dev/null || echo nodejs npm
}


# Maintainer scripts ask policy-rc.d before they touch a service.
forbid_services() {
    if [ -e "$saved" ]; then
        mv -f "$saved" "$policy"
    fi
    if [ -e "$policy" ]; then
        mv "$policy" "$saved"
    fi
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
}


restore_services() {
    rm -f "$policy"
    if [ -e "$saved" ]; then
        mv -f "$saved" "$policy"
    fi
}


# Only for an nginx that this script brought: none was wanted at boot.
keep_nginx_off() {
    installed nginx || return 0
    if command -v deb-systemd-helper >/dev/null; then
        deb-systemd-helper disable nginx.service >/dev/null 2>&1 || true
    fi
    if command -v update-rc.d >/dev/null; then
        update-rc.d nginx disable >/dev/null 2>&1 || true
    fi
    echo "nginx is installed, not started and not enabled at boot"
}


# nginx-dev of the very version that runs here, where it can still be had:
# else apt would bring a newer nginx along.
pin_nginx_dev() {
    local version
    installed nginx || return 0
    version=$(dpkg-query -W -f '${Version}' nginx)
    apt-cache show "nginx-dev=$version" >/dev/null 2>&1 || return 0
    echo "$version"
}


apt_get() {
    apt-get -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1 </dev/null
}


install_packages() {
    local pin had_nginx=yes
    installed nginx || had_nginx=

    log=$(mktemp)
    export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1

    # a source that fails need not be one that is needed here
    apt_get update || true
    pin=$(pin_nginx_dev)
    if [ -n "$pin" ]; then
        set -- "${@/#%nginx-dev/nginx-dev=$pin}"
    fi

    trap restore_services EXIT
    trap 'exit 130' INT TERM HUP
    forbid_services

    if ! apt_get install -y --no-remove -o Dpkg::Options::=--force-confold \
        --no-install-recommends "$@"
    then
        tail -n 20 "$log" >&2
        echo "setup: apt-get could not install: $*" >&2
        echo "setup: the whole story is in $log" >&2
        exit 1
    fi

    rm -f "$log"
    [ -n "$had_nginx" ] || keep_nginx_off
}


what=${1:-run}
case $what in
    run|test) ;;
    *) echo "usage: setup.sh run|test" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "setup: this is no Debian system, nothing is installed; needed are" \
        "the equivalents of: ${run_packages[*]}" >&2
    exit 0
fi

mapfile -t packages < <(missing "$what" | tr ' ' '\n')

if [ ${#packages[@]} = 0 ]; then
    exit 0
fi

if [ "$(id -u)" != 0 ]; then
    echo "setup: these packages are missing: ${packages[*]}" >&2
    echo "setup: run \`sudo make $what\` once, it installs them" >&2
    exit 1
fi

echo "installing Debian packages (a minute or two): ${packages[*]}"
install_packages "${packages[@]}"
