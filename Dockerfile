# The connector as an image. Nothing is fetched but the base image and what requirements.txt locks by hash.
#
#     docker build --tag airbyte/source-linkless:dev .
#     docker run --rm airbyte/source-linkless:dev spec
#
# It runs without root, with any user id, without capabilities and on a read-only file system with a writable /tmp.
ARG BASE_IMAGE=docker.io/airbyte/python-connector-base:4.1.1@sha256:a268b44c733ae699a60f5fbc06a324945dba98945c6e2ab7f8609f2f895b0d28

# The base image leaves the user at root, which both stages need to write outside its folders.
FROM ${BASE_IMAGE} AS builder
WORKDIR /build
# pip stays in the base: an environment without it is smaller, and nobody can install anything into a running container
RUN python -m venv --without-pip /opt/venv
# a layer of its own: a change of the connector does not install the dependencies again. The tests that some of them
# carry, a tenth of their size, are not wanted; pip compiles nothing here, so that they are not compiled either.
COPY requirements.txt ./
RUN python -m pip --python /opt/venv/bin/python install --no-compile \
    --no-cache-dir --disable-pip-version-check --no-deps --require-hashes --requirement requirements.txt \
    && find /opt/venv/lib -type d -name tests -prune -exec rm -r {} + \
    && /opt/venv/bin/python -m compileall -q /opt/venv/lib
COPY pyproject.toml README.md LICENSE ./
COPY source_linkless ./source_linkless
# setuptools, which builds the package, is among the locked dependencies: no build environment is downloaded
RUN python -m pip --python /opt/venv/bin/python install \
    --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation .

FROM ${BASE_IMAGE}
# Nobody can write byte code later: what is not compiled now would be compiled at every start. The rest has been above.
RUN python -c "import compileall, sysconfig; compileall.compile_dir(sysconfig.get_path('stdlib'), quiet=2)"
COPY --from=builder /opt/venv /opt/venv
WORKDIR /airbyte/integration_code
ENV PATH=/opt/venv/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    AIRBYTE_ENTRYPOINT=/opt/venv/bin/source-linkless
LABEL io.airbyte.name=airbyte/source-linkless \
      io.airbyte.version=0.1.0
# by number, so that Kubernetes can see that it is not root (runAsNonRoot)
USER 1000:1000
ENTRYPOINT ["/opt/venv/bin/source-linkless"]
