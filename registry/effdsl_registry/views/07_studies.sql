CREATE OR REPLACE VIEW study_tasks AS SELECT * FROM internal.study_tasks;

COMMENT ON VIEW study_tasks IS 'the tasks each study asked for when it was last executed, in the order of its plan';

CREATE OR REPLACE VIEW code AS SELECT * FROM internal.code;

COMMENT ON VIEW code IS 'the modules, with the SHA-256 of their files, that results were measured with';
