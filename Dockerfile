# syntax=docker/dockerfile:1
# Build: docker build -t latchkey .    The result has no shell and no package manager, and runs as uid 65532.
# Run: docker run --read-only -v /etc/latchkey:/etc/latchkey:ro -v latchkey-run:/run/latchkey -v latchkey-state:/var/lib/latchkey …
# Other containers reach the socket through the volume of /run/latchkey; the state keeps lease ids over a restart.

# Tags move: what the image stands on is named by the digests of its multi-platform indexes. A newer one is what
# `docker buildx imagetools inspect TAG` tells; a build may name it without a change here:
#   docker build --build-arg BUILD_IMAGE=node:24-trixie-slim@sha256:… --build-arg RUN_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot@sha256:… -t latchkey .
ARG BUILD_IMAGE=node:24.21.0-trixie-slim@sha256:8ec5d7557396cfe32d21c3f9c13072355ceab22b584578ca4bb28af31120cffe
ARG RUN_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot@sha256:9eeb7f5887d0e239e78264b06f7f11d2e14be534050481803a9e4728fcdd278e

FROM ${BUILD_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
COPY packages packages
RUN npm ci --ignore-scripts
COPY tsconfig.json rolldown.config.ts ./
COPY src src
COPY config config
RUN npm run build
# What the bundle leaves out: koffi, with the binary of this platform alone.
RUN npm ci --ignore-scripts --omit=dev \
 && mkdir -p /image/node_modules \
 && cp -r node_modules/koffi node_modules/@koromix /image/node_modules/ \
 && cp -r dist config package.json /image/ \
 && rm -rf /image/node_modules/@koromix/*/musl_* \
 && mkdir /empty

FROM ${RUN_IMAGE}
COPY --from=build --chown=0:0 /image /opt/latchkey
COPY --from=build --chown=65532:65532 /empty /run/latchkey
COPY --from=build --chown=65532:65532 /empty /var/lib/latchkey
USER 65532:65532
# As the shebang line of dist/main.js.
ENV NODE_ENV=production MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=65536 MALLOC_MMAP_THRESHOLD_=65536
ENTRYPOINT ["/nodejs/bin/node", "--disable-sigusr1", "--max-semi-space-size=1", "/opt/latchkey/dist/main.js"]
# Healthy is ready. It asks /run/latchkey/latchkey.sock ($LATCHKEY_SOCKET names another) for `admin`'s status; for a
# config without such a listener: docker run --no-healthcheck.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["/nodejs/bin/node", "--disable-sigusr1", "/opt/latchkey/dist/main.js", "status"]
CMD ["agent", "--config", "/etc/latchkey/latchkey.yaml"]
