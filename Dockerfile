FROM node:24-slim AS explorer

WORKDIR /source
COPY explorer/package.json explorer/package-lock.json ./
RUN npm ci --no-audit --no-fund --ignore-scripts
COPY explorer ./
RUN npm run build


FROM python:3.13-slim AS build

RUN python -m venv /opt/moorings
WORKDIR /source
COPY requirements.txt ./
RUN /opt/moorings/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt
# .dockerignore lets in the sources of the gateway and nothing else.
COPY . ./
COPY --from=explorer /source/dist ./explorer/dist
RUN /opt/moorings/bin/python -m pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation .


FROM python:3.13-slim

RUN useradd --system --user-group --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin moorings \
    && install --directory --owner moorings --group moorings --mode 0700 /data
COPY --from=build /opt/moorings /opt/moorings
ENV PATH="/opt/moorings/bin:$PATH" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

USER 10001
# The embedded database and its key live here when no other database is named.
WORKDIR /data
VOLUME /data
EXPOSE 8000

HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]

CMD ["moorings", "serve", "--host", "0.0.0.0", "--port", "8000"]
