"""The processes of `moorings serve`: the supervisor that the command becomes, and the workers it keeps."""
