#!/bin/sh
# Waits for the database (the first question makes its tables, or brings them up to date), joins Ray for `study` where
# RAY_HEAD names a cluster, and becomes `fersearch "$@"`. `ray ...` is run as it is. Health checks come through here
# too, for the password that PGPASSWORD_FILE names.
set -eu

wait_for_database() {
    left=${FERSEARCH_WAIT:-60}
    until told=$(fersearch study list 2>&1 >/dev/null); do
        if [ "$left" -le 0 ]; then
            printf '%s\n' "$told" >&2
            exit 1
        fi
        left=$((left - 1))
        sleep 1
    done
}

if [ "${1:-}" = ray ]; then
    exec "$@"
fi
if [ -n "${PGPASSWORD_FILE:-}" ]; then
    PGPASSWORD=$(cat "$PGPASSWORD_FILE")
    export PGPASSWORD
fi
case "${1:-}" in
    study | trial | checkpoint | evaluate | ensemble)
        case "${FERSEARCH_STORAGE:-}" in
            postgres*) wait_for_database ;;
        esac
        ;;
esac
if [ "${1:-}" = study ] && [ -n "${RAY_HEAD:-}" ]; then
    # A driver of Ray needs a node of its own beside it; this one takes no trials.
    ray start --address "$RAY_HEAD" --num-cpus 0 --num-gpus 0 --object-store-memory 500000000 --disable-usage-stats >&2
fi
exec fersearch "$@"
