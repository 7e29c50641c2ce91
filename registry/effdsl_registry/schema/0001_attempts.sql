-- What record files say, one row per attempt. Rebuildable: nothing is here that is not in a file.
CREATE SCHEMA internal;

CREATE TABLE internal.meta (schema_version INTEGER NOT NULL, views_digest VARCHAR NOT NULL);
INSERT INTO internal.meta VALUES (0, '');

-- No primary key: one process writes at a time and leaves out what is there, and the index would cost
-- half of the time to ingest. Metrics are a map, so that a metric added later needs no migration. What is
-- rarely asked for is JSON text, which costs the least to write; the views give it its type.
CREATE TABLE internal.attempts (
    key VARCHAR NOT NULL,
    cell VARCHAR NOT NULL,
    lineage VARCHAR NOT NULL,
    canonical VARCHAR NOT NULL,
    attempt VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL,
    reason VARCHAR,
    evidence VARCHAR NOT NULL,
    stage VARCHAR,
    technique VARCHAR,
    scale VARCHAR,
    attention VARCHAR,
    "position" VARCHAR,
    feed_forward VARCHAR,
    backbone VARCHAR,
    aspect VARCHAR,
    parameters BIGINT,
    active_parameters BIGINT,
    seed BIGINT,
    hardware VARCHAR,
    hardware_count BIGINT,
    dtype VARCHAR,
    data VARCHAR,
    data_revision VARCHAR,
    tokenizer VARCHAR,
    vocab_size BIGINT,
    context_length BIGINT,
    batch_size BIGINT,
    micro_batch_size BIGINT,
    steps BIGINT,
    tokens BIGINT,
    layers BIGINT,
    hidden_size BIGINT,
    heads BIGINT,
    engine VARCHAR,
    engine_version BIGINT,
    metrics MAP(VARCHAR, DOUBLE),
    missing VARCHAR,
    started_at TIMESTAMP,
    finished_at TIMESTAMP,
    duration_s DOUBLE,
    host VARCHAR,
    device VARCHAR,
    driver VARCHAR,
    os VARCHAR,
    python VARCHAR,
    libraries VARCHAR,
    git_commit VARCHAR,
    git_dirty BOOLEAN,
    threads BIGINT,
    load_average DOUBLE,
    cpu_over_wall DOUBLE,
    meter VARCHAR,
    meter_scope VARCHAR,
    warmup_iterations BIGINT,
    measured_iterations BIGINT,
    sampler_period_s DOUBLE,
    sampler_samples BIGINT,
    flags VARCHAR[],
    code VARCHAR,
    kernel VARCHAR,
    loss_curve VARCHAR,
    eval_curve VARCHAR,
    sample VARCHAR,
    checksum BIGINT NOT NULL
);

-- The modules that results were measured with: a row for each file of a code set, named by its hash.
CREATE TABLE internal.code (code VARCHAR NOT NULL, module VARCHAR NOT NULL, sha256 VARCHAR NOT NULL);
