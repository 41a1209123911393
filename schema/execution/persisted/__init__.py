"""Documents that are asked for by a hash or an ID in place of their text."""
