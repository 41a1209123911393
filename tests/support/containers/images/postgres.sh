#!/bin/sh
# The first start makes the data, and the user and database of the environment; as the entry point of the image postgres.
set -eu
PGDATA=/var/lib/postgresql/15/docker
as_postgres() {
    setpriv --reuid postgres --regid postgres --clear-groups "$@"
}
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    install --directory --owner postgres --group postgres --mode 0700 "$PGDATA"
    install --owner postgres --mode 0600 "$POSTGRES_PASSWORD_FILE" /tmp/password
    as_postgres initdb --pgdata "$PGDATA" --username "$POSTGRES_USER" --pwfile /tmp/password --auth-local trust \
        --auth-host scram-sha-256 --encoding UTF8 --locale C.UTF-8
    rm /tmp/password
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
    # By its socket alone: who asks by TCP is not answered before everything is there.
    as_postgres pg_ctl --pgdata "$PGDATA" --wait --options "-c listen_addresses=''" start
    [ "$POSTGRES_DB" = postgres ] || as_postgres createdb --username "$POSTGRES_USER" "$POSTGRES_DB"
    as_postgres pg_ctl --pgdata "$PGDATA" --wait --mode fast stop
fi
exec setpriv --reuid postgres --regid postgres --clear-groups "$@" -D "$PGDATA" -c "listen_addresses=*"
