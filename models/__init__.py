"""Everything that is true of a backup destination, whichever API or command asks.

Knows no HTTP status, no JSON name and no GraphQL type; imports none of the other rooms.
"""
