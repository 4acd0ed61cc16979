# The relay. By itself it keeps its queue in the volume /var/lib/relay; with REDIS_URL in Redis (docker-compose.yml).
FROM node:26-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json tsconfig.json ./
RUN npm ci --no-audit --no-fund
COPY src ./src
RUN npm run build

FROM node:26-bookworm-slim
WORKDIR /app
COPY --chown=node:node package.json package-lock.json ./
# No dependency needs its install script: native parts come prebuilt.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && npm cache clean --force
COPY --from=build /app/dist ./dist
COPY --chown=node:node config ./config
# The queue holds mail: nobody else in the container may read it.
RUN install --directory --owner=node --group=node --mode=0700 /var/lib/relay
VOLUME /var/lib/relay
ENV RELAY_CONFIG=config/relay.docker.yaml
USER node
EXPOSE 2525
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Started without a shell, so that SIGTERM reaches the relay, which then finishes what is in flight.
ENTRYPOINT ["node", "dist/main.js"]
CMD ["start"]
