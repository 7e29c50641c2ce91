-- Every statement, in the paper's order.
SELECT id, statement, section, table_number AS "table" FROM claims ORDER BY place;
