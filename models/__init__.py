"""Everything that is true of a backup destination, whoever asks and however.

Knows no HTTP status, no JSON name and no GraphQL type; imports none of the other rooms.
"""
