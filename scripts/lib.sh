# Sourced by run.sh, stop.sh and clean.sh: where the state of `make run` is
# and which processes are its own. Needs no procps.

build=${BUILD:-build}
case $build in
    /*) ;;
    *) build=$PWD/$build ;;
esac

near=$build/run
far=/var/lib/aigw-run-$(printf %s "$build" | cksum | cut -d ' ' -f 1)
run_env=$build/run.env


die() {
    echo "$*" >&2
    exit 1
}


# The workers of a root nginx are www-data: can they get at DIR?
workers_reach() {
    [ "$(id -u)" = 0 ] || return 0
    setpriv --reuid=www-data --regid=www-data --clear-groups test -x "$1"
}


alive() {
    [ -d "/proc/$1" ] && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}


# The pid in FILE, if it lives and WORD stands in its command line: a pid file
# may be older than the process that has that number now.
own_pid() {
    local file=$1 word=$2 pid
    [ -r "$file" ] || return 1
    read -r pid <"$file" || return 1
    case $pid in
        ''|*[!0-9]*) return 1 ;;
    esac
    alive "$pid" || return 1
    tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF -- "$word" || return 1
    echo "$pid"
}


children() {
    local stat
    for stat in /proc/[0-9]*/status; do
        if grep -q "^PPid:[[:space:]]*$1\$" "$stat" 2>/dev/null; then
            stat=${stat%/status}
            echo "${stat#/proc/}"
        fi
    done
}


# Signals PID, waits up to SECONDS for its end.
end() {
    local signal=$1 pid=$2 tries=$(($3 * 10))
    kill "-$signal" "$pid" 2>/dev/null || ! alive "$pid" \
        || die "cannot stop process $pid: it belongs to another user" \
            "(try sudo make stop)"
    while alive "$pid"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.1
    done
}


# What runs in one state folder. nginx may finish its streams for a moment.
stop_in() {
    local state=$1 pid worker workers
    if pid=$(own_pid "$state/nginx.pid" "$state/nginx.conf"); then
        workers=$(children "$pid")
        if ! end QUIT "$pid" 3 && ! end TERM "$pid" 5; then
            end KILL "$pid" 2 || true
            for worker in $workers; do
                ! alive "$worker" || end KILL "$worker" 2 || true
            done
        fi
    fi
    if pid=$(own_pid "$state/serve.pid" 'serve --socket'); then
        end TERM "$pid" 3 || end KILL "$pid" 2 || true
    fi
    if pid=$(own_pid "$state/sim.pid" "$state/sim.key"); then
        end TERM "$pid" 2 || end KILL "$pid" 2 || true
    fi
    rm -f "$state/nginx.pid" "$state/serve.pid" "$state/sim.pid"
}


stop_all() {
    local state
    for state in "$near" "$far"; do
        [ ! -d "$state" ] || stop_in "$state"
    done
}
