# Two stages: the wheel is built where there is a compiler, and run where there is none.
FROM rust:1.95-slim-bookworm AS build
# no versions: Debian takes old ones away, and the release of the base image pins them well enough
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /build \
    && /build/bin/pip install --no-cache-dir "maturin>=1.9.4,<2"
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY core core
COPY ibcf ibcf
# the compiler lays the core out by a profile of calls
RUN rustup component add llvm-tools \
    && core/pgo.sh \
    && RUSTFLAGS=-Cprofile-use=/src/core/target/pgo/ibcf.profdata \
       /build/bin/maturin build --release --locked --compatibility linux --out /wheels

FROM python:3.11-slim-bookworm
COPY --from=build /wheels /wheels
RUN python -m venv /opt/ibcf \
    && /opt/ibcf/bin/pip install --no-cache-dir /wheels/*.whl \
    && rm -rf /wheels \
    && groupadd --gid 10001 ibcf \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/ibcf --shell /usr/sbin/nologin ibcf \
    && install -d -o ibcf -g ibcf /var/lib/ibcf /etc/ibcf
ENV PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /var/lib/ibcf
EXPOSE 5060/udp 5070/udp 9090/tcp
# drains: calls that are being set up may end, new ones get 503
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/ibcf/bin/ibcf"]
CMD ["run", "/etc/ibcf/config/ibcf.yaml"]
