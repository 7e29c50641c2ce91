-- What the paper printed, a row for each value in its tables. Filled from the package's own files, never from records.
CREATE TABLE internal.published (
    table_number INTEGER NOT NULL,
    line INTEGER NOT NULL,
    stage VARCHAR NOT NULL,
    axis VARCHAR NOT NULL,
    modality VARCHAR NOT NULL,
    technique VARCHAR NOT NULL,
    method VARCHAR NOT NULL,
    method_printed VARCHAR NOT NULL,
    model VARCHAR,
    model_printed VARCHAR,
    model_reconstructed BOOLEAN,
    dataset VARCHAR,
    hardware VARCHAR,
    devices INTEGER,
    size VARCHAR NOT NULL,
    parameters_b DOUBLE,
    parameters_printed VARCHAR,
    experts INTEGER,
    top_k INTEGER,
    micro_batch_size INTEGER,
    context_length INTEGER,
    training_steps INTEGER,
    gpus INTEGER,
    deepspeed BOOLEAN,
    metric VARCHAR NOT NULL,
    value DOUBLE NOT NULL,
    printed VARCHAR NOT NULL,
    reading_note VARCHAR
);

-- The paper's statements that can be checked, in our words.
CREATE TABLE internal.claims (
    place INTEGER NOT NULL,
    id VARCHAR NOT NULL,
    section VARCHAR NOT NULL,
    table_number VARCHAR NOT NULL,
    statement VARCHAR NOT NULL
);
