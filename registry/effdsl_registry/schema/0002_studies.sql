-- Which tasks a study asked for when it was last executed.
CREATE TABLE internal.study_tasks (
    study VARCHAR NOT NULL,
    file VARCHAR NOT NULL,
    place BIGINT NOT NULL,
    key VARCHAR NOT NULL,
    cell VARCHAR NOT NULL,
    technique VARCHAR NOT NULL,
    scale VARCHAR NOT NULL
);
