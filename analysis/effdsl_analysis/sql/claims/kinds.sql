-- What kind of statement each claim is, by the words that make it so; one that is not here says neither of these.
--
--   every    it is said of all its cases, as "no ... in any" is too: one counter-example denies it, and more than half of
--            the cases make it fail. "All" that is said of the rivals within a case, as in "lowest of all", is not this.
--   number   it gives a number, which cases of `size` test: where they fail, so does it, whatever its direction does.
--   range    it gives the two ends of a range, which are two cases of `size`: it takes both. A number of each model that is
--            to lie between two others, as in "lowers the score by 3-5 points", is a `number`: each model is a case.
--
-- verdicts.sql reads this.
CREATE OR REPLACE TEMP TABLE kinds AS
SELECT * FROM (VALUES
  ('C1', 'every', 'at every scale'),
  ('C2', 'every', 'at every scale'),
  ('C3', 'number', '42.24 GB'),
  ('C5', 'every', 'at every scale'),
  ('C6', 'every', 'at every scale'),
  ('C6', 'number', '594.23 W'),
  ('C8', 'every', 'at any scale'),
  ('C11', 'every', 'on every metric'),
  ('C12', 'every', 'on every metric'),
  ('C15', 'number', 'about 40%'),
  ('C16', 'every', 'Both MoE models'),
  ('C17', 'every', 'Both MoE models'),
  ('C18', 'number', 'up to 3.5 percentage points'),
  ('C19', 'number', 'by 1.8x'),
  ('C21', 'number', 'about 25%'),
  ('C22', 'number', 'about 25% (2.2) or 22-25%'),
  ('C23', 'number', 'about 1 point'),
  ('C27', 'every', 'at every scale'),
  ('C28', 'every', 'at every scale'),
  ('C29', 'every', 'at every scale'),
  ('C37', 'every', 'in every model'),
  ('C38', 'number', 'at least 3x'),
  ('C40', 'every', 'in every model'),
  ('C41', 'range', 'from 2.1505 to 6.0606'),
  ('C44', 'number', 'less than 0.02 loss while energy doubles'),
  ('C45', 'number', 'half'),
  ('C46', 'every', 'in all three models'),
  ('C50', 'every', 'in every model'),
  ('C51', 'number', 'triples'),
  ('C52', 'every', 'in every model'),
  ('C53', 'number', 'up to 3.9x'),
  ('C54', 'number', 'up to 3.9x'),
  ('C55', 'every', 'in every model'),
  ('C56', 'number', 'about 3.9'),
  ('C57', 'number', '3-5 percentage points'),
  ('C58', 'every', 'consistently'),
  ('C59', 'number', 'about 6%'),
  ('C60', 'every', 'consistently'),
  ('C61', 'number', 'about 9%'),
  ('C65', 'every', 'on every benchmark'),
  ('C70', 'every', 'on every backbone'),
  ('C71', 'every', 'on every backbone'),
  ('C74', 'every', 'on every backbone'),
  ('C75', 'number', 'about 50%'),
  ('C77', 'every', 'consistently'),
  ('C80', 'every', 'for both models'),
  ('C83', 'every', 'for both models'),
  ('C84', 'every', 'in any block of any table'),
  ('C85', 'every', 'Every method'),
  ('C86', 'number', 'More than 100'),
  ('C87', 'range', 'from 0.5B to 72B')
) AS said(id, kind, words);
