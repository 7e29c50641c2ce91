-- Keep the contrasts of one printed table beside what is laid out next. Parameter: $table_number.

CREATE OR REPLACE TEMP TABLE printed_contrasts AS FROM contrasts WHERE source = format('Table {}', $table_number::INTEGER);
