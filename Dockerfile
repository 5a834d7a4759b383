# rs-seg in a container, for the processor.
#
#   docker build -t rs-seg .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/data" rs-seg infer ortho.tif --out classes.tif
FROM rust:1.90-bookworm AS build
WORKDIR /src
# First what seldom changes: packages, and libtorch (540 MB).
COPY scripts/setup scripts/wheels.sh scripts/
RUN scripts/setup
COPY . .
RUN DESTDIR=/out PREFIX=/usr/local scripts/install

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgdal32 libproj25 libstdc++6 ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/usr/local /usr/local
# Fails here, not at the user's, where a library is missing.
RUN rs-seg doctor
# It runs as any user; what is to be remembered between runs goes to a volume at /cache, if there is one.
ENV RS_SEG_CACHE=/cache
RUN mkdir -m 1777 /cache
WORKDIR /data
ENTRYPOINT ["rs-seg"]
CMD ["--help"]
