# chat-session-proxy: the service, and with another command its emulator. Sources run as they are (Node strips types), so
# nothing is compiled here.
#
#   docker build -t chat-session-proxy --label org.opencontainers.image.revision="$(git rev-parse HEAD)" .
#   docker run -p 127.0.0.1:8080:8080 -e AUTH=none -e REDIS_URL=redis://… -e GEMINI_API_KEY=… chat-session-proxy
#
# The tag brings the security fixes of Node 24 and Debian with every `docker build --pull`. A release is built from a digest,
# so that it is the same for ever, and from the same place: --build-arg NODE_IMAGE=node:24-bookworm-slim@sha256:…
ARG NODE_IMAGE=node:24-bookworm-slim
FROM ${NODE_IMAGE} AS base

FROM base AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# --omit=optional: the lock file's own Node is for machines that have none. No install script has to run.
RUN --mount=type=cache,target=/root/.npm \
    npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund
# Packages bring tests, documents, source maps and types: 15 of 25 MB, and never read at run time. Folders go only from a
# package's own root: deeper down such a name can be code. The parser of event streams is the client's, which stays out.
RUN find node_modules -regextype posix-extended -type d \
      -regex '(.*/)?node_modules/(@[^/]+/)?[^@/][^/]*/(tests?|docs?|examples?|bench(marks?)?|\.github)' \
      -prune -exec rm -r {} + \
 && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete \
 && rm -r node_modules/eventsource-parser

FROM base AS sources
WORKDIR /app
COPY package.json openapi.yaml LICENSE ./
COPY scripts/require-node.js ./scripts/
COPY src ./src
# A checkout made with a strict umask would give files that only root can read.
RUN chmod -R u=rwX,go=rX .

# All that Node needs of the system, and nothing else: no shell, no package manager, no npm, no setuid program. Whoever
# makes the service run a command of theirs finds none. Scanners read in status.d which packages the libraries come from.
FROM base AS system
RUN mkdir -p /system/usr/local/bin /system/etc /system/var/lib/dpkg/status.d /system/home/node \
 && mkdir -m 1777 /system/tmp \
 && cp /usr/local/bin/node /system/usr/local/bin/ \
 && ldd /usr/local/bin/node | grep -o '/[^ ]*' | xargs -I {} cp -L --parents {} /system \
 && cp -L /etc/os-release /etc/nsswitch.conf /system/etc/ \
 && for file in passwd group; do grep -E '^(root|node):' "/etc/$file" > "/system/etc/$file"; done \
 && for name in base-files libc6 libgcc-s1 libstdc++6; do \
      dpkg-query --status "$name" > "/system/var/lib/dpkg/status.d/$name" \
      && { [ ! -e "/usr/share/doc/$name/copyright" ] || cp -L --parents "/usr/share/doc/$name/copyright" /system; } \
      || exit 1; \
    done \
 && { [ ! -e /usr/local/LICENSE ] || cp --parents /usr/local/LICENSE /system; } \
 && chown 1000:1000 /system/home/node

FROM scratch
ARG NODE_IMAGE
LABEL org.opencontainers.image.title="chat-session-proxy" \
      org.opencontainers.image.description="LLM chat sessions kept on the server, over REST and Server-Sent Events" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${NODE_IMAGE}"
COPY --from=system /system /
WORKDIR /app
# Two layers: the packages change seldom, and are then neither pushed nor pulled again. All of it belongs to root, so that
# the service cannot change its own code.
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=sources /app ./

# AUTH is left out on purpose: whoever opens the port to others has to say who may come in.
ENV PATH=/usr/local/bin \
    NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=8080
# The user `node`, by number: Kubernetes' runAsNonRoot cannot tell from a name that it is not root.
USER 1000:1000
EXPOSE 8080
# Alive, not ready: a Redis that is away is no reason to restart the service. An empty PORT counts as not set.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 8080}/livez`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Written in the exec form, without npm or a shell, so that the signal reaches Node: it drains for DRAIN_MS (20 s) and ends
# with 0. Give it longer than that: `docker stop --time 30`, terminationGracePeriodSeconds: 30.
STOPSIGNAL SIGTERM
CMD ["node", "--import", "./scripts/require-node.js", "src/server.ts"]
