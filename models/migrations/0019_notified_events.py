"""PostgreSQL's NOTIFY carries the events themselves, and which event each follows: streams need no read.

On a channel of its own: processes of the release before listen to `moorings_events` until they are restarted.
"""

from tortoise import migrations
from tortoise.migrations import operations as ops

_POSTGRESQL = (
    # What streams show, and not the address, the request or the endpoint. A payload has less than 8,000 bytes, and a
    # statement of many events is read. Before this trigger another has locked the user's row: the event before is known.
    """
    CREATE OR REPLACE FUNCTION moorings_notify_events() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_notify(
            'moorings_event_rows',
            CASE WHEN count > 8 OR octet_length(event) > 7800 THEN user_id::text ELSE user_id || ' ' || event END
        ) FROM (
            SELECT user_id, count(*) OVER (PARTITION BY user_id) AS count, json_build_array(
                coalesce(
                    lag(id) OVER (PARTITION BY user_id ORDER BY id),
                    (SELECT greatest(pruned_event_id, (
                        SELECT max(before.id) FROM events AS before
                        WHERE before.user_id = added.user_id AND before.id < added.id
                    )) FROM users WHERE users.id = added.user_id)
                ),
                id, kind, destination_id, label, changed_fields, protocol, reachable, token_name, granted,
                extract(epoch FROM occurred_at)
            )::text AS event
            FROM added ORDER BY user_id, id
        ) AS events_of_users;
        RETURN NULL;
    END $$
    """,
    "DROP TRIGGER IF EXISTS events_notified ON events",
    # Triggers fire in the order of their names: this one after `events_added`, which locks the user's row.
    """
    CREATE TRIGGER events_notified AFTER INSERT ON events
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION moorings_notify_events()
    """,
)


async def by_hand(apps, editor):
    for statement in () if editor.DIALECT == "sqlite" else _POSTGRESQL:
        await editor.client.execute_query(statement)


class Migration(migrations.Migration):
    dependencies = [("models", "0018_missing_turns_and_token_ids")]

    initial = False

    operations = [ops.RunPython(by_hand)]
