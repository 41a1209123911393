#!/bin/sh
# Gives the folder of data to the user that the server runs as; as the entry point of the image valkey.
set -eu
chown redis:redis /data
exec setpriv --reuid redis --regid redis --clear-groups "$@" --protected-mode no --bind '*'
