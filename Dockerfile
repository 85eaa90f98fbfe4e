# One image for the operator and the proxies: Python, the locked dependencies, Headgate. Non-root, fit for a read-only root.
#
#   docker build -t headgate:dev .                        (BASE: any image with Python >= 3.11 that can make a venv)
#   buildah bud --build-arg BASE=... -t headgate:dev .
#
# Behind a private index or a private certificate authority, hand pip its own settings; neither stays in a layer:
#   --secret id=pip-conf,src=pip.conf --secret id=ca,src=ca.pem      (pip.conf then says `cert = /run/secrets/ca`)
ARG BASE=python:3.11-slim-bookworm

# The dependencies, which change seldom. What installs moves aside afterwards: the image has no use for it.
FROM ${BASE} AS dependencies
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
COPY requirements/runtime.txt /src/requirements/
RUN --mount=type=secret,id=pip-conf,target=/etc/pip.conf --mount=type=secret,id=ca \
    python3 -m venv /opt/headgate \
    && /opt/headgate/bin/pip install --quiet --require-hashes --only-binary :all: -r /src/requirements/runtime.txt \
    && mkdir /opt/installer \
    && cd /opt/headgate/lib/python3.*/site-packages \
    && mv pip pip-* setuptools setuptools-* _distutils_hack /opt/installer/ \
    && rm distutils-precedence.pth /opt/headgate/bin/pip*

# Headgate alone, laid out as it goes into the environment.
FROM dependencies AS build
COPY . /src
RUN PYTHONPATH=/opt/installer /opt/headgate/bin/python -m pip install --quiet --no-deps --no-build-isolation --prefix=/dist /src

FROM ${BASE}
COPY --from=dependencies /opt/headgate /opt/headgate
COPY --from=build /dist /opt/headgate
ENV PATH=/opt/headgate/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# A number, so that the kubelet can tell that it is not root.
USER 65532:65532
ENTRYPOINT ["headgate"]
