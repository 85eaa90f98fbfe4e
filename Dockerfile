# One image for the operator and the proxies: Python, the locked dependencies, Headgate. Non-root, fit for a read-only root.
#
#   docker build -t headgate:dev .                        (BASE: any image with Python >= 3.11 that can make a venv)
#   buildah bud --build-arg BASE=... -t headgate:dev .
#
# Behind a private index or a private certificate authority, hand pip its own settings; neither stays in a layer:
#   --secret id=pip-conf,src=pip.conf --secret id=ca,src=ca.pem      (pip.conf then says `cert = /run/secrets/ca`)
ARG BASE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# The dependencies first: they change seldom, and a layer is built again only when what is copied before it has changed.
COPY requirements/runtime.txt /src/requirements/
RUN --mount=type=secret,id=pip-conf,target=/etc/pip.conf --mount=type=secret,id=ca \
    python3 -m venv /opt/headgate \
    && /opt/headgate/bin/pip install --quiet --require-hashes --only-binary :all: -r /src/requirements/runtime.txt
COPY . /src
RUN /opt/headgate/bin/pip install --quiet --no-deps --no-build-isolation /src \
    && /opt/headgate/bin/pip uninstall --quiet --yes setuptools pip

FROM ${BASE}
COPY --from=build /opt/headgate /opt/headgate
ENV PATH=/opt/headgate/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# A number, so that the kubelet can tell that it is not root.
USER 65532:65532
ENTRYPOINT ["headgate"]
