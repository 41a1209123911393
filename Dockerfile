# The bases are named by digest; `make digests` says how to renew them, and a build argument replaces each.
ARG NODE_IMAGE=docker.io/library/node:24-bookworm-slim@sha256:a9f5f7c91a432850b2a8a7797adf5eadb6c733ceed61167806cee7ea7fbc29df
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${NODE_IMAGE} AS explorer

WORKDIR /source
COPY explorer/package.json explorer/package-lock.json ./
RUN npm ci --no-audit --no-fund --ignore-scripts
COPY explorer ./
RUN npm run build


FROM ${PYTHON_IMAGE} AS build

RUN python -m venv /opt/moorings
WORKDIR /source
COPY requirements.txt ./
RUN /opt/moorings/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt
# .dockerignore lets in the sources of the gateway and nothing else.
COPY . ./
COPY --from=explorer /source/dist ./explorer/dist
RUN /opt/moorings/bin/python -m pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation .


FROM ${PYTHON_IMAGE}

ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Moorings" \
      org.opencontainers.image.description="A GraphQL and REST gateway for backup destinations" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

RUN useradd --system --user-group --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin moorings \
    && install --directory --owner moorings --group moorings --mode 0700 /data
COPY --from=build /opt/moorings /opt/moorings
COPY deploy/container/healthcheck.py /opt/moorings/healthcheck.py
ENV PATH="/opt/moorings/bin:$PATH" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

USER 10001
# The embedded database and its key live here when no other database is named.
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM

# On the port that process 1 listens on, over HTTP or HTTPS.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "/opt/moorings/healthcheck.py"]

CMD ["moorings", "serve", "--host", "0.0.0.0", "--port", "8000"]
