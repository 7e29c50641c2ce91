-- How many printed values are examined? See published.sql.
SELECT count(*) AS examined FROM printed;
