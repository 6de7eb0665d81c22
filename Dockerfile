# syntax=docker/dockerfile:1
# Build: docker build -t latchkey .    The result has no shell and no package manager, and runs as uid 65532.

FROM node:24-trixie-slim AS build
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
 && mkdir -p /run-latchkey

FROM gcr.io/distroless/nodejs24-debian13:nonroot
COPY --from=build --chown=0:0 /image /opt/latchkey
COPY --from=build --chown=65532:65532 /run-latchkey /run/latchkey
USER 65532:65532
# As the shebang line of dist/main.js.
ENV NODE_ENV=production MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=65536 MALLOC_MMAP_THRESHOLD_=65536
ENTRYPOINT ["/nodejs/bin/node", "--max-semi-space-size=1", "--no-maglev", "--no-sparkplug", "--heap-growing-percent=20", "/opt/latchkey/dist/main.js"]
CMD ["agent", "--config", "/etc/latchkey/latchkey.yaml"]
