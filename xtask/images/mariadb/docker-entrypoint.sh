#!/bin/sh
# What the official image's entrypoint promises, as far as tests need it: a data folder that is made when there is none, and a
# root who logs in from everywhere with the password of MARIADB_ROOT_PASSWORD.
set -e

case "$1" in
    -*) set -- mariadbd "$@" ;;
esac

if [ "$1" = mariadbd ] && [ "$(id -u)" = 0 ]; then
    chown -R mysql: /var/lib/mysql /run/mysqld
    exec gosu mysql "$0" "$@"
fi

if [ "$1" = mariadbd ] && [ ! -d /var/lib/mysql/mysql ]; then
    if [ -z "$MARIADB_ROOT_PASSWORD" ]; then
        echo "error: the database is uninitialized, and MARIADB_ROOT_PASSWORD says no password" >&2
        exit 1
    fi
    mariadb-install-db --no-defaults --datadir=/var/lib/mysql --auth-root-authentication-method=normal --skip-test-db >/dev/null
    password=$(printf '%s' "$MARIADB_ROOT_PASSWORD" | sed "s/['\\\\]/\\\\&/g")
    # On one line each, as the server wants them; nobody can connect before they have run.
    cat >/run/mysqld/init.sql <<SQL
ALTER USER 'root'@'localhost' IDENTIFIED BY '$password';
CREATE USER 'root'@'%' IDENTIFIED BY '$password';
GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION;
SQL
    shift
    set -- mariadbd --init-file=/run/mysqld/init.sql "$@"
fi

# Debian's configuration has it listen within the container alone.
if [ "$1" = mariadbd ]; then
    shift
    exec mariadbd --no-defaults --datadir=/var/lib/mysql --socket=/run/mysqld/mysqld.sock "$@"
fi
exec "$@"
