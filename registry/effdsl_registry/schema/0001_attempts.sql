-- What record files say, one row per attempt. Rebuildable: nothing is here that is not in a file.
CREATE SCHEMA internal;

CREATE TABLE internal.meta (schema_version INTEGER NOT NULL, views_digest VARCHAR NOT NULL);
INSERT INTO internal.meta VALUES (0, '');

-- No primary key: one process writes at a time and leaves out what is there, and the index would cost
-- half of the time to ingest. Metrics are a map, so that a metric added later needs no migration. What is
-- rarely asked for is JSON text, which costs the least to write; the views give it its type. Text columns say how
-- they are compressed: to find that out anew costs a quarter of a commit.
CREATE TABLE internal.attempts (
    key VARCHAR USING COMPRESSION uncompressed NOT NULL,
    cell VARCHAR USING COMPRESSION uncompressed NOT NULL,
    lineage VARCHAR USING COMPRESSION uncompressed NOT NULL,
    canonical VARCHAR USING COMPRESSION fsst NOT NULL,
    attempt VARCHAR USING COMPRESSION uncompressed NOT NULL,
    outcome VARCHAR USING COMPRESSION dictionary NOT NULL,
    reason VARCHAR USING COMPRESSION fsst,
    evidence VARCHAR USING COMPRESSION dictionary NOT NULL,
    stage VARCHAR USING COMPRESSION dictionary,
    technique VARCHAR USING COMPRESSION dictionary,
    scale VARCHAR USING COMPRESSION dictionary,
    parameters BIGINT,
    active_parameters BIGINT,
    seed BIGINT,
    hardware VARCHAR USING COMPRESSION dictionary,
    hardware_count BIGINT,
    dtype VARCHAR USING COMPRESSION dictionary,
    engine VARCHAR USING COMPRESSION dictionary,
    engine_version BIGINT,
    choices VARCHAR USING COMPRESSION dictionary,
    setting VARCHAR USING COMPRESSION dictionary,
    details VARCHAR USING COMPRESSION dictionary,
    metrics MAP(VARCHAR, DOUBLE),
    missing VARCHAR USING COMPRESSION dictionary,
    started_at TIMESTAMP,
    finished_at TIMESTAMP,
    duration_s DOUBLE,
    host VARCHAR USING COMPRESSION dictionary,
    device VARCHAR USING COMPRESSION dictionary,
    driver VARCHAR USING COMPRESSION dictionary,
    os VARCHAR USING COMPRESSION dictionary,
    python VARCHAR USING COMPRESSION dictionary,
    libraries VARCHAR USING COMPRESSION dictionary,
    git_commit VARCHAR USING COMPRESSION dictionary,
    git_dirty BOOLEAN,
    threads BIGINT,
    load_average DOUBLE,
    cpu_over_wall DOUBLE,
    meter VARCHAR USING COMPRESSION dictionary,
    meter_scope VARCHAR USING COMPRESSION dictionary,
    warmup_iterations BIGINT,
    measured_iterations BIGINT,
    sampler_period_s DOUBLE,
    sampler_samples BIGINT,
    flags VARCHAR[],
    code VARCHAR USING COMPRESSION dictionary,
    kernel VARCHAR USING COMPRESSION dictionary,
    curves VARCHAR USING COMPRESSION dictionary,
    tables VARCHAR USING COMPRESSION dictionary,
    scores MAP(VARCHAR, DOUBLE),
    items VARCHAR USING COMPRESSION dictionary,
    artifacts VARCHAR USING COMPRESSION fsst,
    files VARCHAR USING COMPRESSION fsst,
    checksum BIGINT NOT NULL
);

-- What was evaluated item by item, a row for each attempt and evaluation. As JSON of the record, 12,000 items would
-- take thirty times the space here, and a second of every query over tables for each hundred records.
CREATE TABLE internal.items (
    attempt VARCHAR NOT NULL,
    evaluation VARCHAR NOT NULL,
    item BIGINT[] NOT NULL,
    value DOUBLE[] NOT NULL,
    weight DOUBLE[] NOT NULL
);

-- The modules that results were measured with: a row for each file of a code set, named by its hash.
CREATE TABLE internal.code (code VARCHAR NOT NULL, module VARCHAR NOT NULL, sha256 VARCHAR NOT NULL);
