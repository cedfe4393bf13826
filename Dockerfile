# One image for both planes, the command and the examples: `meshway` is its entry point.
#   docker build -t meshway:0.1.0 .
#   docker run --rm meshway:0.1.0 --help

FROM python:3.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# The hot path becomes machine code (tools/compiled.py); the compiler stays in this stage. 0: it runs interpreted.
ARG MESHWAY_COMPILE=1
RUN if [ "$MESHWAY_COMPILE" = 1 ]; then apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*; fi
RUN python -m venv /opt/meshway
WORKDIR /src
COPY . ./
# The lock names also what tests and checks need: as constraints it pins versions and installs no more than asked for.
RUN sed -E 's/ *\\$//; /^ *--hash/d' requirements.lock > /tmp/constraints.txt \
    && /opt/meshway/bin/pip install --constraint /tmp/constraints.txt '.[server,compress,http3]' \
    && /opt/meshway/bin/python -m compileall -q /src/examples

FROM python:3.13-slim-bookworm
LABEL org.opencontainers.image.title="Meshway"
RUN groupadd --gid 10001 meshway \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin meshway \
    && install -d -o 10001 -g 10001 /data /keys \
        /tokens/bootstrap /tokens/admin /tokens/gateway /tokens/bookinfo \
        /tokens/prometheus
COPY --from=build /opt/meshway /opt/meshway
COPY --from=build /src/examples /opt/meshway/examples
ENV PATH=/opt/meshway/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MESHWAY_DATA=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8500 8580 8581 8590
HEALTHCHECK --interval=5s --timeout=4s --start-period=20s --retries=3 CMD ["meshway", "healthcheck"]
ENTRYPOINT ["meshway"]
CMD ["--help"]
