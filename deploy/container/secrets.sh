#!/bin/sh
# Makes secrets/ for docker-compose.yml: a password, the database's URL and a key. Nothing that exists is overwritten.
# The folder is closed to other users; the files in it are read by the users of the containers.
set -eu
cd "$(dirname "$0")/../.."
umask 022
mkdir -p secrets
chmod 0700 secrets
random() { # random BYTES: so many bytes of chance
    dd if=/dev/urandom bs="$1" count=1 2>/dev/null
}
if [ ! -e secrets/postgres-password ]; then
    random 24 | od -An -v -tx1 | tr -d ' \n' >secrets/postgres-password
fi
if [ ! -e secrets/database-url ]; then
    printf 'postgresql://moorings:%s@postgres:5432/moorings\n' "$(cat secrets/postgres-password)" >secrets/database-url
fi
if [ ! -e secrets/secret-keys ]; then
    if [ -x .venv/bin/moorings ]; then
        key=$(.venv/bin/moorings keys generate)
    else
        ${DOCKER:-docker} build --tag moorings:local . >&2
        key=$(${DOCKER:-docker} run --rm moorings:local moorings keys generate)
    fi
    printf '%s\n' "$key" >secrets/secret-keys
fi
echo 'secrets/ has all three. Keep a copy of secrets/secret-keys elsewhere.'
