-- Which runs used less memory than the weights alone take? In inference all GPUs of the node together hold the weights:
-- 2 bytes per parameter, half a byte at int4; less is an error. In fine-tuning without DeepSpeed each GPU holds the whole
-- model, at 2 bytes if nothing says that it was quantized; less is a warning. A finding per model.
WITH weights AS (
  SELECT *, CASE WHEN method = 'int4' THEN 0.5 ELSE 2 END * parameters_b AS weights_gb
  FROM printed_rows
  WHERE stage = 'inference' OR (stage = 'fine-tuning' AND NOT deepspeed)
)
SELECT CASE WHEN any_value(stage) = 'inference' THEN 'error' ELSE 'warning' END AS severity, "table",
       flatten(list(cells_of(cell, ['amu_gb']) ORDER BY line)) AS cells,
       format('AMU is {:.4g} to {:.4g} GB, but {:g}B parameters take {:g} GB. Assumed: {}.', min(amu_gb), max(amu_gb),
              parameters_b, weights_gb,
              CASE WHEN any_value(stage) = 'inference' THEN 'weights at 2 bytes each, half a byte at int4'
                   ELSE 'bfloat16 weights, and without DeepSpeed (no * is printed) all of them on every GPU; '
                        || format('a 4-bit base, which is not mentioned, would take {:g} GB', weights_gb / 4) END)
       || CASE WHEN bool_or(coalesce(model_reconstructed, false))
               THEN ' The table prints no model names; they follow from its order and the text.' ELSE '' END AS explanation
FROM weights WHERE amu_gb * (1 + off['amu_gb']) < weights_gb
GROUP BY table_number, "table", model, parameters_b, weights_gb ORDER BY table_number, min(line);
