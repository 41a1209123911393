#!/bin/sh
# Backup destinations with curl and jq, through both APIs.
#
#   export MOORINGS_URL=http://127.0.0.1:8000 MOORINGS_TOKEN='1|mrg_…'
#   sh backup-destinations.sh list                  # every page of the REST API
#   sh backup-destinations.sh create 'On this server'
#   sh backup-destinations.sh check BackupDestination:1
#   sh backup-destinations.sh follow                # server-sent events, without end; `follow ID` begins behind that event
set -eu

url=${MOORINGS_URL:-http://127.0.0.1:8000}

# The token is read from standard input: arguments of a command are visible to every user of the machine.
moorings() {
    printf 'header = "Authorization: Bearer %s"\n' "$MOORINGS_TOKEN" |
        curl --config - --silent --show-error --fail-with-body "$@"
}

# graphql DOCUMENT VARIABLES [OPTION...]
graphql() {
    body=$(jq -n --arg query "$1" --argjson variables "$2" '{$query, $variables}')
    shift 2
    moorings "$url/graphql" -H 'Content-Type: application/json' --data "$body" "$@"
}

list() {
    page="$url/api/backup-destinations?per_page=100"
    while [ "$page" != null ]; do
        answer=$(moorings "$page")
        printf '%s' "$answer" | jq -r '.data[] | [.id, .label, .type_human] | @tsv'
        page=$(printf '%s' "$answer" | jq -r '.links.next')
    done
}

# All tries carry one key: the destination is made once, even if the answer to the first was lost.
create() {
    moorings "$url/api/backup-destinations" --retry 5 --retry-connrefused \
        -H "Idempotency-Key: $(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" \
        --data-urlencode "label=$1" --data type=local | jq -r '.data.id'
}

check() {
    graphql 'mutation ($id: ID!) { checkBackupDestination(id: $id) {
        ... on CheckBackupDestinationPayload { report { reachable steps { name outcome remedy } } }
        ... on Problem { message } } }' "$(jq -n --arg id "$1" '{$id}')" |
        jq -r '.data.checkBackupDestination
            | if .report.reachable then "It takes backups."
              else .message // (.report.steps[] | select(.outcome == "FAILED") | "\(.name): \(.remedy)") end'
}

# The last column is the event's id, for the next `follow`.
follow() {
    graphql 'subscription ($after: ID) { backupDestinationEvents(after: $after) { __typename backupDestinationId id } }' \
        "$(jq -n --arg after "${1:-}" 'if $after == "" then {} else {$after} end')" -N -H 'Accept: text/event-stream' |
        sed -nu 's/^data: *//p' | jq -r --unbuffered \
            '.data.backupDestinationEvents // empty | [.__typename, .backupDestinationId, .id] | @tsv'
}

[ $# -gt 0 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2; }
"$@"
