"""Responses of reads, kept by the user's revision, and the conditional requests that follow from them."""
