CREATE OR REPLACE VIEW published AS SELECT 'published' AS evidence, * FROM internal.published;

COMMENT ON VIEW published IS 'what the tables of EfficientLLM (arXiv 2505.13840) print: one row per value, kept as printed';

CREATE OR REPLACE VIEW claims AS SELECT * FROM internal.claims;

COMMENT ON VIEW claims IS 'the statements of EfficientLLM that can be checked, in our words';
