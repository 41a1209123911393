"""The document, and its JSON blocks found and paired: whatever it shows, the tests replay."""
