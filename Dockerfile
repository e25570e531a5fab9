# Serinus as an image: one binary on a base without a shell.
#
# Both bases are arguments, so that the image can be built from a mirror:
#   docker build --build-arg RUST_IMAGE=.. --build-arg RUNTIME_IMAGE=.. .
#
# The `debug` variant of the runtime base has busybox, which a CI system needs that starts a shell in
# the image: `make image-debug`.
ARG RUST_IMAGE=rust:1.95-bookworm
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${RUST_IMAGE} AS builder
# Cargo's own folder lies where the build may write, whatever the base image protects.
ENV PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    RUSTUP_HOME=/usr/local/rustup \
    CARGO_HOME=/build/cargo \
    CARGO_TARGET_DIR=/build/target
WORKDIR /build/source
COPY . .
RUN cargo build --locked --release --package serinus --bin serinus && mkdir /build/store

FROM ${RUNTIME_IMAGE}
COPY --from=builder /build/target/release/serinus /usr/local/bin/serinus
COPY pipelines/*.yaml /etc/serinus/pipelines/
# Where rollouts are remembered: mount a volume here to keep them longer than the container.
COPY --from=builder --chown=65532:65532 /build/store /var/lib/serinus
# Listening for everybody needs SERINUS_TOKENS_FILE, or SERINUS_INSECURE=true where something else
# guards the port. Without tokens it is asked by these names; other ones have to be said.
ENV SERINUS_LISTEN=0.0.0.0:8080 \
    SERINUS_ALLOWED_HOSTS=localhost,serinus \
    SERINUS_PIPELINES=/etc/serinus/pipelines \
    SERINUS_STORE=sqlite:/var/lib/serinus/serinus.db
# The user `nonroot` of the distroless images, by number, so that Kubernetes can check it.
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
    CMD ["/usr/local/bin/serinus", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/serinus"]
CMD ["serve"]
