#!/bin/sh
# Builds the image of docker-compose.yml anew and replaces one gateway after the other, while the other one serves. The
# first that starts migrates the database, which the one of the version before can go on with.
#
#   sh deploy/container/upgrade.sh
#   COMPOSE=podman-compose sh deploy/container/upgrade.sh
#   BUILD=no sh deploy/container/upgrade.sh                   with an image moorings:local that is there
set -eu
cd "$(dirname "$0")/../.."
compose=${COMPOSE:-docker compose}
wait_s=${WAIT_S:-120}
if [ "${BUILD:-yes}" = yes ]; then
    $compose build gateway-a
fi
for gateway in gateway-a gateway-b; do
    $compose up --detach --no-deps --force-recreate "$gateway"
    waited=0
    until $compose exec -T "$gateway" python /opt/moorings/healthcheck.py /readyz >/dev/null 2>&1; do
        if [ "$waited" -ge "$wait_s" ]; then
            echo "$gateway is not ready after $wait_s s; the other one was left as it is. See: $compose logs $gateway" >&2
            exit 1
        fi
        sleep 1
        waited=$((waited + 1))
    done
    echo "$gateway is ready"
done
