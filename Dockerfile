# One binary on a base without a shell. Build: docker build -t caio .
# With spans over OTLP: docker build --build-arg CAIO_FEATURES=otel -t caio .
FROM rust:1.95-bookworm AS build
# Features of caio-server, separated by commas; none if not said.
ARG CAIO_FEATURES=""
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p caio-server --features "$CAIO_FEATURES"

# glibc, time zones and nothing else; runs as a user without rights.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/caio /usr/local/bin/caio
WORKDIR /data
ENV CAIO_HOME=/data/.caio
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/caio"]
CMD ["serve"]
