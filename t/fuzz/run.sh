#!/usr/bin/env bash
# `make fuzz`: every target RUNS times (or SECONDS_EACH seconds), one at a time
# and at low priority, on what earlier runs have learnt and the seeds; says at
# the end what it did. Inputs: DIR with the targets, RUNS, SECONDS_EACH, SEED,
# TARGETS, REPORT (a file that gets what is said).
set -u
shopt -s extglob
cd "$(dirname "$0")/../.."

dir=${DIR:?}
seed=${SEED:-$(date +%Y%m%d)}
report=${REPORT:-/dev/null}
failed=0


# The value of a line "stat::NAME: VALUE" of the log.
figure() {
    sed -n "s/^stat::$1: *//p" "$log"
}


fuzz() {
    local target=$1 result=clean start=$SECONDS
    log=$dir/$target.log
    mkdir -p "$dir/corpus/$target"

    nice -n 19 "$dir/$target" -runs="${RUNS:--1}" \
        -max_total_time="${SECONDS_EACH:-0}" -seed="$seed" -max_len=512 \
        -timeout=10 -rss_limit_mb=2048 -dict=t/fuzz/words -print_final_stats=1 \
        -artifact_prefix="$dir/$target-" "$dir/corpus/$target" \
        t/fuzz/"$target".@(in|repro)/ >"$log" 2>&1

    if [ $? != 0 ]; then
        result="FAILED: $(grep -E 'does not hold|ERROR|Test unit' "$log" \
            | tail -n 3 | tr '\n' ' ')"
        failed=1
    fi

    printf '%-8s %10s executions %6s s  corpus %5s  %s\n' "$target" \
        "$(figure number_of_executed_units)" $((SECONDS - start)) \
        "$(find "$dir/corpus/$target" -type f | wc -l)" "$result"
}


{
    echo "date      $(date -u +%Y-%m-%dT%H:%MZ)"
    echo "commit    $(git rev-parse --short HEAD 2>/dev/null || echo none)"
    echo "machine   $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)," \
        "$(nproc) cores, $(uname -sm)"
    echo "compiler  $("${CLANG:-clang}" --version | head -n 1), -O2 with" \
        "libFuzzer, AddressSanitizer, UndefinedBehaviorSanitizer"
    echo "seed      $seed"
    echo
    for target in ${TARGETS:?}; do
        fuzz "$target"
    done
} > >(tee "$report")

wait
exit $failed
