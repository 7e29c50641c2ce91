-- The cells of quality_pairs, references too: the columns of chosen() that name them, the widest first.
SELECT DISTINCT ON (cell) cell, identity FROM chosen($study, NULL)
WHERE cell IN (SELECT cell FROM quality_pairs UNION SELECT reference FROM quality_pairs)
ORDER BY (identity.details ->> 'bits')::INTEGER DESC, identity.technique, cell;
