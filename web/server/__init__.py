"""The HTTP/1 server: uvicorn's protocol with the limits it lacks, listening sockets and worker processes."""
