# syntax=docker/dockerfile:1
# chat-session-proxy: the service, and with another command its emulator. Sources run as they are (Node strips types).
# For builds that must be the same for ever, pin the base by digest: node:24-bookworm-slim@sha256:…

FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Without the optional Node of the lock file: the image brings its own. No install script has to run.
RUN --mount=type=cache,target=/root/.npm \
    npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="chat-session-proxy" \
      org.opencontainers.image.description="LLM chat sessions kept on the server, over REST and Server-Sent Events" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json openapi.yaml ./
COPY scripts/require-node.js ./scripts/
COPY src ./src

# AUTH is left out on purpose: whoever opens the port to others has to say who may come in.
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=8080
USER node
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
    CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/livez`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
# The exec form: SIGTERM reaches Node, which drains and ends with 0.
CMD ["node", "--import", "./scripts/require-node.js", "src/server.ts"]
