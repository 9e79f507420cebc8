#!/bin/bash
# What the official image's entrypoint promises of its variables, arguments and scripts, made to start fast: a first
# start runs a temporary server only if there is a database to create, or a script to run.
set -euo pipefail
shopt -s nullglob

main() {
    case "${1:--}" in
        -*) set -- postgres "$@" ;;
    esac
    if [ "$1" = postgres ] && ! only_asks "$@"; then
        ensure_folders
        if [ "$(id -u)" = 0 ]; then
            exec gosu postgres "${BASH_SOURCE[0]}" "$@"
        fi
        if [ ! -s "$PGDATA/PG_VERSION" ]; then
            initialize "${@:2}"
        fi
    fi
    exec "$@"
}

# Whether the server would only tell something, and end.
only_asks() {
    local arg
    for arg; do
        case "$arg" in
            '-?' | --help | --describe-config | -V | --version) return 0 ;;
        esac
    done
    return 1
}

# A volume, and more so a tmpfs, may come with root as its owner.
ensure_folders() {
    local folder
    for folder in "$PGDATA" /var/run/postgresql; do
        mkdir -p "$folder"
    done
    # Both fail for a user who isn't the owner; then it is the server that judges.
    chmod 00700 "$PGDATA" 2>/dev/null || :
    chmod 03775 /var/run/postgresql 2>/dev/null || :
    if [ "$(id -u)" = 0 ]; then
        find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown postgres '{}' +
    fi
}

# Makes the data folder, for a server with these arguments.
initialize() {
    read_variables
    check_password
    # Without TZ, `initdb` compares all time zones with the system's: 0.9 s on fuse-overlayfs, to find this one.
    # As in the official image, the arguments may have quotes of their own.
    eval 'TZ="${TZ:-Etc/UTC}" initdb --username="$POSTGRES_USER" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") '"$POSTGRES_INITDB_ARGS"
    local method="${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption "$@")}"
    printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
    if [ -z "$(missing_database)$(init_files)" ]; then
        say "init complete"
        return
    fi
    export PGPASSWORD="${PGPASSWORD:-$POSTGRES_PASSWORD}"
    start_temporary_server "$@"
    create_database
    run_init_files
    stop_temporary_server
    unset PGPASSWORD
    say "init complete"
}

read_variables() {
    read_file_variable POSTGRES_PASSWORD
    read_file_variable POSTGRES_USER
    read_file_variable POSTGRES_DB
    read_file_variable POSTGRES_INITDB_ARGS
    # Scripts read them, too.
    export POSTGRES_PASSWORD="${POSTGRES_PASSWORD:-}"
    export POSTGRES_USER="${POSTGRES_USER:-postgres}"
    export POSTGRES_DB="${POSTGRES_DB:-$POSTGRES_USER}"
    export POSTGRES_INITDB_ARGS="${POSTGRES_INITDB_ARGS:-}"
}

# NAME_FILE may name a file that holds the value of NAME.
read_file_variable() {
    local name="$1" file="$1_FILE"
    if [ -z "${!file:-}" ]; then
        return
    fi
    if [ -n "${!name:-}" ]; then
        fail "both $name and $file are set; set one of them"
    fi
    export "$name"="$(<"${!file}")"
    unset "$file"
}

check_password() {
    if [ -z "$POSTGRES_PASSWORD" ] && [ "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ]; then
        fail "the database is not initialized, and there is no password for its superuser;" \
            "set POSTGRES_PASSWORD, or POSTGRES_HOST_AUTH_METHOD=trust to let everybody in without one"
    fi
}

missing_database() {
    case "$POSTGRES_DB" in
        postgres | template0 | template1) ;;
        *) printf '%s' "$POSTGRES_DB" ;;
    esac
}

init_files() {
    find /docker-entrypoint-initdb.d -mindepth 1 -maxdepth 1 2>/dev/null || :
}

# It can be reached by its socket alone. Its log goes to stdout: on stderr, who waits for the server to be ready would
# take it for the one to come.
start_temporary_server() {
    local socket=/var/run/postgresql
    export PGHOST="$socket" PGPORT=5432
    postgres "$@" -c listen_addresses= -c port="$PGPORT" -c unix_socket_directories="$socket" -c fsync=off 2>&1 &
    temporary=$!
    until pg_isready --quiet --username "$POSTGRES_USER" --dbname postgres; do
        kill -0 "$temporary" 2>/dev/null || fail "the temporary server ended, see above"
        sleep 0.02
    done
}

create_database() {
    if [ -n "$(missing_database)" ]; then
        run_sql --dbname postgres --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'
    fi
}

run_init_files() {
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        case "$file" in
            *.sh)
                say "running $file"
                if [ -x "$file" ]; then "$file"; else . "$file"; fi
                ;;
            *.sql)
                say "running $file"
                run_sql --dbname "$POSTGRES_DB" --file "$file"
                ;;
            *.sql.gz)
                say "running $file"
                gunzip --stdout "$file" | run_sql --dbname "$POSTGRES_DB"
                ;;
            *) say "ignoring $file" ;;
        esac
    done
}

run_sql() {
    psql --no-psqlrc --no-password --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" "$@"
}

stop_temporary_server() {
    kill -INT "$temporary"
    wait "$temporary"
    unset PGHOST PGPORT
}

say() {
    printf 'entrypoint: %s\n' "$*"
}

fail() {
    printf 'entrypoint: error: %s\n' "$*" >&2
    exit 1
}

main "$@"
