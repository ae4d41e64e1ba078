# The steps of `.ci/run` by name; what they run is written there, once.

# What there is.
default:
    @just --list

# All checks, as before a change lands.
ci:
    .ci/run

# Formats the code (`.ci/run fmt` only checks).
fmt:
    cargo fmt --all

# Clippy on everything, warnings are errors.
lint:
    .ci/run lint

# Unit, integration, user-interface and documentation tests, of all members.
test:
    .ci/run test integrations

# Every order of events, where other runs take a sample; some fifteen minutes, before a release.
explore:
    EXPLORE=all cargo test --release -p async-tool-tests --test it

# Sentences that have to be read twice.
english:
    .ci/run english

# Packages as they would be uploaded.
publish:
    .ci/run publish

# Imports between the layers of the runtime crate.
layers:
    .ci/run layers

# Writes the list of public paths anew; read the diff before you commit it.
api:
    WRITE=1 .ci/run api

# The API documentation, warnings are errors.
doc:
    .ci/run doc

# The published crates with each feature alone.
features:
    .ci/run features

# The published crates with the oldest dependencies they allow.
minimal:
    .ci/run minimal

# Dependencies that nothing uses.
unused:
    .ci/run unused

# Typing errors.
spelling:
    .ci/run spelling

# Licenses, banned crates and sources of all dependencies; needs cargo-deny.
licenses:
    .ci/run licenses

# The quickstart, as a new user runs it.
quickstart:
    .ci/run quickstart

# The other examples that end by themselves.
examples:
    .ci/run examples

# Benchmarks; one may be named: `just bench --bench manager`.
bench *which:
    cargo bench -p async-tool-benches {{ which }}

# Writes the golden files anew; read the diff before you commit it.
bless:
    UPDATE_EXPECT=1 TRYBUILD=overwrite cargo test --workspace
