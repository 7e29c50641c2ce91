-- Which lines print the time and memory of a model that several GPUs trained, with all that its layout depends on?
-- Those of Table 3: the others' models are not built as their tables say (docs/analysis.md).
SELECT table_number, line, method, parameters_b, micro_batch_size, devices
FROM printed_rows WHERE table_number = 3 ORDER BY line;
