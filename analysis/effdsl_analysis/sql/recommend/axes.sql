-- axes()   the axes along which techniques are chosen, each with its stage and its place in a list

CREATE OR REPLACE TEMP MACRO axes() AS TABLE
FROM (VALUES
  ('attention', 'pretraining', 1), ('position', 'pretraining', 2), ('feed_forward', 'pretraining', 3),
  ('backbone', 'pretraining', 4), ('shape', 'pretraining', 5),
  ('fine_tuning', 'fine-tuning', 6), ('precision', 'inference', 7)
) AS a (axis, stage, place);
