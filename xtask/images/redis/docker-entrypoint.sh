#!/bin/sh
# What the official image's entrypoint promises.
set -e

case "$1" in
    -* | *.conf) set -- redis-server "$@" ;;
esac

if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    find . ! -user redis -exec chown redis '{}' +
    exec gosu redis "$0" "$@"
fi

# The official image is built with another default: in a container, nobody would get past protected mode. What the
# configuration or a later argument says wins.
if [ "$1" = redis-server ]; then
    shift
    case "$1" in
        -h | --help | -v | --version | --test-memory | --check-system) set -- redis-server "$@" ;;
        '' | -*) set -- redis-server --protected-mode no "$@" ;;
        *)
            conf="$1"
            if grep -Eiqs '^[[:space:]]*protected-mode[[:space:]]' "$conf"; then
                set -- redis-server "$@"
            else
                shift
                set -- redis-server "$conf" --protected-mode no "$@"
            fi
            ;;
    esac
fi

exec "$@"
