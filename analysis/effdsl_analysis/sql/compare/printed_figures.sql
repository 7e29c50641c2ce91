-- Keep the figures of one printed table beside what is laid out next. Parameter: $table_number.

CREATE OR REPLACE TEMP TABLE printed_figures AS FROM figures WHERE source = format('Table {}', $table_number::INTEGER);
