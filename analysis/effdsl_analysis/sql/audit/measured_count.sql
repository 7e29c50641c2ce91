-- How many measured results are examined? See measured.sql.
SELECT count(*) AS examined FROM taken;
